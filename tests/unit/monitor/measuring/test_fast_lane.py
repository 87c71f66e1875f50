"""What is suspicious is looked at again out of turn, within bounds, and the schedule returns."""

from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest

from monitor.analysis.events.detection import EventBook, advance
from monitor.analysis.events.settings import EventSettings
from monitor.budget.ledger import Ledger
from monitor.config.catalog import select_platforms, shipped_catalog
from monitor.config.load import default_settings
from monitor.config.settings import Settings
from monitor.measuring.between_turns import ShortTests
from monitor.measuring.fast_lane import IN_A_ROW, PER_HOUR, FastLane
from probes.vantage import Profile, VantagePoint, VantageRole
from storage.values.cycle import Cycle
from tests.contract.cycles import cycle as any_cycle
from tests.unit.monitor.analysis.events.test_events import at, verdict

FIELD = VantagePoint(id="khi-ptcl", country="PK", asn=17557, network="PTCL")
SETTINGS = msgspec.structs.replace(
    default_settings(),
    vantages=(FIELD,),
    catalog=select_platforms(shipped_catalog(), ["x", "facebook"]),
)


class Story:
    """Cycles of one vantage, one after the other, and what is to be looked at after each."""

    def __init__(self, settings: Settings = SETTINGS, vantage: VantagePoint = FIELD) -> None:
        self.vantage = vantage
        ledger = Ledger(settings, now=lambda: at(0))
        self.lane = FastLane(settings, ledger)
        self.book = EventBook()
        self.number = 0

    def goes_on(self, **letters: str) -> frozenset[str]:
        """One more cycle, in letters of test_events by platform, half a minute later."""
        self.number += 1
        moment = at(0) + timedelta(seconds=30 * self.number)
        verdicts = tuple(
            msgspec.structs.replace(
                verdict(letter, self.number, self.vantage.id, platform=platform),
                started_at=moment,
                judged_at=moment + timedelta(seconds=5),
            )
            for platform, letter in letters.items()
        )
        self.book = advance(self.book, verdicts, EventSettings()).book
        cycle: Cycle = msgspec.structs.replace(
            any_cycle(self.number), platforms=verdicts, finished_at=moment + timedelta(seconds=6)
        )
        self.last = cycle
        return self.lane.wanted(self.vantage, cycle, self.book)


def test_nothing_hurries_while_all_is_well() -> None:
    """Clean cycles, outages and cycles that can tell nothing leave the schedule alone."""
    story = Story()
    assert [story.goes_on(x=letter, facebook=".") for letter in "..?d."] == [frozenset()] * 5


def test_from_the_first_sign_until_it_is_decided() -> None:
    """Only the platform in question hurries, from the first sign until the block is certain."""
    story = Story()
    hurried = [story.goes_on(x=letter, facebook=".") for letter in ".BBB"]
    assert hurried == [frozenset(), {"x"}, frozenset(), frozenset()]


def test_a_false_alarm_is_soon_over() -> None:
    """Clean looks after a weak sign end the hurry."""
    story = Story()
    hurried = [bool(story.goes_on(x=letter)) for letter in ".w......."]
    assert hurried[1]
    assert not hurried[-1]


def test_the_end_of_a_block_hurries_as_well() -> None:
    """From the first clean look after a block until it counts as over."""
    story = Story()
    hurried = [bool(story.goes_on(x=letter)) for letter in ".BB" + 40 * "."]
    assert hurried[2:5] == [False, True, True]
    assert not hurried[-1]


def test_hurry_that_brings_nothing_ends() -> None:
    """After some looks without news the platform waits for its turn, until something changes."""
    story = Story()
    hurried = [bool(story.goes_on(x=letter)) for letter in ".B" + 30 * "?"]
    assert sum(hurried) == IN_A_ROW
    assert not story.goes_on(x="B")  # certain now
    assert story.goes_on(x=".")  # and perhaps over


def test_so_many_an_hour() -> None:
    """However much is suspicious, a vantage hurries only so often."""
    story = Story()
    hurried = [bool(story.goes_on(x=".w"[n % 9 == 0])) for n in range(1, 400)]
    assert max(sum(hurried[n : n + 120]) for n in range(280)) <= PER_HOUR


def test_within_the_bytes_kept_for_suspicion() -> None:
    """Without bytes left for suspicion nothing hurries."""
    probe = msgspec.structs.replace(SETTINGS.probe, daily_bytes=100_000)
    story = Story(msgspec.structs.replace(SETTINGS, probe=probe))
    assert not story.goes_on(x="B")


