"""Events: what people are notified of, each from its first onset to its final end.

A block of a platform in a country is one event, whatever the method, the network or the hours.
Shutdowns, cut international lines, platforms that are down everywhere and signs of a faulty
instrument are events of their own kinds.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from monitor.analysis.trust import network_key


class EventKind(StrEnum):
    BLOCK = "block"
    """One platform in one country."""
    SHUTDOWN = "shutdown"
    """All measured networks of a country are offline together; no platform."""
    INTERNATIONAL_CUT = "international_cut"
    """A country's networks reach nothing abroad; no platform."""
    ALLOWLIST = "allowlist"
    """On networks of a country most of what is abroad fails and a list of sites passes; no
    platform."""
    VANTAGE_SILENT = "vantage_silent"
    """One vantage is offline or no longer reports; it accuses nobody; no platform."""
    OUTAGE = "outage"
    """A platform fails from every vantage, controls included; no country."""
    CONTROL_DIFFERS = "control_differs"
    """A control says the opposite of the others; no platform."""
    INSTRUMENT = "instrument"
    """All vantages changed together: more likely a fault of this monitor; no country."""
    SEEN_BY_VOLUNTEERS = "seen_by_volunteers"
    """One platform in one country, as measurements of others show it; never among our own."""


class EventState(StrEnum):
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    RECOVERING = "recovering"
    """It works again on every affected network, but not long enough to be over."""
    UNOBSERVED = "unobserved"
    """The affected networks are no longer observed."""
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


class Scope(StrEnum):
    """How much of the platform people lose."""

    FULL = "full"
    """Core functions."""
    SOME = "some"
    """Core functions, but only over one address family, at a share of their addresses, or for a
    share of the connections."""
    PARTIAL = "partial"
    """Only functions that are not core."""


def widest(scopes: Iterable[Scope]) -> Scope:
    """The scope in which people lose most; partial without any."""
    return min(scopes, key=list(Scope).index, default=Scope.PARTIAL)


def greatest(*numbers: float | None) -> float | None:
    """The greatest of those that are known."""
    return max((one for one in numbers if one is not None), default=None)


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """One continuous blocked span, within bounds: of one network, or of a country. All times are
    UTC."""

    onset_earliest: datetime | None
    """Last moment known to be open before it; None: blocked from the first measurement."""
    onset_latest: datetime
    """First moment known to be blocked."""
    end_earliest: datetime | None = None
    """Last moment known to be blocked; None while it lasts."""
    end_latest: datetime | None = None
    """First moment known to be open again; None while it lasts, and when no vantage observed the
    end."""
    opened: datetime | None = None
    """While its end is not sure, the first moment at which it was found open since `end_earliest`.
    """
    last_blocked: datetime | None = None
    """While it lasts, the last measurement noted here that found it blocked: newer ones are noted
    once it is `progress` longer."""
    unsure: float = 0.0
    """Seconds within it that were not certainly blocked: it was found open for a moment, or nobody
    measured."""


