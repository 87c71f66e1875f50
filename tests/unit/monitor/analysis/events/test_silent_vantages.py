"""What a vantage found before it fell silent, or moved to another network, beside what others find
meanwhile. Letters are those of `test_events`: one per cycle of five minutes."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.analysis.events.detection import advance, pass_time
from monitor.analysis.events.event import Event, EventState
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stretches import least, most, stretches
from monitor.analysis.verdict import PlatformVerdict
from monitor.recording.checkpoints import checkpoints_of, restored
from tests.properties import examples
from tests.unit.monitor.analysis.events.test_events import (
    DAY,
    DEFAULTS,
    NETWORKS,
    PTCL,
    ZONG,
    Told,
    at,
    judged,
    told,
    verdict,
)


def tell(story: Mapping[str, str], rules: EventSettings = DEFAULTS) -> Told:
    """A story by vantage: khi-ptcl, lhe-ptcl, khi-zong, one letter a cycle."""
    length = max(map(len, story.values()))
    networks = {"ptcl": (17557, "PTCL"), "zong": (59257, "Zong")}
    verdicts = [
        verdict(letters[cycle], cycle, vantage, network=networks[vantage.partition("-")[2]])
        for cycle in range(length)
        for vantage, letters in story.items()
        if letters[cycle : cycle + 1].strip()
    ]
    return told(verdicts, rules=rules)


def in_order(event: Event) -> bool:
    """Whether the stretches of each network follow each other, none are longer than all, and none
    was last blocked before it began."""
    for network in event.networks:
        for one in network.stretches:
            assert one.last_blocked is None or one.last_blocked >= one.onset_latest
        for before, after in pairwise(network.stretches):
            assert before.end_earliest is not None
            assert before.end_latest is not None
            # At one moment one vantage may find open what another finds blocked.
            assert before.end_latest <= after.onset_latest
            assert after.onset_earliest is None or after.onset_earliest >= before.end_earliest
    begun, over = event.onset_earliest, event.end_latest
    longest = most(event)
    assert least(event) <= (event.end_earliest or event.updated_at) - event.onset_latest
    assert longest is None or begun is None or over is None or longest <= over - begun
    return True


# -- a neighbour on the same network -----------------------------------------------------------


def test_a_neighbour_that_never_found_it_blocked_ends_nothing() -> None:
    """Karachi is blocked and its computer sleeps every night. Lahore, on the same network, was open
    all the time: it does not know whether Karachi still is."""
    day = "B" * 192 + " " * 96
    story = tell({"khi-ptcl": "..." + 3 * day, "lhe-ptcl": "." * (3 + 3 * DAY)})
    assert "ended" not in story.changes
    assert "network_recovered" not in story.changes
    assert story.only.state is EventState.UNOBSERVED
    (network,) = story.only.networks
    assert network.unobserved
    (only,) = stretches(story.only)
    assert (only.end_earliest, only.end_latest) == (at(2 + 2 * DAY + 192), None)
    assert in_order(story.only)


def test_one_false_sign_makes_a_neighbour_no_witness_of_the_end() -> None:
    """Lahore failed once, weakly, after Karachi had fallen silent, or several times."""
    for signs in ("w.....", "w..w..", "w..w.w"):
        story = {"khi-ptcl": ".BBB", "lhe-ptcl": "...." + 10 * "." + signs + 40 * "."}
        assert tell(story).only.state is EventState.UNOBSERVED


@pytest.mark.parametrize(
    "neighbour",
    ["....BBBBB" + 50 * ".", 20 * " " + 50 * "."],
    ids=["was blocked as well", "is new"],
)
def test_a_neighbour_that_opened_after_the_block_ends_it(neighbour: str) -> None:
    """It was found blocked after the silent one, or is measured for the first time after it."""
    story = tell({"khi-ptcl": ".BBB", "lhe-ptcl": neighbour})
    assert story.only.state is EventState.ENDED
    assert in_order(story.only)


def test_one_open_test_of_a_new_vantage_is_no_end() -> None:
    """One test gets through a filter now and then: who never found it blocked ends it no sooner
    than who did, and its first open test dates the end."""
    karachi = ".BBB" + 20 * " "
    for letters in (".", "..", ".B", ".B.B", "..BBB"):
        story = tell({"khi-ptcl": karachi, "lhe-ptcl": 24 * " " + letters})
        assert "ended" not in story.changes
        seems_over = letters.endswith(".")
        assert story.only.state is (EventState.RECOVERING if seems_over else EventState.CONFIRMED)
        assert in_order(story.only)
    event = tell({"khi-ptcl": karachi, "lhe-ptcl": 24 * " " + "...."}).only
    assert (event.state, event.end_latest) == (EventState.ENDED, at(24))


def test_one_open_test_after_a_stay_on_another_network_is_no_end() -> None:
    """Karachi is on Zong for a while, and back."""
    stays = [(".BBBB", PTCL), ("....", ZONG), (".BBB....", PTCL)]
    verdicts = [
        verdict(letter, sum(len(one) for one, _ in stays[:n]) + i, network=NETWORKS[vantage])
        for n, (letters, vantage) in enumerate(stays)
        for i, letter in enumerate(letters)
    ]
    assert "ended" not in told(verdicts[:-1]).changes
    assert told(verdicts).only.state is EventState.ENDED


def test_what_comes_back_after_others_found_it_open_begins_then() -> None:
    """Karachi is blocked and falls silent, Lahore sees the end, Zong goes on. A day later Karachi
    finds it blocked: since Lahore found it open, and not since its own first sign."""
    gap = DAY * " "
    story = tell(
        {
            "khi-ptcl": ".BBBB" + gap + 3 * "B" + 20 * ".",
            "lhe-ptcl": ".BBBBB....." + DAY * "." + 20 * ".",
            "khi-zong": ".BBBB" + DAY * "B" + 3 * "B" + 20 * ".",
        }
    )
    before, after = story.only.networks[0].stretches
    assert (before.onset_latest, before.end_latest) == (at(1), at(6))
    assert (after.onset_earliest, after.onset_latest) == (at(6), at(5 + DAY))
    assert in_order(story.only)


def test_what_others_found_open_before_they_fell_silent_began_again() -> None:
    """Lahore found it open last, too few times to be sure, and nobody measures there. When Karachi
    finds it blocked, it began again, and goes on at the first sign."""
    story = tell(
        {"khi-ptcl": ".BBBB" + 30 * " " + "w", "lhe-ptcl": ".BBBBB..", "khi-zong": 40 * "."}
    )
    assert story.only.state is EventState.CONFIRMED
    network, _ = story.only.networks
    before, after = network.stretches
    assert (before.end_latest, after.onset_earliest, after.onset_latest) == (at(6), at(6), at(35))
    assert in_order(story.only)


def test_one_that_was_not_measured_in_the_first_stretch_does_not_date_the_second() -> None:
    """Lahore was last found open before the first stretch, and is the first to find the second."""
    story = tell(
        {
            "khi-ptcl": ".BBBB" + 60 * "." + "   BB",
            "lhe-ptcl": "." + 64 * " " + "BBBBB" + 20 * ".",
        }
    )
    before, after = story.only.networks[0].stretches
    assert before.end_latest == at(5)
    assert after.onset_earliest is not None
    assert before.end_latest <= after.onset_earliest
    assert in_order(story.only)


_SPELLS = st.lists(
    st.tuples(st.sampled_from(".BBsw?  "), st.sampled_from((1, 2, 3, 9, 20))), max_size=9
)


@example(
    # Open and blocked at one moment, as the network is found open: the new stretch began a minute
    # after it was last blocked.
    {
        "khi-ptcl": [("w", 11), (".", 1)],
        "lhe-ptcl": [("B", 2), ("?", 9), ("B", 1)],
        "khi-zong": [],
    }
)
@given(st.fixed_dictionaries(dict.fromkeys(("khi-ptcl", "lhe-ptcl", "khi-zong"), _SPELLS)))
@settings(max_examples=examples(100), deadline=None)
def test_stretches_are_in_order_and_not_longer_than_their_event(
    spells: dict[str, list[tuple[str, int]]],
) -> None:
    """Whatever vantages of one network find while others of it are silent."""
    story = {
        vantage: "".join(letter * count for letter, count in several) or " "
        for vantage, several in spells.items()
    }
    assert all(in_order(event) for event in tell(story).events.values())


# -- what is left of an event that is over -----------------------------------------------------


@pytest.mark.parametrize("days", [1, 8, 20])
@pytest.mark.parametrize("sign", ["w", "?w.w"])
def test_a_vantage_that_comes_back_after_the_end_needs_signs_of_its_own(
    days: int, sign: str
) -> None:
    """It fell silent while its platform was blocked, and a neighbour saw the end. One weak sign,
    days later, was a confirmed event with conclusive evidence, since before it fell silent."""
    story = tell(
        {
            "khi-ptcl": ".BBBBB" + days * DAY * " " + sign,
            "lhe-ptcl": ".BBBBBBBBBBBB" + days * DAY * ".",
        }
    )
    assert (story.only.state, story.only.reopened) == (EventState.ENDED, 0)


def test_a_block_that_comes_back_after_the_end_is_dated_from_the_end() -> None:
    """The vantage that comes back finds a block of its own: another event, with its own evidence,
    which began after the neighbour had found it open."""
    story = tell(
        {
            "khi-ptcl": ".NNNNN" + 8 * DAY * " " + "sss",
            "lhe-ptcl": ".NNNNNNNNNNNN" + 8 * DAY * ".",
        }
    )
    ended, back = story.events.values()
    assert (ended.state, back.state) == (EventState.ENDED, EventState.CONFIRMED)
    assert (back.onset_earliest, back.onset_latest) == (ended.end_latest, at(6 + 8 * DAY))
    assert back.confirmed_at == judged(8 + 8 * DAY)
    assert (back.evidence, back.methods) == ("strong", ("tls.reset",))


@pytest.mark.parametrize("first", [".ss", ".BBB"])
@pytest.mark.parametrize("told_of", [True, False], ids=["time passes", "no report comes"])
def test_what_was_found_is_forgotten_after_a_month(first: str, *, told_of: bool) -> None:
    """Two months later comes a weak sign, which is no block, and no end of one either."""
    story = told([verdict(letter, n) for n, letter in enumerate(first)])
    for days in (1, 31) if told_of else ():
        story.take(pass_time(story.book, at(days * DAY), DEFAULTS))
    story.take(advance(story.book, [verdict("w", 60 * DAY)], DEFAULTS))
    assert not story.only.active
    assert (story.only.end_earliest, story.only.end_latest) == (at(len(first) - 1), None)


# -- a vantage that measures less often -----------------------------------------------------


def hourly(letters: str) -> str:
    """One letter an hour."""
    return "".join(letter + 11 * " " for letter in letters)


@pytest.mark.parametrize("block", [6 * "B", 8 * "s"])
def test_between_two_tests_of_an_agent_with_a_longer_interval_nothing_changes(block: str) -> None:
    """An agent that saves bytes measures once an hour, Zong every five minutes. Its block is
    confirmed, goes on between its tests, and ends after some open ones."""
    letters = hourly(f"....{block}....")
    story = tell({"khi-ptcl": letters, "khi-zong": len(letters) * "."})
    event = story.only
    assert event.state is EventState.ENDED
    assert (event.onset_earliest, event.onset_latest) == (at(36), at(48))
    last = 48 + 12 * (len(block) - 1)
    assert (event.end_earliest, event.end_latest) == (at(last), at(last + 12))
    assert event.confirmed_at is not None
    assert not {"unobserved", "reblocked"} & set(story.changes)


def test_an_agent_with_a_longer_interval_falls_silent_later() -> None:
    """After six of its own intervals, not of the collector's. One long pause is no interval."""
    letters = hourly("....BBB")
    for hours, state in ((5, EventState.CONFIRMED), (7, EventState.UNOBSERVED)):
        story = tell({"khi-ptcl": letters, "khi-zong": (len(letters) + 12 * (hours - 1)) * "."})
        assert story.only.state is state
    once = "." + 96 * " " + "BB"
    assert tell({"khi-ptcl": once, "khi-zong": (len(once) + 12) * "."}).only.state is (
        EventState.UNOBSERVED
    )


