"""One vantage alone, broken or lying, neither makes an event nor hides one."""

from collections.abc import Mapping
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.events.agreement import Outlier, outliers
from monitor.analysis.events.event import EventState
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import ACCUSED, FunctionVerdict, State
from tests.unit.monitor.analysis.events.test_events import Told, judged, told, verdict

NETWORK = (17557, "PTCL")
CALM = "." * 6


def tell(story: Mapping[str, str], rules: EventSettings | None = None) -> Told:
    """A story of vantages of one network, one letter a cycle."""
    length = max(map(len, story.values()))
    verdicts = [
        verdict(letters[cycle], cycle, vantage, network=NETWORK)
        for cycle in range(length)
        for vantage, letters in story.items()
        if letters[cycle : cycle + 1].strip()
    ]
    return told(verdicts, rules=rules or EventSettings())


def alone(story: Mapping[str, str]) -> tuple[Outlier, ...]:
    """The outliers at the end of a story."""
    (timeline,) = tell(story).book.places.values()
    now = judged(max(map(len, story.values())) - 1)
    return outliers(timeline.current.streams.values(), now, EventSettings())


def test_one_liar_makes_no_event_that_stands() -> None:
    """A vantage that claims conclusive evidence for hours, which two neighbours do not find, is
    doubted as soon as they have looked: nothing is confirmed, and nothing is still claimed."""
    story = tell({"a": CALM + "B" * 30, "b": "." * 36, "c": "." * 36})
    assert "confirmed" not in story.changes
    assert not [event for event in story.events.values() if event.active]
    assert alone({"a": CALM + "B" * 9, "b": "." * 15, "c": "." * 15}) == (
        Outlier(vantage="a", accuses=True),
    )


def test_one_liar_hides_no_event() -> None:
    """A vantage that says all is well ends no event of its network, and is noticed."""
    story = tell({"a": CALM + "B" * 9, "b": CALM + "B" * 9, "liar": "." * 15})
    assert story.only.state is EventState.CONFIRMED
    (status,) = story.only.networks
    assert status.blocked_now
    assert alone({"a": CALM + "B" * 9, "b": CALM + "B" * 9, "liar": "." * 15}) == (
        Outlier(vantage="liar", accuses=False),
    )


def test_one_liar_keeps_no_event_going() -> None:
    """When two of three see it open again, the third does not keep the event alive."""
    blocked = CALM + "B" * 9
    story = tell({"a": blocked + "." * 12, "b": blocked + "." * 12, "liar": blocked + "B" * 12})
    assert story.only.state is EventState.ENDED


def test_the_first_to_see_a_block_is_no_outlier() -> None:
    """Before the others have looked again, nobody contradicts the first that sees a block."""
    assert not alone({"a": CALM + "BB", "b": CALM, "c": CALM})
    story = tell({"a": CALM + "BBB", "b": CALM + " BB", "c": CALM + " BB"})
    assert story.only.state is EventState.CONFIRMED


def test_two_against_two_is_told() -> None:
    """A network that blocks some of its users is no outlier, and an event."""
    half = {"a": CALM + "BBB", "b": CALM + "BBB", "c": CALM + "...", "d": CALM + "..."}
    assert not alone(half)
    assert tell(half).only.state is EventState.CONFIRMED


@pytest.mark.parametrize("others", [{}, {"b": CALM + "..."}])
def test_too_few_to_contradict(others: Mapping[str, str]) -> None:
    """Alone in its network, or with one neighbour, a vantage is believed: nobody outvotes it."""
    assert tell({"a": CALM + "BBB", **others}).only.confirmed_at is not None


def test_those_who_know_nothing_contradict_nobody() -> None:
    """Neighbours that have long been offline, or silent, are no witnesses."""
    story = {"a": CALM + "B" * 12, "b": CALM + "?" * 12, "c": CALM}
    assert not alone(story)
    assert tell(story).only.confirmed_at


def test_agreement_as_set() -> None:
    """With `agreement = 2` one vantage suspects and two confirm, whatever evidence the one has."""
    rules = msgspec.structs.replace(EventSettings(), agreement=2)
    assert tell({"a": CALM + "B" * 20}, rules).only.state is EventState.SUSPECTED
    both = tell({"a": CALM + "B" * 5, "b": CALM + "  BBB"}, rules)
    assert both.only.state is EventState.CONFIRMED
    assert both.changes[:1] == ["opened"]


@given(st.integers(0, 10**6))
def test_a_liar_changes_nothing_among_honest_neighbours(seed: int) -> None:
    """Whatever one of four vantages of a network says, nothing is confirmed while the others find
    all open, and the block that all others see is confirmed."""
    rng = Random(seed)
    lies = "".join(rng.choices(".Bswpt?d ", k=30))
    honest = dict.fromkeys("abc", "." * 30)
    assert "confirmed" not in tell({**honest, "liar": lies}).changes, lies
    blocked = dict.fromkeys("abc", "." * 10 + "B" * 20)
    story = tell({**blocked, "liar": lies})
    assert any(event.confirmed_at for event in story.events.values() if event.active)


CALLS = {
    "B": FunctionVerdict(function="calls", core=False, state=State.BLOCKED, method="udp"),
    ".": FunctionVerdict(function="calls", core=False, state=State.OK),
    "i": FunctionVerdict(function="calls", core=False, state=State.INSUFFICIENT),
}
"""Of vantages that can test calls, and of one behind a proxy, which cannot."""
SPEED = {
    "B": FunctionVerdict(function="video", core=False, state=State.THROTTLED, method="throttling"),
    ".": FunctionVerdict(function="video", core=False, state=State.OK, tested=("throttling",)),
    "i": FunctionVerdict(function="video", core=False, state=State.OK),
}
"""Of vantages that measure speed, and of a quiet one, which does so of start pages alone."""


def three(what: Mapping[str, FunctionVerdict], others: str) -> Told:
    """All find it open. Then one finds it blocked; the `others` of the network test it, or not."""
    verdicts = []
    for cycle in range(20):
        for vantage, letter in (("a", "B"), ("b", others), ("c", others)):
            found = what["." if cycle < len(CALM) and letter == "B" else letter]
            like = verdict("p" if found.state in ACCUSED else ".", cycle, vantage, network=NETWORK)
            web = FunctionVerdict(function="web", core=True, state=State.OK)
            verdicts.append(msgspec.structs.replace(like, functions=(found, web)))
    return told(verdicts)


@pytest.mark.parametrize("what", [CALLS, SPEED], ids=["calls", "speed"])
def test_who_does_not_test_it_contradicts_nobody(what: Mapping[str, FunctionVerdict]) -> None:
    """Two of three vantages are behind a proxy, or quiet. What the third found blocked was no
    event, and it was shown as the one that differs."""
    story = three(what, "i")
    assert story.only.state is EventState.CONFIRMED
    (timeline,) = story.book.places.values()
    assert not outliers(timeline.current.streams.values(), judged(19), EventSettings())
    contradicted = three(what, ".")
    assert "confirmed" not in contradicted.changes
    assert not [event for event in contradicted.events.values() if event.active]
