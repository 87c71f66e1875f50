"""A confirmed block ends where it was confirmed. What others show by then, who never confirmed it,
is a suspicion. Letters are those of `test_events`: one per cycle of five minutes."""

import pytest

from monitor.analysis.events.event import EventState
from monitor.wording.events import Certainty, certainty_of
from tests.unit.monitor.analysis.events.test_events import at, tell


@pytest.mark.parametrize("ptcl", ["." + 100 * "B" + 369 * ".", "." + 100 * "B" + ".."])
def test_what_never_confirms_keeps_no_block_confirmed(ptcl: str) -> None:
    """Zong has a dead route, which began while PTCL blocked. PTCL was found open: a few times and
    then not measured, or for good."""
    story = tell(ptcl=ptcl, zong=70 * "." + 400 * "w")
    assert story.only.state is EventState.SUSPECTED
    assert not story.only.sure
    confirmed = [entry.snapshot.updated_at for entry in story.log if entry.snapshot.sure]
    assert max(confirmed) < at(120)
    assert "ended" not in story.changes


def test_it_does_not_so_when_it_comes_back_either() -> None:
    """Zong is not measured for a while, or open for a while, and fails again."""
    for pause in (20 * " ", 40 * "."):
        zong = 70 * "." + 100 * "w" + pause + 60 * "w"
        story = tell(ptcl="." + 100 * "B" + (len(zong) - 101) * ".", zong=zong)
        assert story.only.state is EventState.SUSPECTED
        assert story.only.confirmed_at is not None


def test_the_end_of_such_an_event_is_told() -> None:
    """PTCL was certainly blocked. People hear of the end once Zong opens, too."""
    story = tell(ptcl="." + 100 * "B" + 200 * ".", zong=70 * "." + 150 * "w" + 81 * ".")
    assert story.only.state is EventState.ENDED
    assert story.changes[-1] == "ended"


@pytest.mark.parametrize(
    ("ptcl", "zong"),
    [
        ("." + 100 * "B" + 100 * ".", 70 * "." + 131 * "B"),
        ("." + 40 * "w" + 160 * ".", "." + 200 * "w"),
        ("." + 100 * "B" + 101 * " ", 70 * "." + 131 * "w"),
        ("." + 100 * "B" + 5 * (4 * "." + "B"), 70 * "." + 56 * "w"),
    ],
    ids=["certain itself", "confirmed with it", "not measured where it was", "not over there"],
)
def test_what_was_confirmed_goes_on(ptcl: str, zong: str) -> None:
    """Zong was certain, or was one of two that confirmed; or nobody knows that PTCL is open."""
    assert tell(ptcl=ptcl, zong=zong).only.state is EventState.CONFIRMED


def test_a_network_that_confirmed_is_believed_when_it_blocks_again() -> None:
    """At its first sign, beside what goes on as a suspicion."""
    story = tell(ptcl="." + 100 * "B" + 40 * "." + "B", zong=70 * "." + 72 * "w")
    assert story.only.state is EventState.CONFIRMED


# -- the record of an event that is over -------------------------------------------------------


def test_a_false_sign_elsewhere_is_not_in_the_record() -> None:
    """PTCL was certainly blocked. One false sign on Zong, hours later, brought the event back and
    went away: Zong is not affected, and the end is that of PTCL."""
    story = tell(ptcl=".BBBBB" + 300 * ".", zong=200 * "." + "B" + 105 * ".")
    event = story.only
    assert event.state is EventState.ENDED
    assert (event.end_earliest, event.end_latest) == (at(5), at(6))
    assert event.networks_affected == (17557,)
    assert [len(one.stretches) for one in event.networks] == [1, 0]
    assert "reopened" in story.changes


@pytest.mark.parametrize(
    "zong",
    ["..ss" + 302 * ".", 200 * "." + "BB" + 104 * "."],
    ids=["blocked at the same time", "certain"],
)
def test_what_belongs_to_the_block_stays_in_its_record(zong: str) -> None:
    """Zong was suspected while PTCL was blocked, or was certain by itself."""
    event = tell(ptcl=".BBBBB" + 300 * ".", zong=zong).only
    assert (event.state, event.networks_affected) == (EventState.ENDED, (17557, 59257))


# -- a suspicion after the end -----------------------------------------------------------------


def test_a_false_sign_elsewhere_is_no_surer_while_it_goes_away() -> None:
    """It seems over for some cycles. Until the end it was told as a confirmed block of today, by
    the alert that wakes people too."""
    story = tell(ptcl=".BBBBB" + 300 * ".", zong=200 * "." + "B" + 105 * ".")
    began = story.changes.index("reopened")
    later = [line.snapshot for line in story.log[began:] if line.snapshot.active]
    assert {one.state for one in later} == {EventState.SUSPECTED, EventState.RECOVERING}
    assert not [one for one in later if one.sure]
    assert certainty_of(later[-1]) is Certainty.MAY_HAVE
    assert story.only.sure, "PTCL was certainly blocked"


def test_it_is_no_surer_where_nobody_observes_it_any_more() -> None:
    """Zong's only vantage goes offline after the sign."""
    story = tell(ptcl=".BBBBB" + 300 * ".", zong=200 * "." + "B" + 105 * " ")
    assert story.only.state is EventState.UNOBSERVED
    assert not story.only.sure


@pytest.mark.parametrize(
    ("ptcl", "zong"),
    [
        (".BBBBB" + 194 * "." + "B.", 202 * "."),
        (".BBBBB" + 197 * ".", 200 * "." + "BB."),
        (".BBBBB.....", "..ss" + 2 * "s" + "ss."),
    ],
    ids=["where it was confirmed", "certain itself", "blocked at the same time"],
)
def test_what_was_confirmed_is_sure_while_it_seems_over(ptcl: str, zong: str) -> None:
    """As long as its last stretch has a network that confirmed it, or one that blocked with it."""
    event = tell(ptcl=ptcl, zong=zong).only
    assert (event.state, event.sure) == (EventState.RECOVERING, True)
    assert certainty_of(event) is Certainty.WAS
