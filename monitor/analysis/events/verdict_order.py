"""Folds items in the order they were judged, whatever order they arrive in.

Results come late: two vantages finish in the same second, an agent sends in the evening what it
measured in the morning. Conclusions must not depend on that. So an order keeps the items of the
last hour in *spans*, with the state before each. A late item is put in its place, and only what
follows the state before its span is folded again. An item from before the hour cannot be used from
here: the whole history must be folded anew.

Spans are short where late items are likely and long where they are not: the older a span, the
longer it may be. So a few seconds of lateness cost a few steps, and few states are kept.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

S = TypeVar("S")
T = TypeVar("T")

Key = tuple[datetime, str]
"""When it was judged (UTC), and what tells it from others of the same moment."""
Take = Callable[[S, T], tuple[S, tuple[Any, ...]]]
"""One step, which must be pure: state and item → state and changes to events."""

LATENESS = timedelta(hours=1)
"""How late an item may be and still be put in its place without the whole history."""
LONGEST = 4
"""Part of the lateness allowed that a span lasts at most; nor longer than the time since it ended.
"""
NEWEST = 8
"""Most items of a span that was never made one with its neighbour."""


class Arrival(Enum):
    NEXT = "next"
    """It is the newest: one step was taken."""
    BETWEEN = "between"
    """It belongs between others: they were folded again."""
    KNOWN = "known"
    """It is there already; nothing changed."""
    TOO_LATE = "too_late"
    """It belongs before the oldest remembered item; nothing changed."""


class Placed(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """An item in its place, and the changes it made there.

    There is one for every verdict of an hour. It cannot be part of a circle of references, so the
    garbage collector need not search it (`gc=False`).
    """

    key: Key
    item: T
    changes: tuple[Any, ...]


class Span(msgspec.Struct, Generic[S, T], frozen=True, gc=False):
    """Items in a row, one at least, and the state before them."""

    before: S
    items: tuple[Placed[T], ...]


class VerdictOrder(msgspec.Struct, Generic[S, T], frozen=True, kw_only=True):
    """A state, and the recent items that led to it."""

    until: Key | None = None
    """Key of the last item folded into `settled`."""
    held: int = 0
    """How many items there are in `spans`."""
    spans: tuple[Span[S, T], ...] = ()
    current: S

    @property
    def settled(self) -> S:
        """The state before every recent item."""
        return self.spans[0].before if self.spans else self.current

    @property
    def recent(self) -> Iterator[Placed[T]]:
        """The items that are remembered, oldest first."""
        return (placed for span in self.spans for placed in span.items)

    @property
    def last(self) -> Key | None:
        """Key of the newest item; None before the first."""
        return self.spans[-1].items[-1].key if self.spans else self.until


class Inserted(NamedTuple, Generic[S, T]):
    """What came of one more item."""

    order: VerdictOrder[S, T]
    arrival: Arrival
    base: S
    """The state from which items were folded."""
    changes: Sequence[Any] = ()
    """All changes since `base`, in order."""
    replaced: Sequence[Any] = ()
    """Those that were known, of items folded again."""


def begin(state: S) -> VerdictOrder[S, Any]:
    return VerdictOrder(current=state)


def insert(
    order: VerdictOrder[S, T],
    key: Key,
    item: T,
    take: Take[S, T],
    lateness: timedelta = LATENESS,
    most: int | None = None,
) -> Inserted[S, T]:
    """The order with one more item in its place, and how it fitted in. `take` may be called again
    for items that are known. Of more than `most` items the oldest are settled before their time.
    """
    last = order.last
    if last is None or key > last:
        after, changes = _appended(order, key, item, take, lateness)
        return Inserted(_settle(after, lateness, most), Arrival.NEXT, order.current, changes)
    if order.until is not None and key <= order.until:
        arrival = Arrival.KNOWN if key == order.until else Arrival.TOO_LATE
        return Inserted(order, arrival, order.current)
    number = max(0, bisect_right(order.spans, key, key=lambda span: span.items[0].key) - 1)
    base = order.spans[number].before
    again = [placed for span in order.spans[number:] for placed in span.items]
    place = bisect_left(again, key, key=lambda placed: placed.key)
    if again[place].key == key:
        return Inserted(order, Arrival.KNOWN, order.current)
    replaced = [change for placed in again for change in placed.changes]
    again.insert(place, Placed(key, item, ()))
    after = VerdictOrder(
        until=order.until,
        held=order.held + 1 - len(again),
        spans=order.spans[:number],
        current=base,
    )
    made: list[Any] = []
    for placed in again:
        after, changes = _appended(after, placed.key, placed.item, take, lateness)
        made += changes
    return Inserted(_settle(after, lateness, most), Arrival.BETWEEN, base, made, replaced)


def _appended(
    order: VerdictOrder[S, T], key: Key, item: T, take: Take[S, T], lateness: timedelta
) -> tuple[VerdictOrder[S, T], tuple[Any, ...]]:
    """The order with an item that is newer than all others."""
    state, changes = take(order.current, item)
    placed, spans = Placed(key, item, changes), order.spans
    if spans and len(spans[-1].items) < NEWEST and _fits(spans[-1], key, lateness):
        spans = (*spans[:-1], Span(spans[-1].before, (*spans[-1].items, placed)))
    else:
        spans = (*_joined(spans, key[0], lateness), Span(order.current, (placed,)))
    after = VerdictOrder(until=order.until, held=order.held + 1, spans=spans, current=state)
    return after, changes


def _fits(span: Span[S, T], key: Key, lateness: timedelta) -> bool:
    return key[0] - span.items[0].key[0] <= lateness / LONGEST


def _joined(spans: Sequence[Span[S, T]], now: datetime, lateness: timedelta) -> list[Span[S, T]]:
    """The spans, neighbours made one where they are old enough to be that long together."""
    found: list[Span[S, T]] = []
    for span in spans:
        ended = span.items[-1].key[0]
        longest = min(now - ended, lateness / LONGEST)
        if found and ended - found[-1].items[0].key[0] <= longest:
            found[-1] = Span(found[-1].before, found[-1].items + span.items)
        else:
            found.append(span)
    return found


def _settle(order: VerdictOrder[S, T], lateness: timedelta, most: int | None) -> VerdictOrder[S, T]:
    """Forget the items of spans that ended before a late one may be, and of too many."""
    horizon = order.spans[-1].items[-1].key[0] - lateness
    held, until = order.held, order.until
    gone = 0
    for span in order.spans:
        last = span.items[-1].key
        if last[0] > horizon and (most is None or held <= most):
            break
        gone, held, until = gone + 1, held - len(span.items), last
    if not gone:
        return order
    return VerdictOrder(until=until, held=held, spans=order.spans[gone:], current=order.current)
