"""Folding what was seen in the order it was judged in, whatever order it arrives in.

Reports come late: two vantages finish in the same second, an agent sends in the evening what it saw
in the morning. What is concluded must not depend on that. So a timeline keeps what the last hour
brought beside the state before it; a report that belongs between earlier ones is put there, and the
hour is gone through again. One that is older than that cannot be taken in from here: whoever holds
the whole history must fold it anew.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import Enum
from typing import Generic, TypeVar

import msgspec

S = TypeVar("S")
"""What has been concluded."""
T = TypeVar("T")
"""One thing seen."""

Key = tuple[datetime, str]
"""When it was judged (UTC), and what tells it from others of the same moment."""

LATENESS = timedelta(hours=1)
"""How late a report may be and still be put in its place without the whole history."""


class Arrival(Enum):
    """How something fits into a timeline."""

    NEXT = "next"
    """It is the newest: only one step is taken."""
    BETWEEN = "between"
    """It belongs between others: they were gone through again."""
    KNOWN = "known"
    """It is there already; nothing changed."""
    TOO_LATE = "too_late"
    """It belongs before what the timeline remembers; nothing changed."""


class VerdictOrder(msgspec.Struct, Generic[S, T], frozen=True, kw_only=True):
    """A state, and how it came about lately."""

    settled: S
    """The state before everything in `recent`."""
    until: Key | None = None
    """Of the last thing that went into `settled`."""
    recent: tuple[tuple[Key, T], ...] = ()
    """In order."""
    current: S
    """The state after all of it."""


def begin(state: S) -> VerdictOrder[S, T]:
    """A timeline on which nothing has happened."""
    return VerdictOrder(settled=state, current=state)


def insert(
    timeline: VerdictOrder[S, T],
    key: Key,
    item: T,
    step: Callable[[S, T], S],
    lateness: timedelta = LATENESS,
) -> tuple[VerdictOrder[S, T], Arrival]:
    """The timeline with one more thing in its place, and how it fitted in.

    `step` must be pure; it may be called again for things it was called for before.
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
    """Let go of what is older than a late report may be."""
    horizon = timeline.recent[-1][0][0] - lateness
    gone = next(
        (n for n, (key, _) in enumerate(timeline.recent) if key[0] > horizon),
        len(timeline.recent),
    )
    if not gone:
        return timeline
    old, kept = timeline.recent[:gone], timeline.recent[gone:]
    # With nothing kept the present state is the settled one, and need not be found again.
    settled = _fold(timeline.settled, old, step) if kept else timeline.current
    return VerdictOrder(settled=settled, until=old[-1][0], recent=kept, current=timeline.current)


def _fold(state: S, items: Iterable[tuple[Key, T]], step: Callable[[S, T], S]) -> S:
    for _, item in items:
        state = step(state, item)
    return state
