"""Which notices still have something to tell."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.notify.notice_kinds import OPENING, NoticeKind
from monitor.notify.still_due import (
    ALREADY_SENT,
    CORRECTED,
    NEVER_SENT,
    OVERTAKEN,
    PendingNotices,
    plan,
)
from storage.values.outbox import Notice, NoticeState
from tests.worlds.notify_world import ONSET, notice

O = NoticeKind  # noqa: E741 # the tables below are read better so


def sent(occasion: NoticeKind, sequence: int, event: str = "e") -> Notice:
    """One that arrived."""
    return notice(occasion, sequence, event, state=NoticeState.SENT, attempts=1, settled_at=ONSET)


def plan_of(
    waiting: list[NoticeKind], settled: list[NoticeKind], *, wanted: bool = True
) -> tuple[list[NoticeKind], list[str]]:
    """What is sent of `waiting`, after `settled` was, and why the rest is not, in order."""
    before = [sent(occasion, n + 1) for n, occasion in enumerate(settled)]
    after = [notice(occasion, len(before) + n + 1) for n, occasion in enumerate(waiting)]
    made = plan(after, before, {one.key for one in after} if wanted else ())
    dropped = sorted(made.drop, key=lambda pair: pair[0].sequence)
    return [O(one.occasion) for one in made.send], [reason for _, reason in dropped]


@pytest.mark.parametrize(
    ("settled", "waiting", "send", "why_not"),
    [
        ([], [O.SUSPECTED], [O.SUSPECTED], []),
        ([O.SUSPECTED], [O.CONFIRMED], [O.CONFIRMED], []),
        ([O.CONFIRMED], [O.ENDED], [O.ENDED], []),
        ([O.CONFIRMED], [O.SPREAD, O.SPREAD], [O.SPREAD, O.SPREAD], []),
        # Once is enough.
        ([O.CONFIRMED], [O.CONFIRMED], [], [ALREADY_SENT]),
        ([O.CONFIRMED], [O.SUSPECTED], [], [ALREADY_SENT]),
        ([O.CONFIRMED, O.ENDED], [O.ENDED], [], [ALREADY_SENT]),
        # A confirmed one says all that the suspicion said, and names every network.
        ([], [O.SUSPECTED, O.SPREAD, O.CONFIRMED], [O.CONFIRMED], [OVERTAKEN, OVERTAKEN]),
        ([], [O.SPREAD, O.CONFIRMED], [O.CONFIRMED], [NEVER_SENT]),
        ([], [O.CONFIRMED, O.ENDED], [O.ENDED], [OVERTAKEN]),
        # It came back.
        ([O.CONFIRMED, O.ENDED], [O.CONFIRMED], [O.CONFIRMED], []),
        ([O.CONFIRMED, O.ENDED], [O.CONFIRMED, O.ENDED], [O.ENDED], [OVERTAKEN]),
        ([O.CONFIRMED], [O.ENDED, O.CONFIRMED], [O.ENDED, O.CONFIRMED], []),
        # Taken back before anybody was told: nobody needs to know.
        ([], [O.SUSPECTED, O.DISMISSED], [], [CORRECTED, NEVER_SENT]),
        ([], [O.CONFIRMED, O.WITHDRAWN], [], [CORRECTED, NEVER_SENT]),
        ([], [O.WITHDRAWN], [], [NEVER_SENT]),
        ([O.SUSPECTED], [O.CONFIRMED, O.DOUBTED], [], [CORRECTED, NEVER_SENT]),
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
    assert plan([tried, back], [], ()) == PendingNotices(send=(back,), drop=((tried, OVERTAKEN),))
    given_up = replace(tried, state=NoticeState.FAILED)
    assert plan([back], [given_up], ()).send == (back,)
    untried = notice(O.CONFIRMED, 1, state=NoticeState.DROPPED)
    assert plan([back], [untried], ()).send == ()


def test_a_retry_is_no_repetition() -> None:
    """A notice that did not arrive is sent again as it is."""
    tried = notice(O.CONFIRMED, 1, attempts=3)
    assert plan([tried], [], ()).send == (tried,)


def test_a_further_network_that_a_later_message_named_is_not_told() -> None:
    """The confirmation that came after it had it in its list."""
    waiting = [notice(O.SPREAD, 2)]
    assert plan(waiting, [sent(O.SUSPECTED, 1), sent(O.CONFIRMED, 3)], ()).send == ()
    assert plan(waiting, [sent(O.SUSPECTED, 1)], ()).send == tuple(waiting)


def test_events_do_not_meddle_with_each_other() -> None:
    """One is withdrawn, the other stands."""
    mine, other = notice(O.CONFIRMED, 1, "a"), notice(O.WITHDRAWN, 2, "b")
    assert plan([mine, other], [], ()).send == (mine,)


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


@st.composite
def histories(draw: st.DrawFn) -> list[NoticeKind]:
    """What is to be told of one event, as the detector may log it."""
    log: list[NoticeKind] = []
    state: NoticeKind | None = None
    for _ in range(draw(st.integers(1, 10))):
        if not NEXT[state]:
            break
        log.append(draw(st.sampled_from(NEXT[state])))
        state = state if log[-1] is O.SPREAD else log[-1]
    return log


@given(histories(), st.booleans(), st.data())
def test_whenever_messages_go_out_people_end_up_with_the_truth(
    log: list[NoticeKind], asked: bool, data: st.DataObject
) -> None:
    """Every history, cut into messages at any moments, some of which fail: each notice is settled
    once, nothing is told twice, nobody hears of the end of what he never heard of unless he asked,
    and the last thing heard is the last there is to say."""
    settled: list[Notice] = []
    waiting: list[Notice] = []
    heard: list[NoticeKind] = []
    failed = False
    for sequence, occasion in enumerate(log, 1):
        waiting.append(notice(occasion, sequence))
        last = sequence == len(log)
        if not last and data.draw(st.booleans(), "wait for more"):
            continue
        made = plan(waiting, settled, {one.key for one in waiting} if asked else ())
        told_of = [*made.send, *(one for one, _ in made.drop)]
        assert sorted(map(_sequence, told_of)) == sorted(map(_sequence, waiting))
        settled += [replace(one, state=NoticeState.DROPPED) for one, _ in made.drop]
        if not last and made.send and data.draw(st.booleans(), "fail"):
            waiting, failed = [replace(one, attempts=1) for one in made.send], True
            continue
        waiting = []
        heard += [O(one.occasion) for one in made.send]
        settled += [replace(one, state=NoticeState.SENT, attempts=1) for one in made.send]
    said = [occasion for occasion in heard if occasion is not O.SPREAD]
    for one, other in itertools.pairwise(said):
        # Over, and over once more: what came between was short.
        assert one is not other or one is O.ENDED
    if said and not asked and not failed:
        assert said[0] in OPENING
    final = [occasion for occasion in log if occasion is not O.SPREAD][-1]
    if final in OPENING or (final is O.ENDED and asked):
        assert said[-1] is final
    elif final is O.DOUBTED:
        assert not said or said[-1] in (O.DOUBTED, O.SUSPECTED, O.ENDED)
    elif said:
        assert said[-1] is final


def _sequence(one: Notice) -> int:
    return one.sequence
