"""A platform is ok while a function that is not core is undecided. Where that is the one that a
block cut off, nothing is known of the block."""

import msgspec
import pytest

from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import FunctionVerdict, PlatformVerdict, State
from tests.unit.monitor.analysis.events.test_events import at, told, verdict

LETTERS = {
    ".": (State.OK, State.OK),
    "p": (State.OK, State.BLOCKED),
    "i": (State.OK, State.INSUFFICIENT),
    "d": (State.OK, State.DOWN),
    "B": (State.BLOCKED, State.BLOCKED),
    "-": (State.OK, None),
}
"""The site, and its pictures; None: they are no longer in the catalogue."""


def story(letters: str) -> list[PlatformVerdict]:
    """The verdicts of one vantage, one letter a cycle."""
    return [_verdict(letter, cycle) for cycle, letter in enumerate(letters)]


def _verdict(letter: str, cycle: int) -> PlatformVerdict:
    web, media = LETTERS[letter]
    functions = [FunctionVerdict(function="web", core=True, state=web)]
    if media is not None:
        functions.append(FunctionVerdict(function="media", core=False, state=media))
    like = letter if letter in "pB" else "."
    return msgspec.structs.replace(verdict(like, cycle), functions=tuple(functions))


@pytest.mark.parametrize("undecided", ["i", "d"])
def test_no_data_on_what_was_blocked_is_no_end(undecided: str) -> None:
    """Pictures are blocked, and then undecided, or down everywhere, while the site works."""
    told_of = told(story("..." + 15 * "p" + 40 * undecided))
    assert told_of.changes[-2:] == ["network_unobserved", "unobserved"]
    assert not {"network_recovering", "network_recovered", "ended"} & set(told_of.changes)
    assert told_of.only.networks[0].stretches[-1].end_earliest == at(17)


def test_a_block_that_one_cycle_in_eight_decides_goes_on() -> None:
    """The line loses packets: twelve false ends were told, and twelve returns."""
    told_of = told(story("..." + 15 * ("p" + 7 * "i")))
    assert told_of.only.state in (EventState.CONFIRMED, EventState.UNOBSERVED)
    assert not {"ended", "reopened", "dismissed"} & set(told_of.changes)
    assert len(told_of.only.networks[0].stretches) == 1


@pytest.mark.parametrize(
    "open_again",
    [".", "i.", "-"],
    ids=["pictures work", "half of the time", "pictures were taken out"],
)
def test_what_was_blocked_and_works_ends_it(open_again: str) -> None:
    """As before: when they work again, or are no longer part of the platform."""
    told_of = told(story("..." + 15 * "p" + 10 * open_again))
    assert told_of.only.state is EventState.ENDED


def test_the_core_that_works_again_ends_a_block_of_all() -> None:
    """The site was blocked too, and works; its pictures stay undecided."""
    assert told(story("..." + 15 * "B" + 10 * "i")).only.state is EventState.ENDED
