"""When a verdict was measured: from the start of the first attempt that decided to the end of the
last. docs/adr/0018 has the argument."""

from datetime import timedelta

import msgspec
import pytest

from monitor.analysis.judge.platform import roll_up
from monitor.analysis.verdict import Evidence, State, Verdict
from probes.catalog.catalog import Function, Need, Platform
from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import Measurement
from tests.worlds.build import START, case, control, dns, http, look, tcp, tls
from tests.worlds.judged import judge

HOSTS = ("one.example", "two.example")


def failed(at: float, lasting: float = 2.0) -> Measurement:
    """An attempt that is reset."""
    return look(dns(), tcp(), tls("connection_reset"), at=at, duration=lasting)


def worked(at: float, lasting: float = 2.0) -> Measurement:
    return look(dns(), tcp(), tls(), http(), at=at, duration=lasting, reached=True)


def seconds(verdict: Verdict) -> tuple[float, float]:
    """The two times, in seconds after START."""
    assert verdict.measured_at is not None
    assert verdict.measured_until is not None
    return (
        (verdict.measured_at - START).total_seconds(),
        (verdict.measured_until - START).total_seconds(),
    )


def test_a_success_after_a_failure_dates_the_verdict() -> None:
    """What failed first says when it was not yet open, so it says nothing about being open."""
    verdict = judge(case(failed(0.0), worked(20.0, 3.0)))
    assert verdict.state is State.OK
    assert seconds(verdict) == (20.0, 23.0)


def test_all_failures_together_date_a_block() -> None:
    """No single one of them suffices: the first may have failed before the block began, the last
    after it ended."""
    verdict = judge(case(failed(0.0), failed(5.0), failed(10.0, 4.0), controls=(control(at=20.0),)))
    assert verdict.state is State.BLOCKED
    assert seconds(verdict) == (0.0, 14.0)


def test_failures_before_a_success_do_not_count() -> None:
    """It was open in between, so the block is later."""
    verdict = judge(
        case(failed(0.0), worked(5.0), failed(9.0), failed(12.0), controls=(control(at=20.0),))
    )
    assert verdict.state is State.BLOCKED
    assert seconds(verdict) == (9.0, 14.0)


def test_nothing_measured_has_no_time() -> None:
    verdict = judge(case())
    assert (verdict.measured_at, verdict.measured_until) == (None, None)


# -- platforms -----------------------------------------------------------------------------------


def platform(need: Need) -> Platform:
    endpoints = tuple(parse_endpoint(f"https://{host}/") for host in HOSTS)
    function = Function(name="web", core=True, need=need, endpoints=endpoints)
    return Platform(name="x", title="X", owner="x", functions=(function,))


def verdict(host: str, state: State, since: float, until: float) -> Verdict:
    """A verdict on one endpoint, measured in these seconds."""
    accused = state is State.BLOCKED
    return Verdict(
        measurement=f"m-{host}",
        cycle="cycle-1",
        vantage="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        vantage_role="field",
        platform="x",
        function="web",
        endpoint=f"https://{host}/",
        state=state,
        method="tls" if accused else "",
        sub_method="reset" if accused else "",
        rule_id="rule",
        evidence=Evidence.STRONG if accused else Evidence.NONE,
        judged_at=START + timedelta(seconds=60),
        rules_version="1",
        measured_at=START + timedelta(seconds=since),
        measured_until=START + timedelta(seconds=until),
    )


@pytest.mark.parametrize(
    ("need", "one", "two", "state", "expected"),
    [
        (Need.ALL, State.OK, State.OK, State.OK, (0.0, 12.0)),
        (Need.ANY, State.OK, State.BLOCKED, State.OK, (0.0, 2.0)),
        (Need.ALL, State.OK, State.BLOCKED, State.BLOCKED, (10.0, 12.0)),
        (Need.ALL, State.BLOCKED, State.BLOCKED, State.BLOCKED, (0.0, 2.0)),
        (Need.ANY, State.BLOCKED, State.BLOCKED, State.BLOCKED, (0.0, 12.0)),
    ],
    ids=[
        "open when all that is needed worked",
        "what is not needed does not count",
        "one blocked endpoint decides",
        "one of two decides",
        "the block may hit one after the other",
    ],
)
def test_those_that_decide_date_a_platform(
    need: Need, one: State, two: State, state: State, expected: tuple[float, float]
) -> None:
    """All that are needed for the state, and no other."""
    given = [verdict("one.example", one, 0.0, 2.0), verdict("two.example", two, 10.0, 12.0)]
    seen = roll_up(platform(need), given, started_at=START - timedelta(seconds=5))
    assert seen.state is state
    times = [(at - START).total_seconds() for at in (seen.since, seen.until)]
    assert tuple(times) == expected


def test_a_fast_transfer_dates_an_open_platform_too() -> None:
    """Throttling ends between the endpoints' measurements and the transfer after them."""
    given = [verdict(host, State.OK, 0.0, 2.0) for host in HOSTS]
    speed = verdict("one.example", State.OK, 30.0, 45.0)
    seen = roll_up(platform(Need.ALL), given, started_at=START, speeds=[speed])
    assert seen.until == START + timedelta(seconds=45)
    assert [function.tested for function in seen.functions] == [("throttling",)]


def test_a_stalled_function_keeps_its_bytes() -> None:
    """Where it is accused; one that works again has none."""
    slow = verdict("one.example", State.THROTTLED, 30.0, 45.0)
    function = platform(Need.ALL).functions[0].name
    for given, bytes_ in ((slow, 16_222), (verdict("one.example", State.OK, 0.0, 1.0), 0)):
        both = [given, verdict("two.example", State.OK, 0.0, 2.0)]
        seen = roll_up(platform(Need.ALL), both, started_at=START, stalls={function: 16_222})
        assert [one.stalled_after for one in seen.functions] == [bytes_]


def test_old_verdicts_fall_back_on_their_cycle() -> None:
    """A stored verdict without the times was measured between its first measurement and its
    judgement, whatever decided it."""
    given = [
        msgspec.structs.replace(
            verdict(host, State.OK, 0.0, 2.0), measured_at=None, measured_until=None
        )
        for host in HOSTS
    ]
    seen = roll_up(platform(Need.ALL), given, started_at=START)
    assert (seen.since, seen.until) == (START, START + timedelta(seconds=60))
