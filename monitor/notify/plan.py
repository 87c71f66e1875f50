"""Which of the notices that wait for one target still have something to tell.

A target hears each thing once, whatever late data did to the log meanwhile; nothing of what was
over before it could be told, but for its end; and every retraction of what it was, or may have
been, told.
"""

from collections.abc import Collection, Iterable

import msgspec

from monitor.notify.occasion import CLOSING, OPENING, TAKES_BACK, Occasion
from storage.outbox import Notice, NoticeState

Key = tuple[str, str, int, str, str]
"""Of a notice."""
TOLD_ALREADY = "told already"
OVERTAKEN = "told with what came after it"
NEVER_TOLD = "what it is about was never told here"
TAKEN_BACK = "taken back before it was told"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with the notices that wait for one target."""

    send: tuple[Notice, ...]
    """By event, and in the order in which things happened."""
    drop: tuple[tuple[Notice, str], ...]
    """And why."""


def plan(
    waiting: Iterable[Notice],
    settled: Iterable[Notice],
    wanted: Collection[Key],
) -> Plan:
    """Both are notices for one target: those to be sent or dropped, and all others of their
    events. `wanted` are keys of those that the route asks for by itself, whoever was told what.
    """
    events: dict[str, list[Notice]] = {}
    for notice in sorted(waiting, key=lambda one: (one.created_at, one.event, one.sequence)):
        events.setdefault(notice.event, []).append(notice)
    before: dict[str, list[Notice]] = {}
    for notice in sorted(settled, key=lambda one: one.sequence):
        before.setdefault(notice.event, []).append(notice)
    plans = [_Event(before.get(event, ()), wanted).plan(rows) for event, rows in events.items()]
    return Plan(
        send=tuple(notice for one in plans for notice in one.send),
        drop=tuple(pair for one in plans for pair in one.drop),
    )


class _Event:
    """One event, as one target has heard of it."""

    def __init__(self, settled: Iterable[Notice], wanted: Collection[Key]) -> None:
        self._wanted = wanted
        self._heard: Occasion | None = None
        """The last that was told, or may have been."""
        self._said: Occasion | None = None
        """The last, with what is about to be told."""
        self._sequence = 0
        self._kept: list[Notice] = []
        self._drop: list[tuple[Notice, str]] = []
        for notice in settled:
            if notice.attempts and notice.state is not NoticeState.DROPPED:
                self._hear(notice)

    def plan(self, waiting: Iterable[Notice]) -> Plan:
        for notice in sorted(waiting, key=lambda one: one.sequence):
            occasion = Occasion(notice.occasion)
            if occasion in OPENING:
                self._opening(notice, occasion)
            elif occasion in CLOSING:
                self._closing(notice, occasion)
            else:
                self._spread(notice)
        return Plan(send=tuple(self._kept), drop=tuple(self._drop))

    def _opening(self, notice: Notice, occasion: Occasion) -> None:
        weaker = occasion is Occasion.SUSPECTED and self._said is Occasion.CONFIRMED
        if self._said is occasion or weaker:
            self._drop.append((notice, TOLD_ALREADY))
        else:
            self._give_up(OVERTAKEN, {*OPENING, Occasion.SPREAD})
            self._keep(notice)

    def _closing(self, notice: Notice, occasion: Occasion) -> None:
        unsaid = occasion is Occasion.DOUBTED and self._heard is not Occasion.CONFIRMED
        unasked = occasion in TAKES_BACK or notice.key not in self._wanted
        if self._said is occasion:
            self._drop.append((notice, TOLD_ALREADY))
        elif unsaid or (self._heard is None and unasked):
            self._give_up(TAKEN_BACK)
            self._said = self._heard
            self._drop.append((notice, NEVER_TOLD))
        else:
            self._give_up(OVERTAKEN)
            self._keep(notice)

    def _spread(self, notice: Notice) -> None:
        if self._said not in OPENING:
            self._drop.append((notice, NEVER_TOLD))
        elif notice.sequence < self._sequence:
            self._drop.append((notice, OVERTAKEN))
        else:
            self._keep(notice)

    def _keep(self, notice: Notice) -> None:
        self._kept.append(notice)
        occasion = Occasion(notice.occasion)
        if notice.attempts:
            self._hear(notice)
        elif occasion is not Occasion.SPREAD:
            self._said = occasion
        self._sequence = max(self._sequence, notice.sequence)

    def _hear(self, notice: Notice) -> None:
        occasion = Occasion(notice.occasion)
        self._sequence = max(self._sequence, notice.sequence)
        if occasion is not Occasion.SPREAD:
            self._heard = self._said = occasion

    def _give_up(self, reason: str, occasions: Collection[Occasion] = frozenset(Occasion)) -> None:
        for notice in [kept for kept in self._kept if kept.occasion in occasions]:
            self._kept.remove(notice)
            self._drop.append((notice, reason))
