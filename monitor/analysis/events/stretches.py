"""The blocked stretches of an event in its country: what every surface says about *since*, *until*
and *how long*.

A country's stretches are the union of those of its networks. Two that follow each other are one
unless the country was certainly open in between: every network that had blocked was found open
again before any that blocks next was last found open, or it is the one that blocks next. Where a
network joins that was never found open, the next stretch begins at an unknown time before its first
test, and not with the stretch before, which measurements had found over. That network may have been
blocked all the time: then no stretch up to that one has an earliest onset, none before it a latest
end, and they count as one (docs/adr/0052).

Durations are sums of stretches. They never contain time in which the platform was found open.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

import msgspec

from monitor.analysis.events.event import CoarseEvent, Event, NetworkStatus, Stretch

MOST_KEPT = 200
"""Stretches kept of each network: the first and the newest."""

_Own = tuple[NetworkStatus, Stretch]
"""A stretch and its network."""


def stretches(event: Event) -> tuple[Stretch, ...]:
    """The stretches of the country, oldest first; at least one.

    An event whose networks have none (a shutdown, an outage) is one stretch with its bounds.
    """
    if isinstance(event, CoarseEvent):
        return event.country_stretches
    groups = _groups(event)
    found = [_union([one for _, one in group]) for group in groups] or [_bounds(event)]
    for number, group in enumerate(groups[:-1]):
        # What blocks next began after all were found open.
        over = max(at for _, one in group if (at := _over(one)) is not None)
        found[number] = msgspec.structs.replace(found[number], end_latest=over)
    doubted = _doubted(event, groups)
    for number in range(doubted + 1):
        end = None if number < doubted else found[number].end_latest
        found[number] = msgspec.structs.replace(found[number], onset_earliest=None, end_latest=end)
    bound, known = event.onset_earliest, found[0].onset_earliest
    if bound is not None and (known is None or known < bound):
        # The event's own bound leaves out networks that say nothing of its onset.
        found[0] = msgspec.structs.replace(found[0], onset_earliest=bound)
    return tuple(found)


def certain_count(event: Event) -> int:
    """How many stretches there were at least: those that may be one count as one."""
    if isinstance(event, CoarseEvent):
        return event.certain_count
    groups = _groups(event)
    return max(1, len(groups) - max(0, _doubted(event, groups)))


def at_first_test(event: Event, stretch: Stretch) -> bool:
    """Whether a stretch of the country without an earliest onset is of the first network that was
    found blocked: that one was never found open. Else one that joined later was not."""
    begun = min(
        (one.stretches[0] for one in event.networks if one.stretches),
        key=lambda one: (one.onset_latest, one.onset_earliest is not None),
        default=stretch,
    )
    return begun.onset_earliest is None and begun.onset_latest == stretch.onset_latest


def first(event: Event) -> Stretch:
    """The stretch with which the event began."""
    return stretches(event)[0]


def newest(event: Event) -> Stretch:
    """The stretch that goes on, or else the last one."""
    return stretches(event)[-1]


def current(event: Event) -> Stretch | None:
    """The stretch that goes on, as far as is known; None when none does."""
    last = newest(event)
    return last if event.active and last.end_latest is None else None


class Begun(Protocol):
    """What has an onset."""

    @property
    def onset_earliest(self) -> datetime | None: ...

    @property
    def onset_latest(self) -> datetime: ...


def onset_of(
    spans: Iterable[Begun], overlap: timedelta | None = None
) -> tuple[datetime | None, datetime]:
    """The bounds of the onset of what began with these together, one at least.

    Whichever came first decides whether there is an earliest bound. The bound is the oldest one,
    because any of them may have come first. One that was never found open and accuses later than
    others moves no bound here; of several networks `stretches` asks about it.

    With `overlap` only bounds count that are so close to the onset, if there are any: where people
    measure when they like, one who did a month ago says nothing of a day.
    """
    listed = list(spans)
    begun = min(listed, key=lambda one: (one.onset_latest, one.onset_earliest is not None))
    if overlap is not None:
        bounds = (one.onset_earliest for one in listed if one.onset_earliest is not None)
        near = [at for at in bounds if timedelta() <= begun.onset_latest - at <= overlap]
        if near:
            return min(near), begun.onset_latest
    if begun.onset_earliest is None:
        return None, begun.onset_latest
    return min(one.onset_earliest for one in listed if one.onset_earliest), begun.onset_latest


def least(event: Event) -> timedelta:
    """How long it was certainly blocked, all stretches together: until the last measurement that
    found it so, if it goes on."""
    return sum((shortest(one) for one in stretches(event)), timedelta())


def most(event: Event) -> timedelta | None:
    """How long it was blocked at most; None while it goes on, and where a bound is unknown."""
    if event.active or any(len(network.stretches) >= MOST_KEPT for network in event.networks):
        return None
    spans = stretches(event)
    begun, over = spans[0].onset_earliest, spans[-1].end_latest
    known = [span for one in spans if (span := longest(one)) is not None]
    if begun is None or over is None or len(known) < len(spans):
        return None
    # The bounds of one may overlap those of the next.
    return min(sum(known, timedelta()), over - begun)


def shortest(stretch: Stretch) -> timedelta:
    """How long one stretch certainly was."""
    unsure = timedelta(seconds=stretch.unsure)
    return max(timedelta(), _until(stretch) - stretch.onset_latest - unsure)


def longest(stretch: Stretch) -> timedelta | None:
    """How long one stretch was at most; None where a bound is unknown, or to come."""
    if stretch.onset_earliest is None or stretch.end_latest is None:
        return None
    return stretch.end_latest - stretch.onset_earliest


def went_on(stretches: tuple[Stretch, ...], now: Stretch) -> tuple[Stretch, ...]:
    """The stretches of one network with a new one."""
    every = (*stretches, now)
    return every if len(every) <= MOST_KEPT else (every[0], *every[1 - MOST_KEPT :])


def meet(some: Iterable[Stretch], others: Sequence[Stretch]) -> bool:
    """Whether one of these was certainly blocked while one of the others was."""
    return any(
        one.onset_latest <= _until(other) and other.onset_latest <= _until(one)
        for one in some
        for other in others
    )


def network_stretches(event: Event) -> Iterable[_Own]:
    """Every stretch of every network, network by network."""
    return ((network, one) for network in event.networks for one in network.stretches)


def _begins(stretch: Stretch) -> datetime:
    return stretch.onset_earliest or stretch.onset_latest


def _until(stretch: Stretch) -> datetime:
    return stretch.end_earliest or stretch.last_blocked or stretch.onset_latest


def _over(stretch: Stretch) -> datetime | None:
    """The first moment at which it was found open after its end, be that sure or not."""
    return stretch.end_latest or stretch.opened


def _groups(event: Event) -> list[list[_Own]]:
    """The stretches of all networks, put together to those of the country, oldest first."""
    spans = sorted(network_stretches(event), key=lambda one: _begins(one[1]))
    groups: list[list[_Own]] = []
    for number, span in enumerate(spans):
        if groups and not _open_between(groups[-1], span, islice(spans, number + 1, None)):
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def _doubted(event: Event, groups: Sequence[Sequence[_Own]]) -> int:
    """The last of these groups with a network that was never found open before: it may have been
    blocked all the time up to then. -1 without any, and where the event has an earliest onset all
    the same: people measured when they liked."""
    if event.onset_earliest is not None:
        return -1
    return max(
        (
            number
            for number, group in enumerate(groups)
            if any(own.stretches[0] is one and one.onset_earliest is None for own, one in group)
        ),
        default=-1,
    )


def _open_between(before: Sequence[_Own], after: _Own, later: Iterable[_Own]) -> bool:
    """Whether every network was open between these and the next. One network's own stretches are
    apart, even where a single measurement ends one and bounds the next: then no other may have
    begun before that measurement ended."""
    network, begun = after[0], _begins(after[1])
    over = begun
    for own, one in before:
        found = _over(one)
        if found is None or (own is not network and found > begun):
            return False
        over = max(over, found)
    return over == begun or all(own is network or _begins(one) >= over for own, one in later)


def _union(spans: Sequence[Stretch]) -> Stretch:
    earliest, latest = onset_of(spans)
    goes_on = any(one.end_earliest is None for one in spans)
    ends = [one.end_latest for one in spans if one.end_latest is not None]
    until = max(map(_until, spans))
    certain = _certain(spans)
    return Stretch(
        onset_earliest=earliest,
        onset_latest=latest,
        end_earliest=None if goes_on else until,
        end_latest=max(ends) if len(ends) == len(spans) else None,
        last_blocked=until if goes_on else None,
        unsure=max(timedelta(), until - latest - certain).total_seconds(),
    )


def _certain(spans: Sequence[Stretch]) -> timedelta:
    """How long at least one of them was certainly blocked."""
    covered = timedelta()
    reached = None
    for since, until in sorted((one.onset_latest, _until(one)) for one in spans):
        begin = since if reached is None else max(since, reached)
        covered += max(timedelta(), until - begin)
        reached = until if reached is None else max(until, reached)
    doubt = timedelta(seconds=sum(one.unsure for one in spans))
    return max(covered - doubt, *map(shortest, spans))


def _bounds(event: Event) -> Stretch:
    goes_on = event.active and event.end_earliest is None
    return Stretch(
        onset_earliest=event.onset_earliest,
        onset_latest=event.onset_latest,
        end_earliest=event.end_earliest,
        end_latest=event.end_latest,
        last_blocked=max(event.updated_at, event.onset_latest) if goes_on else None,
    )
