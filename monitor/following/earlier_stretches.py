"""What older rows showed of an event's networks, once the window no longer reaches back to them."""

from collections.abc import Iterable

from msgspec.structs import replace

from monitor.analysis.events.event import NetworkStatus, Stretch
from monitor.analysis.events.stretches import went_on


def with_earlier(
    before: Iterable[NetworkStatus], now: Iterable[NetworkStatus]
) -> tuple[NetworkStatus, ...]:
    """The networks of an event as they are found now, with their earlier stretches, and those of
    which no row is left."""
    found = {status.key: status for status in now}
    for status in before:
        if not status.stretches:
            continue
        here = found.get(status.key)
        if here is None:
            silent = status.blocked_now or status.recovering or status.unobserved
            here = replace(status, blocked_now=False, recovering=False, unobserved=silent)
        elif here.stretches:
            here = replace(here, stretches=_joined(status.stretches, here.stretches))
        else:
            here = replace(here, affected=True, stretches=status.stretches, found_open=False)
        found[status.key] = here
    return tuple(sorted(found.values(), key=lambda status: (status.asn, status.network)))


def _joined(before: tuple[Stretch, ...], now: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    """The earlier stretches, then those found now; the first of these may be the rest of one."""
    first, *later = now
    earlier = [one for one in before if one.onset_latest < first.onset_latest]
    if earlier and _goes_on(earlier[-1], first):
        begun = earlier.pop()
        first = replace(
            first,
            onset_earliest=begun.onset_earliest,
            onset_latest=begun.onset_latest,
            unsure=max(begun.unsure, first.unsure),
        )
    joined = tuple(earlier)
    for one in (first, *later):
        joined = went_on(joined, one)
    return joined


def _goes_on(before: Stretch, after: Stretch) -> bool:
    return before.end_latest is None or before.end_latest > after.onset_latest
