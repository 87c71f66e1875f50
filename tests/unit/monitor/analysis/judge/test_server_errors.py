"""Errors that the platform itself answers with: nobody's block, and no proof that it works."""

import pytest

from monitor.analysis.judge.second_attempt import retry_may_tell, suspicious
from monitor.analysis.verdict import Evidence
from probes.measurement import HttpObservation, Measurement
from tests.worlds.build import case, control, dns, http, look, repeated, tcp, tls
from tests.worlds.judged import judge


def page(status: int, **fields: object) -> tuple[HttpObservation, ...]:
    """One answer over verified TLS."""
    return dns(), tcp(), tls(), http(status=status, **fields)  # type: ignore[arg-type,return-value]


CHALLENGE = (("cf-mitigated", "challenge"),)


@pytest.mark.parametrize(
    ("here", "elsewhere", "rule_id"),
    [
        (503, (503,), "control.also_errs"),
        (500, (502, 503), "control.also_errs"),
        (503, (200,), "http.withheld_here"),
        (503, (503, 200), "http.withheld_here"),
        (403, (200,), "http.withheld_here"),
        (403, (403,), "endpoint.reached"),
        (403, (403, 200), "endpoint.reached"),
        (404, (200,), "endpoint.reached"),
        (200, (503,), "endpoint.reached"),
        (503, (), "control.missing"),
        (403, (), "control.missing"),
    ],
)
def test_what_an_error_means_is_told_by_the_controls(
    here: int, elsewhere: tuple[int, ...], rule_id: str
) -> None:
    """The same error for everybody is an outage, one here alone accuses nobody, and without a
    control neither is ok."""
    controls = tuple(
        control(*page(status), vantage=f"ctl-{number}") for number, status in enumerate(elsewhere)
    )
    verdict = judge(case(*repeated(*page(here), times=2, reached=True), controls=controls))
    assert (verdict.rule_id, verdict.evidence) == (rule_id, Evidence.NONE)


def test_an_error_that_is_over_at_the_next_attempt_is_none() -> None:
    """A server may fail once."""
    attempts = (
        look(*page(503), reached=True),
        look(*page(200), at=2, reached=True),
    )
    assert judge(case(*attempts)).rule_id == "endpoint.reached"


def test_a_robot_check_is_no_error() -> None:
    """The site lives, and asks for a person."""
    verdict = judge(case(look(*page(403, headers=CHALLENGE), reached=True)))
    assert verdict.rule_id == "endpoint.reached"


@pytest.mark.parametrize(
    ("seen", "more"),
    [
        (look(*page(503), reached=True), True),
        (look(*page(403), reached=True), True),
        (look(*page(404), reached=True), False),
        (look(*page(403, headers=CHALLENGE), reached=True), False),
    ],
)
def test_only_errors_that_a_control_can_explain_cost_a_control(
    seen: Measurement, *, more: bool
) -> None:
    """Hosts of applications answer a browser with many a 404."""
    assert suspicious(seen, ("ipv4",)) is more


def test_nothing_is_tried_again_where_a_control_meets_the_same_error() -> None:
    """An outage is not made worse by those who watch it."""
    failed = look(*page(503), reached=True)
    assert not retry_may_tell(failed, [control(*page(503))], ("ipv4",))
    assert retry_may_tell(failed, [control(*page(200))], ("ipv4",))
