"""Greetings in another form than the usual one."""

import msgspec
import pytest

from monitor.analysis.seen import EndpointMeasurements, Seen
from monitor.analysis.verdict import Evidence, State
from monitor.judging.judge_cycle import judge_cycle
from probes.catalog.catalog import Catalog, Function, Platform
from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation
from probes.vantage import VantagePoint
from tests.worlds.build import (
    ENDPOINT,
    START,
    case,
    control,
    dns,
    follow_up,
    health,
    http,
    look,
    repeated,
    tcp,
    tls,
)
from tests.worlds.judged import judge

X = Platform(
    name="x",
    title="X",
    owner="x",
    functions=(Function(name="web", core=True, endpoints=(parse_endpoint(ENDPOINT),)),),
)
(ANSWERED,) = follow_up(
    Reason.OTHER_HELLO_INNOCUOUS, tls(server_name="innocuous.example")
).observations


@pytest.mark.parametrize(
    ("seconds", "failure", "told"),
    [
        (0.1, "generic_timeout_error", (State.BLOCKED, Evidence.STRONG)),
        (0.1, "connection_reset", (State.BLOCKED, Evidence.STRONG)),
        (3.0, "generic_timeout_error", (State.OK, Evidence.NONE)),
        (3.0, "connection_reset", (State.BLOCKED, Evidence.STRONG)),
    ],
)
def test_a_server_that_answers_late_is_silent_now_and_then(
    seconds: float, failure: str, told: tuple[State, Evidence]
) -> None:
    """Silence after the other greeting says nothing of it then. On a bad line luck made every
    other greeting wait longer than a test does; a server cuts none off."""
    usual = msgspec.structs.replace(tls(), duration=seconds)
    (other,) = follow_up(Reason.OTHER_HELLO, tls(failure)).observations
    looks = repeated(dns(), tcp(), usual, http(), other, ANSWERED, times=4, reached=True)
    verdict = judge(case(*looks))
    assert (verdict.state, verdict.evidence) == told


def test_a_server_that_refuses_connections_cuts_off_greetings_by_chance() -> None:
    """One that took nobody for some seconds twice met the other greeting, and never the usual one;
    a connection it refused tells of it."""
    (cut,) = follow_up(Reason.OTHER_HELLO, tls("connection_reset")).observations
    (refused,) = follow_up(Reason.OTHER_HELLO, tcp("connection_refused")).observations
    looks = [
        look(dns(), tcp(), tls(), http(), other, ANSWERED, at=n, attempt=n + 1, reached=True)
        for n, other in enumerate((cut, cut, refused))
    ]
    grades = [judge(case(*some)).evidence for some in (looks[:2], looks)]
    assert grades == [Evidence.STRONG, Evidence.WEAK]


def test_a_greeting_that_nobody_can_compare_makes_nothing_ok() -> None:
    """Without a control the usual one that is answered does not acquit the censor of the other."""
    (cut,) = follow_up(Reason.OTHER_HELLO, tls("connection_reset")).observations
    looks = repeated(dns(), tcp(), tls(), http(), cut, ANSWERED, times=4, reached=True)
    assert judge(case(*looks, controls=())).rule_id == "part.no_control"


def shown_with(*beside: AnyObservation) -> tuple[str, ...]:
    """What the site was tested for in a cycle that met this beside the usual greeting."""
    looks = repeated(dns(), tcp(), tls(), http(), *beside, times=4, reached=True)
    seen = Seen(
        cycle="cycle-1",
        vantage=VantagePoint(id="khi-ptcl", country="PK"),
        started_at=START,
        finished_at=START,
        judged_at=START,
        health=health(),
        endpoints=(
            EndpointMeasurements(
                platform="x",
                function="web",
                endpoint=ENDPOINT,
                attempts=looks,
                controls=(control(),),
            ),
        ),
        control_health={"ctl-fra": health(vantage="ctl-fra")},
        measurements=looks,
    )
    (platform,) = judge_cycle(seen, Catalog(platforms=(X,)), ()).platforms
    return platform.functions[0].tested


def test_a_function_says_whether_another_form_was_tested() -> None:
    """One endpoint in ten is greeted so: any other cycle says nothing of when it still worked, nor
    does one in which an innocuous name was cut off as well."""
    (well,) = follow_up(Reason.OTHER_HELLO, tls()).observations
    (cut,) = follow_up(Reason.OTHER_HELLO, tls("connection_reset")).observations
    both = (cut, msgspec.structs.replace(ANSWERED, failure="connection_reset"))
    assert (shown_with(), shown_with(well)) == ((), ("hello",))
    assert (shown_with(cut, ANSWERED), shown_with(*both)) == (("hello",), ())
