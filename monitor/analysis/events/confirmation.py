"""When and why an event of a block is confirmed, and for how long it stays so.

An event is confirmed where one network is certain by itself, or several are found blocked together,
in a function at least that they have in common.
Networks that join later add to it only once they are certain themselves: else silence on a dead
route, which confirms nothing alone, would keep an event confirmed whose block is over everywhere
else.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.events.agreement import outvoted
from monitor.analysis.events.event import Event, EventState, NetworkStatus
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stream import Stream
from monitor.analysis.events.support import is_settled
from monitor.analysis.trust import Network


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """Why an event is certain at some moment; empty while it is not."""

    reason: str = ""
    networks: frozenset[Network] = frozenset()
    """Those that are found blocked then."""
    certain: frozenset[Network] = frozenset()
    """Those of them that confirm it alone."""


def grounds_of(streams: Sequence[Stream], now: datetime, settings: EventSettings) -> Grounds:
    """Why an event of these vantages is certain at `now` (UTC). Silent ones have no say.

    Vantages support each other where they find the same function blocked. Of different functions
    they may show different faults, each of which may last for weeks.
    """
    accusing = [
        stream
        for stream in streams
        if stream.suspected and stream.observed(now, settings.detector) and is_settled(stream)
    ]
    blocked, certain = set[Network](), set[Network]()
    for together in _by_function(accusing, settings):
        weight = settings.trust.total((stream.voice for stream in together), now)
        if weight < settings.agreement:
            continue
        certain |= {
            stream.key
            for stream in together
            if stream.certain and not outvoted(stream, streams, now, settings)
        }
        if len({stream.known_network for stream in together}) > 1:
            blocked |= {stream.key for stream in together}
    blocked |= certain
    if not blocked:
        return Grounds()
    reason = "repeated measurements on one network"
    if len(blocked) > 1:
        reason = f"{len(blocked)} networks"
    return Grounds(reason=reason, networks=frozenset(blocked), certain=frozenset(certain))


def _by_function(accusing: Sequence[Stream], settings: EventSettings) -> Iterable[Sequence[Stream]]:
    """Those that find a function blocked, for each function. Imported data need not agree in that:
    each test of others is about a few functions alone."""
    if settings.decided:
        return [accusing]
    found: dict[str, list[Stream]] = {}
    for stream in accusing:
        run = stream.run
        names = (run.latest or run.functions) if run is not None else ()
        for name in {one.partition(":")[0] for one in names}:
            found.setdefault(name, []).append(stream)
    return found.values()


def confirmed_by(grounds: Grounds, event: Event, now: datetime) -> Event:
    """The event once it is certain on these grounds at `now` (UTC). One that was confirmed before
    was so from then on."""
    return msgspec.structs.replace(
        event,
        state=EventState.CONFIRMED,
        confirmed_at=event.confirmed_at or now,
        updated_at=max(event.updated_at, now),
        networks=with_confirming(event.networks, grounds.networks),
    )


def with_confirming(
    networks: Iterable[NetworkStatus], which: Collection[Network]
) -> tuple[NetworkStatus, ...]:
    """These networks, of which some are known to confirm the event."""
    return tuple(
        msgspec.structs.replace(one, confirmed=True) if one.key in which else one
        for one in networks
    )


def rests_on_others(event: Event) -> bool:
    """Whether a network blocks, and all that confirmed the event were found open since."""
    ends = [
        one.stretches[-1].end_latest for one in event.networks if one.confirmed and one.stretches
    ]
    blocked = any(one.blocked_now for one in event.networks)
    return blocked and bool(ends) and None not in ends
