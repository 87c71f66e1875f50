"""Which of the notices that wait for one target are still worth sending.

A target receives each change once, even if late data changed the log meanwhile. If an event ended
before its notice was sent, the target receives the end only. It receives every correction of what
it received, or may have received.
"""

from collections.abc import Collection, Iterable

import msgspec

from monitor.analysis.events.confirmation import label_of
from monitor.analysis.events.continuation import continued_by
from monitor.notify.notice_kinds import CLOSING, CORRECTIONS, OPENING, NoticeKind
from monitor.notify.related_events import RelatedEvents
from storage.values.outbox import Notice, NoticeState

Key = tuple[str, str, int, str, str]
"""Of a notice."""
ALREADY_SENT = "already sent"
OVERTAKEN = "sent with what came after it"
NEVER_SENT = "what it is about was never sent here"
CORRECTED = "corrected before it was sent"
CONTINUES = "it continues as another event, which is sent instead"


class PendingNotices(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with the notices that wait for one target."""

    send: tuple[Notice, ...]
    """By event, in the order of what happened."""
    drop: tuple[tuple[Notice, str], ...]
    """Each with its reason."""


def plan(
    waiting: Iterable[Notice],
    settled: Iterable[Notice],
    wanted: Collection[Key],
    families: RelatedEvents | None = None,
) -> PendingNotices:
    """What to send and what to drop of `waiting`; `settled` are all other notices for the same
    target about the same events. `wanted` are keys of those that the route asks for, whatever was
    sent before. `families` say which events continue as others: what was sent about one counts for
    the other.
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
    """One event, with those that continue as it, as one target knows it."""

    def __init__(
        self, settled: Iterable[Notice], wanted: Collection[Key], families: RelatedEvents
    ) -> None:
        self._settled = tuple(settled)
        self._wanted = wanted
        self._families = families
        self._sent: NoticeKind | None = None
        """The last kind of notice that was sent, or may have been."""
        self._sent_about = ""
        """The event it was about."""
        self._last_kind: NoticeKind | None = None
        """The last kind, with what is about to be sent."""
        self._named: dict[str, set[str]] = {}
        """Event → affected networks that were sent, or may have been."""
        self._last = 0
        self._place: dict[Key, int] = {}
        """Of a notice, in the order of what happened."""
        self._kept: list[Notice] = []
        self._drop: list[tuple[Notice, str]] = []

    def plan(self, waiting: Iterable[Notice]) -> PendingNotices:
        waits = {notice.key: notice for notice in waiting}
        ordered = self._families.in_order((*self._settled, *waits.values()))
        self._place = {notice.key: place for place, notice in enumerate(ordered)}
        for notice in ordered:
            sent = notice.attempts and notice.state is not NoticeState.DROPPED
            if sent and notice.key not in waits:
                self._note_sent(notice)
        before = self._last_kind
        for notice in ordered:
            if notice.key not in waits:
                continue
            occasion = NoticeKind(notice.occasion)
            if occasion in OPENING:
                self._opening(notice, occasion)
            elif self._goes_on(notice, occasion):
                self._give_up(CONTINUES, event=notice.event)
                self._last_kind = before
                self._drop.append((notice, CONTINUES))
            elif occasion in CLOSING:
                self._closing(notice, occasion)
            else:
                self._spread(notice)
        return PendingNotices(send=tuple(self._kept), drop=tuple(self._drop))

    def _opening(self, notice: Notice, occasion: NoticeKind) -> None:
        weaker = occasion is NoticeKind.SUSPECTED and self._last_kind is NoticeKind.CONFIRMED
        if self._last_kind is occasion or weaker or self._over_already(notice):
            self._drop.append((notice, ALREADY_SENT))
        else:
            self._give_up(OVERTAKEN, {*OPENING, NoticeKind.SPREAD})
            self._keep(notice)

    def _over_already(self, notice: Notice) -> bool:
        """Whether it is over, and that was sent about the event that continues as this one."""
        now = self._families.latest(notice.event)
        return (
            now is not None
            and self._sent_about != notice.event
            and self._last_kind is self._sent
            and self._sent == now.state.value
            and not now.active
        )

    def _goes_on(self, notice: Notice, occasion: NoticeKind) -> bool:
        """Whether a withdrawn event continues as one that is no less certain than what was sent; if
        it is less certain, a correction is due."""
        line = self._families.line(notice)
        other = None if line is None else self._families.latest(continued_by(line))
        if occasion is not NoticeKind.WITHDRAWN or other is None:
            return False
        sure = other.confirmed_at is not None or not other.active  # Else its own end is sent.
        return sure or self._sent not in (NoticeKind.CONFIRMED, NoticeKind.ENDED)

    def _closing(self, notice: Notice, occasion: NoticeKind) -> None:
        not_sent = occasion is NoticeKind.DOUBTED and self._sent is not NoticeKind.CONFIRMED
        not_wanted = occasion in CORRECTIONS or notice.key not in self._wanted
        if self._last_kind is occasion:
            self._drop.append((notice, ALREADY_SENT))
        elif not_sent or (self._sent is None and not_wanted):
            self._give_up(CORRECTED)
            self._last_kind = self._sent
            self._drop.append((notice, NEVER_SENT))
        else:
            self._give_up(OVERTAKEN)
            self._keep(notice)

    def _spread(self, notice: Notice) -> None:
        if self._last_kind not in OPENING:
            self._drop.append((notice, NEVER_SENT))
        elif self._place[notice.key] < self._last:
            self._drop.append((notice, OVERTAKEN))
        elif self._named_before(notice):
            self._drop.append((notice, ALREADY_SENT))
        else:
            self._keep(notice)

    def _named_before(self, notice: Notice) -> bool:
        """Whether the network was sent with the event that continues as this one."""
        line = self._families.line(notice)
        return line is not None and any(
            line.detail in networks
            for event, networks in self._named.items()
            if event != notice.event
        )

    def _keep(self, notice: Notice) -> None:
        self._kept.append(notice)
        occasion = NoticeKind(notice.occasion)
        if notice.attempts:
            self._note_sent(notice)
        elif occasion is not NoticeKind.SPREAD:
            self._last_kind = occasion
        self._last = max(self._last, self._place[notice.key])

    def _note_sent(self, notice: Notice) -> None:
        occasion = NoticeKind(notice.occasion)
        self._last = max(self._last, self._place[notice.key])
        if occasion is not NoticeKind.SPREAD:
            self._sent = self._last_kind = occasion
            self._sent_about = notice.event
        line = self._families.line(notice)
        if line is not None:
            labels = {label_of(one) for one in line.snapshot.networks if one.affected}
            self._named.setdefault(notice.event, set()).update(labels)

    def _give_up(
        self,
        reason: str,
        occasions: Collection[NoticeKind] = frozenset(NoticeKind),
        event: str = "",
    ) -> None:
        for notice in [
            kept for kept in self._kept if kept.occasion in occasions and event in ("", kept.event)
        ]:
            self._kept.remove(notice)
            self._drop.append((notice, reason))