class NetworkStatus(msgspec.Struct, frozen=True, kw_only=True, rename={"stretches": "episodes"}):
    """One network of a country during an event. Stored events keep the name that stretches had."""

    asn: int
    network: str
    affected: bool
    """Blocked at any time during the event."""
    blocked_now: bool
    methods: tuple[str, ...] = ()
    """`method.sub_method` in the order first seen."""
    recovering: bool = False
    """Open again, not yet often enough to be sure."""
    unobserved: bool = False
    """Blocked at the last observation, which is too old to count, or after which tests say
    nothing."""
    stretches: tuple[Stretch, ...] = ()
    """When it blocked, oldest first; of a very long list the first and the newest."""
    pattern: str = ""
    """Recurring hours in a few words, if any (`Mon-Fri 04-08, 10-14 UTC`)."""
    weight: float | None = None
    """The most that its vantages which find it blocked have weighed; None where no agents are."""
    found_open: bool = False
    """Not affected, and open by a test that began when all others that are blocked already were; it
    is its last one. Else nothing is known of it, though it was tested."""
    share: float | None = None
    """The greatest share (0–1) of connections, or of addresses, that failed; None where it was
    never counted."""
    confirmed: bool = False
    """The event was confirmed by what its vantages found, alone or together with other networks."""
    vantage: str = ""
    """Of one without number and name: the id of its only vantage, which tells it from others like
    it, and is for no reader."""

    @property
    def key(self) -> tuple[int, str]:
        return network_key(self.asn, self.network or self.vantage)


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
    """The vantage it is about; empty for all other kinds."""
    state: EventState
    scope: Scope = Scope.FULL
    functions: tuple[str, ...] = ()
    """Functions blocked at any time during the event, sorted."""
    methods: tuple[str, ...] = ()
    """`method.sub_method` over the event, in the order first seen."""
    networks: tuple[NetworkStatus, ...]
    """Every network of the country seen during the event, sorted by AS number."""
    family: str = ""
    """`ipv4` or `ipv6` where, in scope `some`, only that family was affected."""
    share: float | None = None
    """In scope `some` the greatest share (0–1) of connections, or of addresses, that failed; None
    else, and where it was not counted on every network affected."""
    onset_earliest: datetime | None
    """Last moment known to be not blocked; None: a network that blocked was never found open."""
    onset_latest: datetime
    """First moment known to be blocked."""
    detected_at: datetime
    confirmed_at: datetime | None = None
    end_earliest: datetime | None = None
    """Last moment known to be blocked, once ended."""
    end_latest: datetime | None = None
    """First moment known to be open on every network, once ended; None when no vantage observed it.
    """
    updated_at: datetime
    reopened: int = 0
    """How often it began again after its end."""
    pattern: str = ""
    """Recurring hours, where every affected network has the same ones."""
    share_affected: float | None = None
    """Share (0–1) of the users of networks of known size whose networks block now; None when no
    sizes are configured."""
    weight: float | None = None
    """The most that unrelated vantages which find it blocked have weighed together; None where no
    agents are judged (`monitor.analysis.trust`)."""
    weight_needed: int = 0
    """What it must be before the event is confirmed; 0 where no agents are judged."""
    doubts: tuple[str, ...] = ()
    """Why it did not weigh more then: `one_source`, `new_keys`, `controls_unsettled`."""
    passing: tuple[str, ...] = ()
    """Hosts that answered at any time on a network where only a list of sites passes; of many only
    the first."""
    first_measurement: str = ""
    evidence: str
    """Best evidence grade seen."""
    rules_version: str = ""

    @property
    def active(self) -> bool:
        """True until the event ended or was dismissed."""
        return self.state in ACTIVE_STATES

    @property
    def sure(self) -> bool:
        """Whether it was confirmed, and is not, or was not, merely suspected to have come back."""
        suspected = self.state is EventState.SUSPECTED or self._was_suspected_after_its_end
        return self.confirmed_at is not None and not suspected

    @property
    def _was_suspected_after_its_end(self) -> bool:
        """Whether it seems over, or is unobserved, where signs that confirmed nothing had shown
        after each network that confirmed it was open again."""
        if self.state not in (EventState.RECOVERING, EventState.UNOBSERVED):
            return False
        last = [(one.confirmed, one.stretches[-1]) for one in self.networks if one.stretches]
        ends = [one.end_latest for confirmed, one in last if confirmed]
        known = [end for end in ends if end is not None]
        if not known or len(known) < len(ends):
            return False
        over = max(known)
        return any(one.onset_latest > over for confirmed, one in last if not confirmed)

    @property
    def wholly_unobserved(self) -> bool:
        """Whether it goes on though none of its networks is known to be affected now: tests at one
        at least say nothing."""
        seen = any(network.blocked_now for network in self.networks)
        return self.active and not seen and any(one.unobserved for one in self.networks)

    @property
    def networks_affected(self) -> tuple[int, ...]:
        """AS numbers of the networks that blocked, sorted."""
        return tuple(network.asn for network in self.networks if network.affected)

    def same_as(self, other: "Event") -> bool:
        """Whether both are equal but for the time of their last update."""
        return msgspec.structs.replace(other, updated_at=self.updated_at) == self

    def longer_only(self, other: "Event") -> bool:
        """Whether they differ at most in how long they certainly lasted, and in which networks are
        spared or confirm it."""
        return _whatever_its_length(self).same_as(_whatever_its_length(other))


class CoarseEvent(Event, frozen=True, kw_only=True):
    """An event whose bounds were moved outwards. They no longer show which network was blocked
    first, nor that one opened before another was blocked, so what follows of that is kept."""

    country_stretches: tuple[Stretch, ...]
    """The stretches of the country, their bounds moved outwards too."""
    certain_count: int
    """How many of them there were at least."""


def _whatever_its_length(event: Event) -> Event:
    networks = tuple(
        msgspec.structs.replace(
            network,
            found_open=False,
            confirmed=False,
            stretches=tuple(
                msgspec.structs.replace(one, last_blocked=None, unsure=0.0)
                for one in network.stretches
            ),
        )
        for network in event.networks
    )
    return msgspec.structs.replace(event, networks=networks)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an event. Without a name it is stored but not logged."""

    name: str
    """As in `EventLogEntry.change`; empty for none."""
    detail: str = ""
    event: Event


def event_id(*parts: str) -> str:
    """The id of an event: a hash of what it is about and how it began."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def label_of(status: NetworkStatus) -> str:
    """A network, as log lines name it. Everybody reads these, so none is named by its vantage."""
    number = f"AS{status.asn}" if status.asn else ""
    return " ".join(filter(None, (number, status.network))) or "unknown network"


def confirmed(event: Event, now: datetime, detail: str) -> Change:
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
    """UTC, of the verdict that caused it."""
    change: str
    """opened, confirmed, network_affected, network_recovering, network_recovered,
    network_unobserved, method_added, scope_widened, pattern_found, recovering, reblocked,
    unobserved, ended, reopened, dismissed, revised, withdrawn."""
    detail: str = ""
    snapshot: Event
