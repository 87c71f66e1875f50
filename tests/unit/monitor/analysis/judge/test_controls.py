"""Which measurements of the controls count, and for what."""

from datetime import timedelta

import msgspec
import pytest

from monitor.analysis.verdict import Evidence, State, VantageState
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, Layer
from tests.worlds.build import (
    V4_OTHER,
    V6,
    case,
    control,
    dns,
    egress,
    follow_up,
    health,
    http,
    look,
    repeated,
    tcp,
    tls,
)
from tests.worlds.judge_cases import RESET, SILENT, V6_DNS, WELL, failing
from tests.worlds.judged import judge


def test_platform_going_down_in_mid_cycle_is_not_blocked() -> None:
    """A control look from before the outage does not turn the outage into a block."""
    early_ok = control(at=0.0)
    late_failure = control(dns(), tcp("connection_refused"), reached=False, at=50)
    looks = repeated(dns(), tcp("connection_refused"), times=4)
    verdict = judge(case(*looks, controls=(early_ok, late_failure)))
    assert verdict.rule_id == "control.also_fails"


def test_latest_look_of_a_control_replaces_its_earlier_one() -> None:
    """A control that reached it and then did not says down, though both looks came in time."""
    late_failure = control(dns(), tcp("connection_refused"), reached=False, at=150)
    verdict = judge(failing(*RESET, controls=(control(), late_failure)))
    assert verdict.rule_id == "control.also_fails"


def test_looks_after_the_control_do_not_count() -> None:
    """Only the looks a working control followed are evidence."""
    looks = repeated(*RESET, times=4)
    verdict = judge(case(*looks, controls=(control(at=1.5),)))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.WEAK)


@pytest.mark.parametrize(
    "seen",
    [
        (egress(),),
        (V6_DNS, tcp("network_unreachable", address=V6)),
        (tcp("unknown_failure: proxy: general failure", address=""),),
    ],
)
def test_a_control_that_could_not_look_is_dead(seen: tuple[AnyObservation, ...]) -> None:
    """A control's own trouble does not say that the platform is down."""
    verdict = judge(failing(*RESET, controls=(control(*seen, reached=False),)))
    assert verdict.rule_id == "control.dead"


def test_a_control_whose_proxy_does_not_admit_the_host_is_dead() -> None:
    """ "Not allowed by ruleset" at the only control would call every block an outage."""
    refused = control(tcp("permission_denied", address=""), reached=False)
    there = msgspec.structs.replace(refused, not_observed=(Layer.TCP,))
    assert judge(failing(*RESET, controls=(there,))).rule_id == "control.dead"


BROKEN = http("http_invalid_redirect_location_host")


def test_a_control_that_met_the_same_fault_of_the_site_did_look() -> None:
    """An answer that leads nowhere has no name, yet an answer it is: the site is down."""
    met = msgspec.structs.replace(BROKEN, status=301, location="https://")
    there = control(tls(), met, reached=False)
    verdict = judge(failing(dns(), tcp(), tls(), met, controls=(there,)))
    assert (verdict.state, verdict.rule_id) == (State.DOWN, "control.also_fails")
    assert verdict.controls == (there.id,)
    nothing_came = control(tls(), BROKEN, reached=False)
    verdict = judge(failing(dns(), tcp(), tls(), met, controls=(nothing_came,)))
    assert verdict.rule_id == "control.dead"


def test_a_fault_of_the_sites_own_that_only_we_meet_accuses_nobody() -> None:
    """A redirect to no host that the control was not given has no name to be accused by."""
    met = msgspec.structs.replace(BROKEN, status=301, location="https://")
    verdict = judge(failing(dns(), tcp(), tls(), met))
    assert verdict.rule_id == "look.unexplained"


def test_a_lossy_controls_timeout_does_not_say_down() -> None:
    """Silence at a lossy control is no more than its loss."""
    seen = control(*SILENT, reached=False)
    lossy = {"ctl-fra": health(VantageState.LOSSY)}
    verdict = judge(failing(*RESET, controls=(seen,), control_health=lossy))
    assert verdict.rule_id == "control.dead"


def test_a_control_that_tried_ipv6_alone_does_not_say_down() -> None:
    """Where its bytes run short it measures one family in turn. Its dead route over IPv6 made of
    each block an outage, or weak evidence."""
    both = {name: health(families=("ipv4", "ipv6")) for name in ("ctl-fra", "ctl-ams")}
    in_turn = control(dns(), V6_DNS, tcp("generic_timeout_error", address=V6), reached=False)
    alone = judge(failing(*RESET, controls=(in_turn,), control_health=both))
    assert alone.rule_id == "control.dead"
    beside = control(*WELL, vantage="ctl-ams")
    verdict = judge(failing(*RESET, controls=(in_turn, beside), control_health=both))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.STRONG)
    over_both = control(dns(), V6_DNS, tcp("connection_refused"), *in_turn.observations[2:])
    down = msgspec.structs.replace(over_both, reached=False)
    assert judge(failing(*RESET, controls=(down,), control_health=both)).state is State.DOWN


def test_an_old_ok_is_no_control() -> None:
    """A control measurement that began before the failure ended is stale by however little."""
    failed = look(*RESET)
    just_before = control(at=1.0)
    moved = type(just_before)(
        **{
            name: getattr(just_before, name)
            for name in just_before.__struct_fields__
            if name != "started_at"
        },
        started_at=just_before.started_at - timedelta(milliseconds=1),
    )
    assert judge(case(failed, controls=(just_before,))).rule_id == "tls.reset"
    assert judge(case(failed, controls=(moved,))).rule_id == "control.stale"


