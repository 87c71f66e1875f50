"""Which of the notices that wait for one target are still worth sending, and as what.

All notices of one event that wait together become one message, in the newest state: what was
overtaken or corrected before it was sent is never sent. A target receives each change once, and
every correction of what it received or may have received: an attempt that failed may have arrived
all the same.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from monitor.analysis.events.event import label_of
from monitor.notify.notice_kinds import CORRECTIONS, OPENING, NoticeKind
from monitor.notify.related_events import RelatedEvents
from storage.values.outbox import Notice, NoticeState

Key = tuple[str, str, int, str, str]
"""Of a notice."""
ALREADY_SENT = "already sent"
OVERTAKEN = "sent with what came after it"
NEVER_SENT = "what it is about was never sent here"
CORRECTED = "corrected before it was sent"
CONTINUES = "it continues as another event, which is sent instead"

Said = frozenset[NoticeKind | None]
"""What a target may have as its last word on an event; None for nothing."""
_NOTHING: Said = frozenset((None,))
_ACCUSED = frozenset((NoticeKind.CONFIRMED, NoticeKind.ENDED))
"""Both say that it was blocked, and that this was certain."""
_UNSURE = frozenset((NoticeKind.SUSPECTED, NoticeKind.DOUBTED))
"""Both say that it is only suspected."""


class DueNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What to send about one event: one part of a message."""

    kind: NoticeKind
    """As what it is sent, which may differ from what the newest notice was made as."""
    newest: Notice
    """The notice whose line of the log has the newest state."""
    overtaken: tuple[Notice, ...] = ()
    """Earlier ones that wait and that it stands for, in order."""
    meanwhile: tuple[Notice, ...] = ()
    """Those of both that happened in between and are still true, in order."""

    @property
    def notices(self) -> tuple[Notice, ...]:
        """All that it settles when it arrives."""
        return (*self.overtaken, self.newest)