@pytest.mark.parametrize(
    "change",
    [
        {"vantages": (msgspec.structs.replace(FIELD, profile=Profile.QUIET),)},
        {"vantages": (msgspec.structs.replace(FIELD, role=VantageRole.CONTROL),)},
        {"events": EventSettings(fast_lane=0.0)},
        {"interval": 20.0},
    ],
    ids=["quiet", "control", "switched off", "no faster than the schedule"],
)
def test_who_never_hurries(change: dict[str, object]) -> None:
    """Quiet vantages and controls do not, nor anybody where it is switched off or no use."""
    settings = msgspec.structs.replace(SETTINGS, **change)
    assert not Story(settings, settings.vantages[0]).goes_on(x="B")


def test_throttling_keeps_its_own_clock() -> None:
    """A speed is not measured again by looking again."""
    story = Story()
    assert not any(story.goes_on(x=letter) for letter in "." + 5 * "t")


BESIDE = msgspec.structs.replace(FIELD, id="khi-zong", asn=59257)
ABROAD = msgspec.structs.replace(FIELD, id="gru-vivo", country="BR")
HIDDEN = msgspec.structs.replace(BESIDE, id="lhe-quiet", profile=Profile.QUIET)


def test_the_other_vantages_of_the_country_are_asked_once() -> None:
    """At the first sign, for the platform alone; again only once all is clear."""
    everywhere = (FIELD, BESIDE, ABROAD, HIDDEN)
    story = Story(msgspec.structs.replace(SETTINGS, vantages=everywhere))

    def asked(letter: str) -> list[tuple[str, frozenset[str]]]:
        story.goes_on(x=letter, facebook=".")
        found = story.lane.witnesses(FIELD, story.last, story.book)
        return [(vantage.id, names) for vantage, names in found]

    assert asked(".") == []
    assert asked("B") == [("khi-zong", frozenset({"x"}))]
    assert [asked("B"), asked("?"), asked("B")] == [[], [], []]
    for _ in range(60):
        assert asked(".") == []
    assert asked("B") == [("khi-zong", frozenset({"x"}))]


def short(story: Story, silent: str = "", answered: str = "") -> frozenset[str]:
    """What is measured at once after short tests of which these went so."""
    asked = story.lane.short_tests(story.vantage, story.book)
    found = ShortTests(
        at=at(0) + timedelta(seconds=30 * story.number),
        silent=asked & frozenset(silent.split()),
        answered=asked & frozenset(answered.split()),
    )
    return story.lane.unanswered(story.vantage, found)


def test_what_is_silent_between_two_turns_is_measured_at_once() -> None:
    """A vantage that is alone met a block at its next turn, up to six minutes later."""
    story = Story()
    story.goes_on(x=".", facebook=".")
    assert story.lane.short_tests(FIELD, story.book) == {"x", "facebook"}
    assert short(story, silent="x", answered="facebook") == {"x"}


def test_what_is_suspicious_or_blocked_is_not_tested_between() -> None:
    """It is measured soon anyhow, or a short test would tell nothing new."""
    story = Story()
    for letter in ".BB":
        story.goes_on(x=letter, facebook=".")
        assert ("x" in story.lane.short_tests(FIELD, story.book)) is (letter == ".")


def test_short_tests_that_come_to_nothing_become_rare() -> None:
    """A test that fails though the platform is well has it measured less and less often; an answer
    makes up for that."""
    story = Story()
    story.goes_on(x=".", facebook=".")
    measured = []
    for number in range(40):
        if short(story, silent="x"):
            measured.append(number)
            story.goes_on(x=".", facebook=".")
    assert [b - a for a, b in pairwise(measured)] == [2, 3, 5, 9, 17]
    while "x" not in story.lane.short_tests(FIELD, story.book):
        pass
    story.lane.unanswered(FIELD, ShortTests(at=at(0), answered=frozenset({"x"})))
    assert short(story, silent="x") == {"x"}


def test_short_tests_keep_to_the_limit_of_an_hour() -> None:
    """A line that is down fails all of them, and measures no more than else."""
    story = Story()
    for _ in range(PER_HOUR):
        story.goes_on(x=".w"[story.number % 9 == 0])
    count = sum(bool(short(story, silent="x facebook")) for _ in range(2 * PER_HOUR))
    assert count < PER_HOUR


@pytest.mark.parametrize(
    "profile_or_role", [{"profile": Profile.QUIET}, {"role": VantageRole.CONTROL}]
)
def test_who_is_never_tested_between(profile_or_role: dict[str, object]) -> None:
    """Quiet vantages and controls."""
    vantage = msgspec.structs.replace(FIELD, **profile_or_role)
    story = Story(msgspec.structs.replace(SETTINGS, vantages=(vantage,)), vantage)
    assert not story.lane.short_tests(vantage, story.book)
