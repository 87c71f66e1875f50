"""Events: what is worth informative people, each one thing from its beginning to its end.

A block of a platform in a country is one event, whatever the technique, the network or the hours it
keeps. What befalls the vantages themselves (a shutdown, a cut of international lines), a platform
that is down everywhere, and signs that the instrument is at fault are events of their own kinds.
"""

import hashlib
from datetime import datetime
from enum import StrEnum

import msgspec


class EventKind(StrEnum):
    """What an event is about."""

    BLOCK = "block"
    """One platform in one country."""
    SHUTDOWN = "shutdown"
    """The networks watched in a country are cut off together; no platform."""
    INTERNATIONAL_CUT = "international_cut"
    """A country's networks reach nothing abroad; no platform."""
    VANTAGE_SILENT = "vantage_silent"
    """One vantage is cut off or no longer heard of; it accuses nobody; no platform."""
    OUTAGE = "outage"
    """A platform fails wherever it is looked at from, controls included; no country."""
    INSTRUMENT = "instrument"
    """All vantages changed together: more likely our own fault than theirs; no country."""


class EventState(StrEnum):
    """Where an event stands."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    RECOVERING = "recovering"
    """It works again wherever it was seen not to, not yet for long enough to call it over."""
    UNOBSERVED = "unobserved"
    """Nobody can tell any more: the networks concerned are no longer seen."""
    ENDED = "ended"
    DISMISSED = "dismissed"
    """Suspected, never confirmed, and the signs went away."""
    WITHDRAWN = "withdrawn"
    """Late data showed that there was no reason for it, or that it was part of another."""


ACTIVE_STATES = (
    EventState.SUSPECTED,
    EventState.CONFIRMED,
    EventState.RECOVERING,
    EventState.UNOBSERVED,
)
"""States of an event that is not over."""


class Scope(StrEnum):
    """Core roles blocked (full) or only others (partial)."""

    FULL = "full"
    PARTIAL = "partial"


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of time in which one network blocked, within bounds. All times are UTC."""

    onset_earliest: datetime | None
    """Last moment known to be open before it; None: blocked from first sight."""
    onset_latest: datetime
    """First moment known to be blocked."""
    end_earliest: datetime | None = None
    """Last moment known to be blocked; None while it lasts."""
    end_latest: datetime | None = None
    """First moment known to be open again; None while it lasts, and when nobody saw it end."""


class NetworkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What one network showed, over the event so far."""

    asn: int
    network: str
    affected: bool
    """Ever blocked during the event."""
    blocked_now: bool
    methods: tuple[str, ...] = ()
    """`method.sub_method` in the order first seen."""
    recovering: bool = False
    """Seen open again, not yet often enough to be sure."""
    unobserved: bool = False
    """Was blocked when last seen, which is too long ago to say what it is now."""
    episodes: tuple[Episode, ...] = ()
    """When it blocked, oldest first; of a very long list the first and the newest."""
    pattern: str = ""
    """The hours it keeps, in a few words, where there are any (`Mon-Fri 04-08, 10-14 UTC`)."""

    @property
    def key(self) -> tuple[int, str]:
        """What tells networks apart."""
        return network_key(self.asn, self.network)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One detected event; most are blocks of one platform in one country."""

    id: str
    """Hash of kind, country, platform and first measurement: recomputing gives the same."""
    kind: EventKind = EventKind.BLOCK
    country: str = ""
    """Empty for what has no country."""
    platform: str = ""
    """Empty for what has no platform."""
    vantage: str = ""
    """The one vantage it is about; empty for all else."""
    state: EventState
    scope: Scope = Scope.FULL
    roles: tuple[str, ...] = ()
    """Roles blocked at any time during the event, sorted."""
    methods: tuple[str, ...] = ()
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
    """First moment known to be open again on every network, once ended; None when nobody saw."""
    updated_at: datetime
    reopened: int = 0
    """How often it began again after it had ended."""
    pattern: str = ""
    """The hours it keeps, where every affected network keeps the same ones."""
    share_affected: float | None = None
    """Part (0–1) of the users of networks of known size whose networks block now; None when the
    sizes of networks are not configured."""
    first_measurement: str = ""
    evidence: str
    """Best evidence grade seen."""
    rules_version: str = ""

    @property
    def active(self) -> bool:
        """True until the event ended or was dismissed."""
        return self.state in ACTIVE_STATES

    @property
    def networks_affected(self) -> tuple[int, ...]:
        """AS numbers of the networks that blocked, sorted."""
        return tuple(network.asn for network in self.networks if network.affected)

    def same_as(self, other: "Event") -> bool:
        """Whether both are equal but for the time of their last update."""
        return msgspec.structs.replace(other, updated_at=self.updated_at) == self


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one thing seen did to an event. Without a name it is worth storing, not logging."""

    name: str
    """As in `EventLogEntry.change`; empty for none."""
    detail: str = ""
    event: Event
    """The whole event after the change."""


def event_id(*parts: str) -> str:
    """The id of an event: a hash of what it is about and how it began."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def network_key(asn: int, network: str) -> tuple[int, str]:
    """What tells networks apart: the AS number, or the name without one."""
    return asn, "" if asn else network


def confirmed(event: Event, now: datetime, detail: str) -> Change:
    """A suspected event is certain."""
    event = msgspec.structs.replace(
        event, state=EventState.CONFIRMED, confirmed_at=now, updated_at=now
    )
    return Change(name="confirmed", detail=detail, event=event)


def closed(
    event: Event, earliest: datetime | None, latest: datetime | None, now: datetime
) -> Change:
    """An event is over, within these bounds; dismissed when it was never confirmed."""
    sure = event.confirmed_at is not None
    event = msgspec.structs.replace(
        event,
        state=EventState.ENDED if sure else EventState.DISMISSED,
        end_earliest=earliest,
        end_latest=latest,
        updated_at=now,
    )
    return Change(name="ended" if sure else "dismissed", event=event)


class EventLogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One append-only line of an event's history: what was known when."""

    event: str
    sequence: int
    """1 for the first entry of an event."""
    at: datetime
    """UTC, of the judgement that caused it."""
    change: str
    """opened, confirmed, network_affected, network_recovering, network_recovered,
    network_unobserved, method_added, scope_widened, pattern_found, recovering, reblocked,
    unobserved, ended, reopened, dismissed, revised, withdrawn."""
    detail: str = ""
    snapshot: Event
    """The whole event after the change."""
