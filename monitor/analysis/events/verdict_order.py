"""Folds items in the order they were judged, whatever order they arrive in.

Results come late: two vantages finish in the same second, an agent sends in the evening what it
measured in the morning. Conclusions must not depend on that. So a timeline keeps the items of the
last hour and the state before them. A late item is put in its place and the hour is folded again.
An older one cannot be used from here: the whole history must be folded anew.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Generic, TypeVar

import msgspec

S = TypeVar("S")
T = TypeVar("T")

Key = tuple[datetime, str]
"""When it was judged (UTC), and what tells it from others of the same moment."""

LATENESS = timedelta(hours=1)
"""How late an item may be and still be put in its place without the whole history."""


class Arrival(Enum):
    NEXT = "next"
    """It is the newest: one step was taken."""
    BETWEEN = "between"
    """It belongs between others: they were folded again."""
    KNOWN = "known"
    """It is there already; nothing changed."""
    TOO_LATE = "too_late"
    """It belongs before the oldest remembered item; nothing changed."""


class VerdictOrder(msgspec.Struct, Generic[S, T], frozen=True, kw_only=True):
    """A state, and the recent items that led to it."""

    settled: S
    """The state before everything in `recent`."""
    until: Key | None = None
    """Key of the last item folded into `settled`."""
    recent: tuple[tuple[Key, T], ...] = ()
    current: S


def begin(state: S) -> VerdictOrder[S, T]:
    return VerdictOrder(settled=state, current=state)


def insert(
    timeline: VerdictOrder[S, T],
    key: Key,
    item: T,
    step: Callable[[S, T], S],
    lateness: timedelta = LATENESS,
) -> tuple[VerdictOrder[S, T], Arrival]:
    """The timeline with one more item in its place, and how it fitted in.

    `step` must be pure; it may be called again for the same item.
    """
    recent = timeline.recent
    if timeline.until is not None and key <= timeline.until:
        return timeline, Arrival.KNOWN if key == timeline.until else Arrival.TOO_LATE
    if not recent or key > recent[-1][0]:
        current, arrival = step(timeline.current, item), Arrival.NEXT
        recent = (*recent, (key, item))
    else:
        place = bisect_left(recent, key, key=lambda pair: pair[0])
        if recent[place][0] == key:
            return timeline, Arrival.KNOWN
        recent = (*recent[:place], (key, item), *recent[place:])
        current, arrival = _fold(timeline.settled, recent, step), Arrival.BETWEEN
    after = VerdictOrder(
        settled=timeline.settled, until=timeline.until, recent=recent, current=current
    )
    return _settle(after, step, lateness), arrival


def _settle(
    timeline: VerdictOrder[S, T], step: Callable[[S, T], S], lateness: timedelta
) -> VerdictOrder[S, T]:
    """Fold items into `settled` that are older than a late one may be."""
    horizon = timeline.recent[-1][0][0] - lateness
    gone = next(
        (n for n, (key, _) in enumerate(timeline.recent) if key[0] > horizon), len(timeline.recent)
    )
    if not gone:
        return timeline
    old, kept = timeline.recent[:gone], timeline.recent[gone:]
    # With nothing kept, the present state is the settled one.
    settled = _fold(timeline.settled, old, step) if kept else timeline.current
    return VerdictOrder(settled=settled, until=old[-1][0], recent=kept, current=timeline.current)


def _fold(state: S, items: Iterable[tuple[Key, T]], step: Callable[[S, T], S]) -> S:
    for _, item in items:
        state = step(state, item)
    return state
