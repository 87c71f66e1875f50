"""Events: one block of one platform in one country, whatever the technique or the network."""

from datetime import datetime
from enum import StrEnum

import msgspec


class EventState(StrEnum):
    """Where an event stands."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    ENDED = "ended"
    DISMISSED = "dismissed"
    """Suspected, never confirmed, and the signs went away."""


class Scope(StrEnum):
    """Core roles blocked (full) or only others (partial)."""

    FULL = "full"
    PARTIAL = "partial"


class NetworkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What one network showed of the platform, over the event so far."""

    asn: int
    network: str
    affected: bool
    """Ever blocked during the event."""
    blocked_now: bool
    methods: tuple[str, ...] = ()
    """`method.sub_method` in the order first seen."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A detected block of one platform in one country."""

    id: str
    """Hash of country, platform and first measurement: recomputing gives the same."""
    country: str
    platform: str
    state: EventState
    scope: Scope
    roles: tuple[str, ...]
    """Roles blocked at any time during the event, sorted."""
    methods: tuple[str, ...]
    """`method.sub_method` over the event, in the order first seen."""
    networks: tuple[NetworkStatus, ...]
    """Every network of the country seen during the event, sorted by AS number."""
    onset_earliest: datetime | None
    """Last moment known to be not blocked; None means blocked before monitoring."""
    onset_latest: datetime
    """First moment known to be blocked."""
    detected_at: datetime
    confirmed_at: datetime | None = None
    end_earliest: datetime | None = None
    """Last moment known to be blocked, once ended."""
    end_latest: datetime | None = None
    """First moment known to be open again on every network, once ended."""
    updated_at: datetime
    first_measurement: str
    evidence: str
    """Best evidence grade seen."""
    rules_version: str

    @property
    def active(self) -> bool:
        """True until the event ended or was dismissed."""
        return self.state in (EventState.SUSPECTED, EventState.CONFIRMED)

    @property
    def networks_affected(self) -> tuple[int, ...]:
        """AS numbers of the networks that blocked, sorted."""
        return tuple(network.asn for network in self.networks if network.affected)


class EventLogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One append-only line of an event's history: what was known when."""

    event: str
    sequence: int
    """1 for the first entry of an event."""
    at: datetime
    """UTC, of the judgement that caused it."""
    change: str
    """opened, confirmed, network_affected, network_recovered, method_added, scope_widened,
    reopened, ended, dismissed."""
    detail: str = ""
    snapshot: Event
    """The whole event after the change."""
