"""Which of the notices that wait for one target still have something to tell.

A target hears each thing once, whatever late data did to the log meanwhile; nothing of what was
over before it could be told, but for its end; and every retraction of what it was, or may have
been, told.
"""

from collections.abc import Collection, Iterable

import msgspec

from monitor.analysis.events.continuation import continued_by
from monitor.analysis.events.platform_in_country import label_of
from monitor.notify.changes import CLOSING, OPENING, TAKES_BACK, Occasion
from monitor.notify.related_events import RelatedEvents
from storage.values.outbox import Notice, NoticeState

Key = tuple[str, str, int, str, str]
"""Of a notice."""
TOLD_ALREADY = "told already"
OVERTAKEN = "told with what came after it"
NEVER_TOLD = "what it is about was never told here"
TAKEN_BACK = "taken back before it was told"
GOES_ON = "it goes on as another event, which is told of instead"


class PendingNotices(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with the notices that wait for one target."""

    send: tuple[Notice, ...]
    """By event, and in the order in which things happened."""
    drop: tuple[tuple[Notice, str], ...]
    """And why."""


def plan(
    waiting: Iterable[Notice],
    settled: Iterable[Notice],
    wanted: Collection[Key],
    families: RelatedEvents | None = None,
) -> PendingNotices:
    """Both are notices for one target: those to be sent or dropped, and all others of their
    events. `wanted` are keys of those that the route asks for by itself, whoever was told what.
    `families` say which events go on as others: what was told of one was told of the other.
    """
    known = families or RelatedEvents()
    events: dict[str, list[Notice]] = {}
    for notice in sorted(waiting, key=lambda one: (one.created_at, one.event, one.sequence)):
        events.setdefault(known.name(notice.event), []).append(notice)
    before: dict[str, list[Notice]] = {}
    for notice in settled:
        before.setdefault(known.name(notice.event), []).append(notice)
    plans = [
        _Story(before.get(name, ()), wanted, known).plan(rows) for name, rows in events.items()
    ]
    return PendingNotices(
        send=tuple(notice for one in plans for notice in one.send),
        drop=tuple(pair for one in plans for pair in one.drop),
    )


class _Story:
    """One event, with those that go on as it, as one target has heard of it."""

    def __init__(
        self, settled: Iterable[Notice], wanted: Collection[Key], families: RelatedEvents
    ) -> None:
        self._settled = tuple(settled)
        self._wanted = wanted
        self._families = families
        self._heard: Occasion | None = None
        """The last that was told, or may have been."""
        self._heard_of = ""
        """The event that was told of."""
        self._said: Occasion | None = None
        """The last, with what is about to be told."""
        self._named: dict[str, set[str]] = {}
        """Event → networks that it was told, or may have been, that it affects."""
        self._last = 0
        self._place: dict[Key, int] = {}
        """Of a notice in the order in which things happened."""
        self._kept: list[Notice] = []
        self._drop: list[tuple[Notice, str]] = []

    def plan(self, waiting: Iterable[Notice]) -> PendingNotices:
        waits = {notice.key: notice for notice in waiting}
        ordered = self._families.in_order((*self._settled, *waits.values()))
        self._place = {notice.key: place for place, notice in enumerate(ordered)}
        for notice in ordered:
            told = notice.attempts and notice.state is not NoticeState.DROPPED
            if told and notice.key not in waits:
                self._hear(notice)
        before = self._said
        for notice in ordered:
            if notice.key not in waits:
                continue
            occasion = Occasion(notice.occasion)
            if occasion in OPENING:
                self._opening(notice, occasion)
            elif self._goes_on(notice, occasion):
                self._give_up(GOES_ON, event=notice.event)
                self._said = before
                self._drop.append((notice, GOES_ON))
            elif occasion in CLOSING:
                self._closing(notice, occasion)
            else:
                self._spread(notice)
        return PendingNotices(send=tuple(self._kept), drop=tuple(self._drop))

    def _opening(self, notice: Notice, occasion: Occasion) -> None:
        weaker = occasion is Occasion.SUSPECTED and self._said is Occasion.CONFIRMED
        if self._said is occasion or weaker or self._over_already(notice):
            self._drop.append((notice, TOLD_ALREADY))
        else:
            self._give_up(OVERTAKEN, {*OPENING, Occasion.SPREAD})
            self._keep(notice)

    def _over_already(self, notice: Notice) -> bool:
        """Whether it is over, and was told so of the event that goes on as this one."""
        now = self._families.latest(notice.event)
        return (
            now is not None
            and self._heard_of != notice.event
            and self._said is self._heard
            and self._heard == now.state.value
            and not now.active
        )

    def _goes_on(self, notice: Notice, occasion: Occasion) -> bool:
        """Whether an event that is gone goes on as one that is no less sure than what was told of
        it; less is to be taken back."""
        line = self._families.line(notice)
        other = None if line is None else self._families.latest(continued_by(line))
        if occasion is not Occasion.WITHDRAWN or other is None:
            return False
        sure = other.confirmed_at is not None or not other.active  # Else its own end is told.
        return sure or self._heard not in (Occasion.CONFIRMED, Occasion.ENDED)

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
        elif self._place[notice.key] < self._last:
            self._drop.append((notice, OVERTAKEN))
        elif self._named_before(notice):
            self._drop.append((notice, TOLD_ALREADY))
        else:
            self._keep(notice)

    def _named_before(self, notice: Notice) -> bool:
        """Whether the network was told of with the event that goes on as this one."""
        line = self._families.line(notice)
        return line is not None and any(
            line.detail in networks
            for event, networks in self._named.items()
            if event != notice.event
        )

    def _keep(self, notice: Notice) -> None:
        self._kept.append(notice)
        occasion = Occasion(notice.occasion)
        if notice.attempts:
            self._hear(notice)
        elif occasion is not Occasion.SPREAD:
            self._said = occasion
        self._last = max(self._last, self._place[notice.key])

    def _hear(self, notice: Notice) -> None:
        occasion = Occasion(notice.occasion)
        self._last = max(self._last, self._place[notice.key])
        if occasion is not Occasion.SPREAD:
            self._heard = self._said = occasion
            self._heard_of = notice.event
        line = self._families.line(notice)
        if line is not None:
            labels = {label_of(one) for one in line.snapshot.networks if one.affected}
            self._named.setdefault(notice.event, set()).update(labels)

    def _give_up(
        self,
        reason: str,
        occasions: Collection[Occasion] = frozenset(Occasion),
        event: str = "",
    ) -> None:
        for notice in [
            kept for kept in self._kept if kept.occasion in occasions and event in ("", kept.event)
        ]:
            self._kept.remove(notice)
            self._drop.append((notice, reason))