def test_a_control_that_failed_meanwhile_keeps_evidence_weak() -> None:
    """The looks meet an outage, and so does the control between them; then it is over."""
    meanwhile = control(*RESET, reached=False, at=1.5)
    looks = repeated(*RESET, times=4)
    steady = judge(case(*looks, controls=(control(*WELL, at=1.5), control(*WELL))))
    wavering = judge(case(*looks, controls=(meanwhile, control(*WELL))))
    assert (steady.rule_id, steady.evidence) == ("tls.reset", Evidence.STRONG)
    assert (wavering.rule_id, wavering.evidence) == ("tls.reset", Evidence.WEAK)


@pytest.mark.parametrize(("took", "evidence"), [(0.3, Evidence.STRONG), (6.0, Evidence.WEAK)])
def test_silence_where_the_control_waited_long_is_weak(took: float, evidence: Evidence) -> None:
    """A server that lets the control wait for most of our patience may let us wait for longer."""
    silent = msgspec.structs.replace(tls("generic_timeout_error"), duration=10.0)
    greeted = msgspec.structs.replace(tls(), duration=took)
    controls = (control(dns(), tcp(), greeted, http()),)
    verdict = judge(case(*repeated(dns(), tcp(), silent, times=4), controls=controls))
    assert (verdict.rule_id, verdict.evidence) == ("tls.timeout", evidence)


@pytest.mark.parametrize(("took", "evidence"), [(0.6, Evidence.STRONG), (7.0, Evidence.WEAK)])
def test_a_page_that_the_control_waited_long_for_is_weak(took: float, evidence: Evidence) -> None:
    """A platform that is overloaded takes seconds for everybody: here they were a few too many."""
    silent = msgspec.structs.replace(http("generic_timeout_error"), status=0, duration=10.0)
    page = msgspec.structs.replace(http(), duration=took)
    controls = (control(dns(), tcp(), tls(), page),)
    verdict = judge(case(*repeated(dns(), tcp(), tls(), silent, times=4), controls=controls))
    assert (verdict.rule_id, verdict.evidence) == ("http.timeout", evidence)


def same_address(*observations: AnyObservation) -> tuple[AnyObservation, ...]:
    """What a control met at the address that failed here."""
    return tuple(
        msgspec.structs.replace(one, reason=Reason.SAME_ADDRESS.value) for one in observations
    )


ELSEWHERE = (dns(addresses=(V4_OTHER,)), tcp("connection_refused", address=V4_OTHER))
"""The servers near the control are down."""
CUT_OFF_LATER = (dns(), tcp(), tls(), http("eof_error"))


@pytest.mark.parametrize(
    ("attempt", "seen", "rule"),
    [
        (RESET, same_address(tcp(), tls()), "control.dead"),
        (SILENT, same_address(tcp(), tls()), "control.dead"),
        (RESET, same_address(tcp(), tls("connection_reset")), "control.also_fails"),
        (RESET, same_address(tcp("connection_refused")), "control.also_fails"),
        (RESET, same_address(tcp(), tls(server_name="other.example")), "control.also_fails"),
        (CUT_OFF_LATER, same_address(tcp(), tls()), "control.also_fails"),
        (RESET, (), "control.also_fails"),
    ],
    ids=["reset", "silence", "reset there too", "refused", "other name", "http", "not tried"],
)
def test_a_control_that_is_answered_where_we_are_not_does_not_say_down(
    attempt: tuple[AnyObservation, ...], seen: tuple[AnyObservation, ...], rule: str
) -> None:
    """Its own servers are down, and those that fail here answer it: what is down there does not
    explain what fails here."""
    controls = (control(*ELSEWHERE, *seen, reached=False),)
    verdict = judge(failing(*attempt, controls=controls))
    assert (verdict.rule_id, verdict.evidence) == (rule, Evidence.NONE)


def test_another_control_decides_beside_one_that_contradicts_itself() -> None:
    """As if it had not been asked."""
    controls = (
        control(*ELSEWHERE, *same_address(tcp(), tls()), reached=False),
        control(vantage="ctl-ams"),
    )
    verdict = judge(failing(*RESET, controls=controls))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.STRONG)


LED = (
    (dns("dns_nxdomain_error", addresses=()),),
    (dns("dns_bogon_error", addresses=("10.10.34.36",)),),
    (dns(), tcp(), tls("ssl_unknown_authority")),
)


@pytest.mark.parametrize("seen", LED)
@pytest.mark.parametrize("here", LED)
def test_a_control_whose_resolver_lies_does_not_say_down(
    here: tuple[AnyObservation, ...], seen: tuple[AnyObservation, ...]
) -> None:
    """In an office, or in a country that blocks the platform too. Here the platform proved itself
    at another address; where it did not, or the control's failure is another one, it is down."""
    there = control(*seen, reached=False)
    proof = follow_up(Reason.HONEST_ADDRESS, tcp(address=V4_OTHER), tls(address=V4_OTHER))
    found = judge(failing(*here, follow_ups=(proof,), controls=(there,)))
    assert found.state is not State.DOWN, found.rule_id
    beside = control(*WELL, vantage="ctl-ams")
    found = judge(failing(*here, follow_ups=(proof,), controls=(there, beside)))
    assert (found.state, found.evidence) == (State.BLOCKED, Evidence.CONCLUSIVE)
    refused = follow_up(Reason.HONEST_ADDRESS, tcp(address=V4_OTHER), tls("eof_error"))
    other = follow_up(Reason.HONEST_ADDRESS, tls(address=V4_OTHER, server_name="t.co"))
    for none in ((), (refused,), (other,)):
        assert judge(failing(*here, follow_ups=none, controls=(there,))).state is State.DOWN
    silent = control(dns(), tcp("generic_timeout_error"), reached=False)
    assert judge(failing(*here, follow_ups=(proof,), controls=(silent,))).state is State.DOWN
