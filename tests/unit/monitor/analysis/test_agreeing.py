"""Who says the same as unrelated others: fields on platforms, controls on endpoints."""

from datetime import timedelta

import msgspec

from monitor.analysis.agreeing import compare_controls, compare_fields
from monitor.analysis.events.control_differs import DifferingControl, take_in
from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.trust import KeyPeriod, Trust
from monitor.analysis.verdict import PlatformVerdict, State
from probes.measurement import Measurement
from tests.worlds.build import START, control

KNOWN = (KeyPeriod(since=START, established_at=START),)
TRUST = Trust(agents=dict.fromkeys("abcdef", KNOWN), agreement=2)


def verdict(vantage: str, asn: int, platform: str, state: State) -> PlatformVerdict:
    """Of one field vantage in Pakistan."""
    return PlatformVerdict(
        cycle=f"cycle-{vantage}",
        vantage=vantage,
        country="PK",
        asn=asn,
        network="",
        vantage_role="field",
        platform=platform,
        state=state,
        rule_id="endpoint.reached",
        functions=(),
        started_at=START,
        judged_at=START,
        rules_version="5",
    )


def seen(vantage: str, asn: int, *, reached: bool, at: float = 0.0) -> Measurement:
    """By one control."""
    made = control(reached=reached, vantage=vantage, at=at)
    return msgspec.structs.replace(made, asn=asn, network="")


def test_fields_are_compared_with_unrelated_ones_of_their_country() -> None:
    """The neighbour on the same network proves nothing, and what nobody could judge neither."""
    said = [
        *(verdict("a", 1, f"p{n}", State.OK) for n in range(9)),
        *(verdict("b", 1, f"p{n}", State.BLOCKED) for n in range(9)),
        *(verdict("c", 2, f"p{n}", State.OK) for n in range(8)),
        verdict("c", 2, "p8", State.INSUFFICIENT),
    ]
    found = compare_fields(said, TRUST, START)
    assert (found["a"].same, found["a"].different) == (8, ())
    assert found["a"].agrees
    assert not found["b"].agrees
    assert len(found["b"].different) == 8


def test_one_differing_platform_of_many_is_agreement() -> None:
    """Networks of one country block differently."""
    said = [
        verdict(vantage, asn, f"p{n}", State.DEGRADED if (vantage, n) == ("a", 0) else State.OK)
        for vantage, asn in (("a", 1), ("c", 2))
        for n in range(5)
    ]
    assert compare_fields(said, TRUST, START)["a"].agrees
    assert compare_fields(said[:5], TRUST, START) == {}, "alone, nobody is compared"


def test_a_control_differs_from_the_majority_of_the_others() -> None:
    """By its newest measurement, and with one other each differs from the other."""
    three = [
        seen("a", 1, reached=True),
        seen("a", 1, reached=False, at=200),
        seen("b", 2, reached=True),
        seen("c", 3, reached=True),
    ]
    found = compare_controls(three, TRUST, START)
    assert {name for name, one in found.items() if one.different} == {"a"}
    two = compare_controls(three[:3], TRUST, START)
    assert {name for name, one in two.items() if one.different} == {"a", "b"}


def test_no_single_agent_makes_an_own_control_differ() -> None:
    """Two of them do."""
    own = [seen("own", 9, reached=True), seen("a", 1, reached=False)]
    found = compare_controls(own, TRUST, START)
    assert {name for name, one in found.items() if one.different} == {"a"}
    found = compare_controls([*own, seen("b", 2, reached=False)], TRUST, START)
    assert "own" in {name for name, one in found.items() if one.different}


def compared(*different: str) -> list[DifferingControl]:
    """Control `a`, next to the others."""
    return [DifferingControl(vantage="a", country="DE", asn=1, network="DTAG", different=different)]


def test_a_control_that_differs_twice_in_a_row_is_confirmed_and_over_when_it_agrees() -> None:
    """One comparison may have hit a moment; what cannot be compared stays as it was."""
    step = timedelta(minutes=10)
    active, changes = take_in({}, compared("https://x.com/"), "a", START)
    assert [(c.name, c.detail) for c in changes] == [("opened", "https://x.com/")]
    assert active["a"].kind is EventKind.CONTROL_DIFFERS
    active, changes = take_in(active, compared("https://x.com/"), "a", START + step)
    assert [c.name for c in changes] == ["confirmed"]
    active, changes = take_in(active, compared("https://t.co/"), "a", START + 2 * step)
    assert [c.name for c in changes] == [""]
    assert take_in(active, [], "a", START + 3 * step) == (active, ())
    active, changes = take_in(active, compared(), "a", START + 3 * step)
    assert active == {}
    (change,) = changes
    assert (change.name, change.event.state) == ("ended", EventState.ENDED)
    assert (change.event.end_earliest, change.event.end_latest) == (
        START + 2 * step,
        START + 3 * step,
    )


def test_a_moment_of_difference_is_dismissed() -> None:
    """It was never confirmed."""
    active, _ = take_in({}, compared("https://x.com/"), "a", START)
    _, (change,) = take_in(active, compared(), "a", START + timedelta(minutes=10))
    assert change.event.state is EventState.DISMISSED


def test_a_control_that_is_removed_is_no_longer_said_to_differ() -> None:
    """Nobody saw it agree."""
    active, _ = take_in({}, compared("https://x.com/"), "a", START)
    active, (change,) = take_in(active, [], "b", START + timedelta(minutes=10))
    assert active == {}
    assert (change.name, change.event.end_latest) == ("dismissed", None)
