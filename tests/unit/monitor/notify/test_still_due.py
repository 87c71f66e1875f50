"""Which notices still have something to tell."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.analysis.events.continuation import continued_by_detail
from monitor.analysis.events.event import EventLogEntry, EventState
from monitor.notify.notice_kinds import OPENING, NoticeKind
from monitor.notify.related_events import RelatedEvents
from monitor.notify.still_due import (
    ALREADY_SENT,
    CORRECTED,
    NEVER_SENT,
    OVERTAKEN,
    DueNotice,
    PendingNotices,
    plan,
)
from storage.values.outbox import Notice, NoticeState
from tests.worlds.notify_world import ONSET, block, entry, notice

O = NoticeKind  # noqa: E741 # the tables below are read better so


def sent(occasion: NoticeKind, sequence: int, event: str = "e") -> Notice:
    """One that arrived."""
    return notice(occasion, sequence, event, state=NoticeState.SENT, attempts=1, settled_at=ONSET)


def plan_of(
    waiting: list[NoticeKind], settled: list[NoticeKind], *, wanted: bool = True
) -> tuple[list[NoticeKind], list[str]]:
    """As what `waiting` is sent, after `settled` was, and why each of the rest is not, in order."""
    before = [sent(occasion, n + 1) for n, occasion in enumerate(settled)]
    after = [notice(occasion, len(before) + n + 1) for n, occasion in enumerate(waiting)]
    made = plan(after, before, {one.key for one in after} if wanted else ())
    overtaken = [(one, OVERTAKEN) for due in made.send for one in due.overtaken]
    rest = sorted((*made.drop, *overtaken), key=lambda pair: pair[0].sequence)
    return [due.kind for due in made.send], [reason for _, reason in rest]


def newest(made: PendingNotices) -> list[Notice]:
    """The notices whose state is sent."""
    return [due.newest for due in made.send]


@pytest.mark.parametrize(
    ("settled", "waiting", "send", "why_not"),
    [
        ([], [O.SUSPECTED], [O.SUSPECTED], []),
        ([O.SUSPECTED], [O.CONFIRMED], [O.CONFIRMED], []),
        ([O.CONFIRMED], [O.ENDED], [O.ENDED], []),
        # What waits together is one.
        ([O.CONFIRMED], [O.SPREAD, O.SPREAD], [O.SPREAD], [OVERTAKEN]),
        ([], [O.CONFIRMED, O.SPREAD], [O.CONFIRMED], [OVERTAKEN]),
        ([O.CONFIRMED], [O.SPREAD, O.ENDED], [O.ENDED], [OVERTAKEN]),
        # Once is enough.
        ([O.CONFIRMED], [O.CONFIRMED], [], [ALREADY_SENT]),
        ([O.CONFIRMED], [O.SUSPECTED], [], [ALREADY_SENT]),
        ([O.CONFIRMED, O.ENDED], [O.ENDED], [], [ALREADY_SENT]),
        # A confirmed one says all that the suspicion said, and names every network.
        ([], [O.SUSPECTED, O.SPREAD, O.CONFIRMED], [O.CONFIRMED], [OVERTAKEN, OVERTAKEN]),
        ([], [O.SPREAD, O.CONFIRMED], [O.CONFIRMED], [NEVER_SENT]),
        ([], [O.SPREAD], [], [NEVER_SENT]),
        ([], [O.CONFIRMED, O.ENDED], [O.ENDED], [OVERTAKEN]),
        # It came back.
        ([O.CONFIRMED, O.ENDED], [O.CONFIRMED], [O.CONFIRMED], []),
        ([O.CONFIRMED, O.ENDED], [O.CONFIRMED, O.ENDED], [O.ENDED], [OVERTAKEN]),
        ([O.CONFIRMED], [O.ENDED, O.CONFIRMED], [O.CONFIRMED], [OVERTAKEN]),
        # It may have come back: what had ended is suspected again where it never was.
        ([O.CONFIRMED, O.ENDED], [O.SUSPECTED], [O.SUSPECTED], []),
        ([O.CONFIRMED], [O.ENDED, O.SUSPECTED], [O.SUSPECTED], [OVERTAKEN]),
        ([O.CONFIRMED, O.ENDED, O.SUSPECTED], [O.SUSPECTED], [], [ALREADY_SENT]),
        ([O.CONFIRMED, O.ENDED, O.SUSPECTED], [O.ENDED], [O.ENDED], []),
        ([O.CONFIRMED, O.ENDED, O.SUSPECTED], [O.CONFIRMED], [O.CONFIRMED], []),
        # Taken back before anybody was told: nobody needs to know.
        ([], [O.SUSPECTED, O.DISMISSED], [], [CORRECTED, NEVER_SENT]),
        ([], [O.CONFIRMED, O.WITHDRAWN], [], [CORRECTED, NEVER_SENT]),
        ([], [O.WITHDRAWN], [], [NEVER_SENT]),
        ([O.SUSPECTED], [O.CONFIRMED, O.DOUBTED], [], [ALREADY_SENT, ALREADY_SENT]),
        ([O.CONFIRMED], [O.DOUBTED, O.CONFIRMED], [], [ALREADY_SENT, ALREADY_SENT]),
        # Taken back after it was told: always.
        ([O.SUSPECTED], [O.DISMISSED], [O.DISMISSED], []),
        ([O.CONFIRMED], [O.WITHDRAWN], [O.WITHDRAWN], []),
        ([O.CONFIRMED], [O.DOUBTED], [O.DOUBTED], []),
        ([O.CONFIRMED, O.DOUBTED], [O.DISMISSED], [O.DISMISSED], []),
        ([O.CONFIRMED, O.DOUBTED], [O.CONFIRMED], [O.CONFIRMED], []),
        ([O.CONFIRMED, O.ENDED], [O.WITHDRAWN], [O.WITHDRAWN], []),
        ([O.CONFIRMED], [O.ENDED, O.WITHDRAWN], [O.WITHDRAWN], [OVERTAKEN]),
        ([O.SUSPECTED], [O.CONFIRMED, O.WITHDRAWN], [O.WITHDRAWN], [OVERTAKEN]),
        ([O.CONFIRMED, O.ENDED], [O.CONFIRMED, O.WITHDRAWN], [O.WITHDRAWN], [OVERTAKEN]),
        ([O.CONFIRMED, O.ENDED], [O.CONFIRMED, O.DOUBTED], [O.DOUBTED], [OVERTAKEN]),
        # Nobody was told that it was certain: it is a suspicion like any other.
        ([], [O.CONFIRMED, O.DOUBTED], [O.SUSPECTED], [OVERTAKEN]),
        # Never told, and still worth telling: that a route did not hear of it is no reason.
        ([], [O.ENDED], [O.ENDED], []),
    ],
)
def test_what_is_told_and_what_is_not(
    settled: list[NoticeKind], waiting: list[NoticeKind], send: list[NoticeKind], why_not: list[str]
) -> None:
    """A target hears each thing once, and every retraction of what it heard."""
    assert plan_of(waiting, settled) == (send, why_not)


def test_an_end_goes_to_who_was_told_or_asks() -> None:
    """Not to a route that the event is none of the business of."""
    assert plan_of([O.ENDED], [], wanted=False) == ([], [NEVER_SENT])
    assert plan_of([O.ENDED], [O.CONFIRMED], wanted=False) == ([O.ENDED], [])


def test_what_may_have_arrived_counts_as_told() -> None:
    """After an attempt that ended in a crash or without an answer nobody knows, so the retraction
    is sent; what it takes back is not tried again."""
    tried = notice(O.CONFIRMED, 1, attempts=1)
    back = notice(O.WITHDRAWN, 2)
    due = DueNotice(kind=O.WITHDRAWN, newest=back, overtaken=(tried,))
    assert plan([tried, back], [], ()) == PendingNotices(send=(due,), drop=())
    given_up = replace(tried, state=NoticeState.FAILED)
    assert newest(plan([back], [given_up], ())) == [back]
    untried = notice(O.CONFIRMED, 1, state=NoticeState.DROPPED)
    assert plan([back], [untried], ()).send == ()


def test_a_retry_is_no_repetition() -> None:
    """A notice that did not arrive is sent again as it is."""
    tried = notice(O.CONFIRMED, 1, attempts=3)
    assert newest(plan([tried], [], ())) == [tried]


def test_a_further_network_that_a_later_message_named_is_not_told() -> None:
    """The confirmation that came after it had it in its list."""
    waiting = [notice(O.SPREAD, 2)]
    assert plan(waiting, [sent(O.SUSPECTED, 1), sent(O.CONFIRMED, 3)], ()).send == ()
    assert newest(plan(waiting, [sent(O.SUSPECTED, 1)], ())) == waiting


def test_events_do_not_meddle_with_each_other() -> None:
    """One is withdrawn, the other stands."""
    mine, other = notice(O.CONFIRMED, 1, "a"), notice(O.WITHDRAWN, 2, "b")
    assert newest(plan([mine, other], [], ())) == [mine]


NEXT = {
    None: [O.SUSPECTED],
    O.SUSPECTED: [O.SPREAD, O.CONFIRMED, O.DISMISSED, O.WITHDRAWN],
    O.CONFIRMED: [O.SPREAD, O.ENDED, O.DOUBTED, O.WITHDRAWN],
    O.ENDED: [O.CONFIRMED, O.WITHDRAWN],
    O.DOUBTED: [O.CONFIRMED, O.DISMISSED, O.WITHDRAWN],
    O.DISMISSED: [],
    O.WITHDRAWN: [],
}
"""What can follow what in the log of one event."""


LONGEST = 10


def following(log: Sequence[NoticeKind], state: NoticeKind | None) -> list[NoticeKind]:
    """What can follow in the log of one event: what was certain once and had ended may come back as
    a suspicion, and ends again."""
    if state is O.ENDED:
        return [*NEXT[state], O.SUSPECTED]
    if state is O.SUSPECTED and O.ENDED in log:
        return [O.SPREAD, O.CONFIRMED, O.ENDED, O.WITHDRAWN]
    return NEXT[state]


@st.composite
def histories(draw: st.DrawFn) -> list[NoticeKind]:
    """What is to be told of one event, as the detector may log it."""
    log: list[NoticeKind] = []
    state: NoticeKind | None = None
    for _ in range(draw(st.integers(1, LONGEST))):
        if not following(log, state):
            break
        log.append(draw(st.sampled_from(following(log, state))))
        state = state if log[-1] is O.SPREAD else log[-1]
    return log


class Fate(StrEnum):
    """What becomes of a message."""

    ARRIVES = "arrives"
    LOST = "lost"
    UNKNOWN = "unknown"
    """It arrives, and the sender does not get to know."""
    GIVEN_UP = "given up"
    """It is lost, and not tried again."""


def meets(log: Sequence[NoticeKind], heard: Sequence[NoticeKind], *, asked: bool) -> bool:
    """Whether the last word of the messages that arrived is the last word of the log."""
    last = [occasion for occasion in log if occasion is not O.SPREAD][-1]
    said = [occasion for occasion in heard if occasion is not O.SPREAD]
    if last is O.DOUBTED:
        return (not said and not asked) or said[-1:] in ([O.DOUBTED], [O.SUSPECTED])
    if last in OPENING or (last is O.ENDED and asked):
        return said[-1:] == [last]
    return not said or said[-1] is last


def told(log: Sequence[NoticeKind], fates: Iterator[Fate | None], *, asked: bool) -> list[O]:
    """The messages that arrive about what is logged, one entry after the other; None waits for the
    next entry. The last message arrives."""
    settled: list[Notice] = []
    waiting: list[Notice] = []
    heard: list[NoticeKind] = []
    for sequence, occasion in enumerate(log, 1):
        waiting.append(notice(occasion, sequence))
        fate = Fate.ARRIVES if sequence == len(log) else next(fates)
        if fate is None:
            continue
        made = plan(waiting, settled, {one.key for one in waiting} if asked else ())
        planned = [one for due in made.send for one in due.notices]
        done = [*planned, *(one for one, _ in made.drop)]
        assert sorted(one.sequence for one in done) == sorted(one.sequence for one in waiting)
        assert len(made.send) <= 1
        settled += [replace(one, state=NoticeState.DROPPED) for one, _ in made.drop]
        if fate in (Fate.ARRIVES, Fate.UNKNOWN):
            for due in made.send:
                heard.append(due.kind)
                assert due.kind is O.SPREAD or meets(log[:sequence], heard, asked=asked)
        tried = [replace(one, attempts=one.attempts + 1) for one in planned]
        waiting = tried if fate in (Fate.LOST, Fate.UNKNOWN) else []
        if fate is Fate.GIVEN_UP:
            settled += [replace(one, state=NoticeState.FAILED) for one in tried]
        elif fate is Fate.ARRIVES:
            sent = {due.newest.key for due in made.send}
            settled += [
                replace(one, state=NoticeState.SENT if one.key in sent else NoticeState.DROPPED)
                for one in tried
            ]
    return heard


def fates(*possible: Fate | None) -> st.SearchStrategy[list[Fate | None]]:
    """What becomes of the message after each entry of a history."""
    return st.lists(st.sampled_from(possible), min_size=LONGEST, max_size=LONGEST)


@given(histories(), st.booleans(), fates(None, *Fate))
@example(
    [O.SUSPECTED, O.CONFIRMED, O.ENDED, O.CONFIRMED, O.WITHDRAWN],
    False,
    [Fate.ARRIVES, Fate.ARRIVES, Fate.LOST, None],
)
@example(
    [O.SUSPECTED, O.SPREAD, O.CONFIRMED, O.ENDED, O.CONFIRMED, O.DOUBTED],
    False,
    [Fate.ARRIVES, None, Fate.ARRIVES, Fate.LOST, None],
)
@example(
    [O.SUSPECTED, O.SPREAD, O.CONFIRMED, O.DOUBTED, O.CONFIRMED, O.DOUBTED],
    False,
    [*[Fate.ARRIVES] * 4, Fate.LOST],
)
@example(
    [O.SUSPECTED, O.CONFIRMED, O.ENDED, O.CONFIRMED],
    False,
    [Fate.ARRIVES, Fate.ARRIVES, Fate.UNKNOWN],
)
@example([O.SUSPECTED, O.CONFIRMED, O.ENDED, O.SUSPECTED], True, [Fate.ARRIVES] * 3)
@example([O.SUSPECTED, O.CONFIRMED, O.ENDED, O.SUSPECTED], True, [Fate.ARRIVES, None, Fate.LOST])
def test_whenever_messages_go_out_people_end_up_with_the_truth(
    log: list[NoticeKind],
    asked: bool,
    becomes: list[Fate | None],
) -> None:
    """Every history, cut into messages at any moments, which arrive, are lost, or arrive without
    the sender's knowing: each notice is settled once, what waits together is one message in the
    newest state, and the last thing heard is the last there is to say. The examples are failures
    that this once found."""
    heard = told(log, iter(becomes), asked=asked)
    assert meets(log, heard, asked=asked)
    if not asked and heard:
        assert heard[0] is not O.SPREAD


@given(histories(), st.booleans(), fates(None, Fate.ARRIVES))
@example(
    [O.SUSPECTED, O.CONFIRMED, O.ENDED, O.CONFIRMED, O.DOUBTED],
    True,
    [Fate.ARRIVES, None, None, None],
)
@example([O.SUSPECTED, O.CONFIRMED, O.ENDED, O.SUSPECTED], False, [Fate.ARRIVES, None, None])
def test_where_all_messages_arrive_nothing_is_told_twice(
    log: list[NoticeKind],
    asked: bool,
    becomes: list[Fate | None],
) -> None:
    """The same without trouble: whoever heard of nothing hears of no correction, and only a block
    that came back is told twice."""
    heard = told(log, iter(becomes), asked=asked)
    said = [occasion for occasion in heard if occasion is not O.SPREAD]
    for one, other in itertools.pairwise(said):
        assert one is not other or (one in (O.ENDED, *OPENING) and O.ENDED in log)
    if said:
        assert said[0] in OPENING or (asked and said[0] is O.ENDED)


@dataclass
class Family:
    """An event that goes on as another one, and that as the next; what each entry of their logs
    notifies of, and the messages that arrive."""

    asked: bool
    """Whether suspicions are asked for."""
    lines: list[EventLogEntry] = field(default_factory=list)
    waiting: list[Notice] = field(default_factory=list)
    settled: list[Notice] = field(default_factory=list)
    heard: list[NoticeKind] = field(default_factory=list)

    def happen(self, event: str, kind: NoticeKind, detail: str = "") -> None:
        """One more entry, and its notice."""
        state = STATES[kind]
        over = ONSET + timedelta(hours=1) if kind is O.ENDED else None
        line = entry(
            "withdrawn" if kind is O.WITHDRAWN else kind.value,
            block(state, id=event, end_latest=over),
            sequence=sum(line.event == event for line in self.lines) + 1,
            detail=detail,
        )
        self.lines.append(line)
        if self.asked or kind is not O.SUSPECTED:
            made = notice(kind, line.sequence, event)
            at = ONSET + timedelta(seconds=len(self.lines))
            self.waiting.append(replace(made, created_at=at))

    def send(self, fate: Fate) -> None:
        """One message of what waits."""
        # A route that asks for certain blocks alone asks for the ends of all: they were certain.
        keys = {one.key for one in self.waiting if self.asked or one.occasion != O.DOUBTED}
        made = plan(self.waiting, self.settled, keys, RelatedEvents(self.lines))
        assert len(made.send) <= 1
        self.settled += [replace(one, state=NoticeState.DROPPED) for one, _ in made.drop]
        if fate in (Fate.ARRIVES, Fate.UNKNOWN):
            self.heard += [due.kind for due in made.send]
        newest = {due.newest.key for due in made.send}
        tried = [
            replace(one, attempts=one.attempts + 1) for due in made.send for one in due.notices
        ]
        self.waiting = tried if fate in (Fate.LOST, Fate.UNKNOWN) else []
        if fate is Fate.GIVEN_UP:
            self.settled += [replace(one, state=NoticeState.FAILED) for one in tried]
        elif fate is Fate.ARRIVES:
            self.settled += [
                replace(one, state=NoticeState.SENT if one.key in newest else NoticeState.DROPPED)
                for one in tried
            ]

    def truth(self) -> NoticeKind:
        """The newest state of the event that stands."""
        return [O(line.change) for line in self.lines if not line.detail][-1]

    def meets(self) -> bool:
        """Whether the last word of what was heard is true."""
        last, said = self.truth(), self.heard[-1:]
        if last in (O.SUSPECTED, O.DOUBTED):
            # A route without suspicions hears that a certain one is not, as a withdrawal.
            unsure = ([O.SUSPECTED], [O.DOUBTED], [O.WITHDRAWN], [O.DISMISSED])
            return said in unsure or (not said and not self.asked)
        if last in (O.CONFIRMED, O.ENDED):
            return said == [last]
        return not said or said == [last]


STATES = {
    O.SUSPECTED: EventState.SUSPECTED,
    O.CONFIRMED: EventState.CONFIRMED,
    O.ENDED: EventState.ENDED,
    O.DOUBTED: EventState.SUSPECTED,
    O.DISMISSED: EventState.DISMISSED,
    O.WITHDRAWN: EventState.WITHDRAWN,
}
BEGINNINGS = ([O.SUSPECTED], [O.SUSPECTED, O.CONFIRMED], [O.SUSPECTED, O.CONFIRMED, O.ENDED])
"""How the log of an event begins that continues another one."""


@given(st.booleans(), st.data())
def test_what_continues_as_another_event_leaves_the_truth(asked: bool, data: st.DataObject) -> None:
    """Up to three events, each of which goes on as the next in whatever state, with messages that
    arrive, are lost, or arrive without the sender's knowing."""
    family = Family(asked=asked)
    event, state = "a", O.SUSPECTED
    family.happen(event, state)
    for _ in range(data.draw(st.integers(0, LONGEST), "steps")):
        if not NEXT[state]:
            break
        fate = data.draw(st.sampled_from([None, *Fate]), "what becomes of it")
        if fate is not None:
            family.send(fate)
        if event != "c" and data.draw(st.booleans(), "goes on as another"):
            before, event = event, chr(ord(event) + 1)
            for state in data.draw(st.sampled_from(BEGINNINGS), "as"):
                family.happen(event, state)
            family.happen(before, O.WITHDRAWN, continued_by_detail(event))
        else:
            following = [kind for kind in NEXT[state] if kind is not O.SPREAD]
            state = data.draw(st.sampled_from(following), "then")
            family.happen(event, state)
    family.send(Fate.ARRIVES)
    assert family.meets(), (family.truth(), family.heard)