class PendingNotices(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with the notices that wait for one target."""

    send: tuple[DueNotice, ...]
    """One for each event, with those that continue as it, in the order of their first notices."""
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
        _Story(before.get(name, ()), rows, wanted, known).plan() for name, rows in events.items()
    ]
    return PendingNotices(
        send=tuple(due for one in plans for due in one.send),
        drop=tuple(pair for one in plans for pair in one.drop),
    )


class _Story:
    """One event, with those that continue as it, as one target knows it."""

    def __init__(
        self,
        settled: Iterable[Notice],
        waiting: Iterable[Notice],
        wanted: Collection[Key],
        families: RelatedEvents,
    ) -> None:
        waits = {notice.key: notice for notice in waiting}
        self._wanted = wanted
        self._families = families
        self._ordered = families.in_order((*settled, *waits.values()))
        self._waiting = [one for one in self._ordered if one.key in waits]
        self._place = {notice.key: place for place, notice in enumerate(self._ordered)}
        self._arrived = [one for one in self._ordered if one.state is NoticeState.SENT]
        """What arrived for certain."""
        self._since = self._place[self._arrived[-1].key] if self._arrived else -1
        self._heard = [
            one for one in self._ordered if one.attempts and self._place[one.key] >= self._since
        ]
        """What may be the last word: the last that arrived, and later ones that were tried."""
        self._said: Said = frozenset(map(self._claim, self._heard))
        if not self._arrived:
            self._said |= _NOTHING

    def plan(self) -> PendingNotices:
        """What to do with what waits."""
        stands = [one for one in self._ordered if not self._continues(one)]
        if not stands and self._said & _ACCUSED:
            # The event that continues it is less certain than what was sent, and has no notices
            # for this target: the last word must be withdrawn all the same.
            stands = [one for one in self._waiting if one.occasion == NoticeKind.WITHDRAWN][-1:]
            stands = [one for one in stands if not self._sure(one)]
        waiting = [one for one in self._waiting if one in stands]
        made = self._planned(waiting, [one for one in stands if not _is_spread(one)])
        gone = [one for one in self._waiting if one not in stands]
        return _plan(made.send, (*made.drop, *((one, CONTINUES) for one in gone)))

    def _planned(self, waiting: Sequence[Notice], states: Sequence[Notice]) -> PendingNotices:
        """What to do with what waits about events that stand; `states` are all notices about these,
        without those of further networks."""
        pointless = [
            (one, NEVER_SENT)
            for one in waiting
            if _is_spread(one) and self._claim(one) not in OPENING
        ]
        waiting = [one for one in waiting if (one, NEVER_SENT) not in pointless]
        if not waiting:
            return _plan(drop=pointless)
        newest = states[-1]
        if self._place[waiting[-1].key] < self._place[newest.key]:
            return _plan(drop=(*pointless, *((one, OVERTAKEN) for one in waiting)))
        kind, why_not = self._word(newest, states)
        if why_not == ALREADY_SENT:
            return self._further_networks(waiting, pointless)
        if why_not:
            reasons = [(one, why_not if one is newest else CORRECTED) for one in waiting]
            return _plan(drop=(*pointless, *reasons))
        due = DueNotice(
            kind=kind,
            newest=waiting[-1],
            overtaken=tuple(waiting[:-1]),
            meanwhile=self._meanwhile(kind, waiting, self._came_back(states)),
        )
        return _plan((due,), pointless)

    def _word(self, newest: Notice, states: Sequence[Notice]) -> tuple[NoticeKind, str]:
        """As what the newest state is sent, and the reason if it is not."""
        kind, said = NoticeKind(newest.occasion), self._said
        back = self._came_back(states)
        if kind is NoticeKind.SUSPECTED and newest in back:
            return kind, ""
        if kind in _UNSURE:
            if said & _ACCUSED:
                # An event of its own may be suspected after one that was sent as certain.
                other = any(one.event != newest.event for one in self._heard)
                doubted = kind is NoticeKind.DOUBTED or other
                return NoticeKind.DOUBTED, "" if doubted else ALREADY_SENT
            unwanted = kind is NoticeKind.DOUBTED and newest.key not in self._wanted
            kind, reason = NoticeKind.SUSPECTED, NEVER_SENT if unwanted else ""
        else:
            unwanted = kind in CORRECTIONS or newest.key not in self._wanted
            unwanted = unwanted and kind not in OPENING and said == _NOTHING
            reason = NEVER_SENT if unwanted else ""
        if said == {kind} and not (kind in _ACCUSED and back):
            reason = ALREADY_SENT
        return kind, reason

    def _further_networks(
        self, waiting: Sequence[Notice], drop: Iterable[tuple[Notice, str]]
    ) -> PendingNotices:
        """What to do when the state itself was sent."""
        new = [one for one in waiting if _is_spread(one) and self._is_new(one)]
        told = [(one, ALREADY_SENT) for one in waiting if one not in new]
        due = [
            DueNotice(
                kind=NoticeKind.SPREAD,
                newest=new[-1],
                overtaken=tuple(new[:-1]),
                meanwhile=tuple(new),
            )
            for _ in new[:1]
        ]
        return _plan(due, (*drop, *told))

    def _meanwhile(
        self, kind: NoticeKind, waiting: Sequence[Notice], back: Collection[Notice]
    ) -> tuple[Notice, ...]:
        """What a reader of the last message missed: nothing that was corrected, and not how an
        event began of which there was no message; that it came `back` is no beginning."""
        if kind in CORRECTIONS:
            return ()
        happened: list[Notice] = []
        for one in waiting:
            if one.occasion in CORRECTIONS:
                happened.clear()
            elif one.occasion == NoticeKind.SUSPECTED and one not in back:
                continue
            elif not _is_spread(one) or self._is_new(one):
                happened.append(one)
        known = None not in self._said
        ended = any(one.occasion == NoticeKind.ENDED for one in happened[:-1])
        return tuple(happened) if len(happened) > 1 and (known or ended) else ()

    def _came_back(self, states: Sequence[Notice]) -> list[Notice]:
        """Those that wait to be sent and say that an event is back, or may be, after its end."""
        found = []
        before: dict[str, str] = {}
        for one in states:
            line = self._families.line(one)
            again = before.get(one.event) == NoticeKind.ENDED and one.occasion in OPENING
            if again and one in self._waiting and (line is None or line.change != "revised"):
                found.append(one)
            before[one.event] = one.occasion
        return found

    def _is_new(self, spread: Notice) -> bool:
        """Whether no message named the network: neither a later one, nor one about an event that
        continues as this one."""
        line = self._families.line(spread)
        if self._place[spread.key] < self._since:
            return False
        lines = [self._families.line(one) for one in self._arrived if one.event != spread.event]
        return line is None or line.detail not in {
            label_of(status)
            for sent in lines
            if sent is not None
            for status in sent.snapshot.networks
            if status.affected
        }

    def _claim(self, notice: Notice) -> NoticeKind | None:
        """What a reader believes after a notice."""
        until = self._ordered[: self._place[notice.key] + 1]
        states = [one for one in until if one.event == notice.event and not _is_spread(one)]
        kind = NoticeKind(states[-1].occasion) if states else None
        return NoticeKind.SUSPECTED if kind in _UNSURE else kind

    def _continues(self, notice: Notice) -> bool:
        """Whether its event continues as another one, whose notices are sent instead."""
        return self._families.successor(notice.event) is not None

    def _sure(self, notice: Notice) -> bool:
        """Whether the event that continues this one is certain; else its own end is sent."""
        other = self._families.successor(notice.event)
        return other is None or other.sure or not other.active


def _is_spread(notice: Notice) -> bool:
    return notice.occasion == NoticeKind.SPREAD


def _plan(
    send: Iterable[DueNotice] = (), drop: Iterable[tuple[Notice, str]] = ()
) -> PendingNotices:
    return PendingNotices(send=tuple(send), drop=tuple(drop))