# -- another network ---------------------------------------------------------------------------


def moved(letters: str, at_cycle: int) -> list[PlatformVerdict]:
    """A vantage on PTCL that is on Zong from some cycle on, by its configuration."""
    return [
        verdict(letter, n, network=NETWORKS[PTCL if n < at_cycle else ZONG])
        for n, letter in enumerate(letters)
    ]


def test_a_vantage_that_moves_accuses_its_new_network_alone() -> None:
    """It was open on PTCL. PTCL was said to block what Zong blocks."""
    event = told(moved(5 * "." + "..BBB", 5)).only
    assert [(one.network, one.affected) for one in event.networks] == [("Zong", True)]


@pytest.mark.parametrize("restart", [False, True])
def test_a_vantage_that_moves_ends_nothing_on_its_old_network(*, restart: bool) -> None:
    """Nobody tests PTCL any more; that Zong is open is no end of its block."""
    verdicts = moved(".BBB" + 20 * ".", 4)
    story = told(verdicts[:4])
    if restart:
        places = [*story.book.places, *(("", one) for one in story.book.outages), ("", "")]
        saved = checkpoints_of(story.book, places)
        story.book = restored(saved, verdicts[:4], (), DEFAULTS, story.book.logged, [PTCL])
    for one in verdicts[4:]:
        story.take(advance(story.book, [one], DEFAULTS))
    event = story.only
    assert event.state is EventState.UNOBSERVED
    assert [(one.network, one.unobserved, one.found_open) for one in event.networks] == [
        ("PTCL", True, False),
        ("Zong", False, True),
    ]
    (only,) = stretches(event)
    assert (only.end_earliest, only.end_latest) == (at(3), None)


def test_what_a_moved_vantage_left_is_closed_without_an_end() -> None:
    """After a month, as where it is no longer measured."""
    verdicts = moved(".BBB" + 31 * DAY * ".", 4)
    event = told(verdicts).only
    assert (event.state, event.end_earliest, event.end_latest) == (EventState.ENDED, at(3), None)
