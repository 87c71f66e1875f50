"""How evidence grows, and which failure decides."""

import msgspec
import pytest

from monitor.analysis.verdict import Evidence, State, VantageState
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, DnsAnswer, DnsObservation, Layer, Measurement
from tests.worlds.build import (
    V4,
    V4_OTHER,
    V6,
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
from tests.worlds.judge_cases import (
    AGENTS,
    BLOCKPAGE,
    CLEAR,
    DEAD_CONTROL,
    INJECTED,
    KNOWN,
    RESET,
    SILENT,
    TWO_CONTROLS,
    V6_DNS,
    WELL,
    cleartext,
    cleartext_case,
    failing,
)
from tests.worlds.judged import judge

FOREIGN = dict(BLOCKPAGE, status=302, location="http://blocked.isp.example/")


@pytest.mark.parametrize(
    ("observations", "times", "evidence"),
    [
        (RESET, 1, Evidence.WEAK),
        (RESET, 2, Evidence.WEAK),
        (RESET, 3, Evidence.WEAK),
        (RESET, 4, Evidence.STRONG),
        ((dns("dns_nxdomain_error"),), 1, Evidence.WEAK),
        ((dns("dns_nxdomain_error"),), 2, Evidence.STRONG),
        ((dns("dns_bogon_error", addresses=("10.0.0.1",)),), 1, Evidence.STRONG),
        ((INJECTED, tcp("connection_refused", address=V4_OTHER)), 1, Evidence.STRONG),
        (SILENT, 1, Evidence.NONE),
        (SILENT, 2, Evidence.WEAK),
        (SILENT, 3, Evidence.STRONG),
        ((dns(), tcp(), tls("ssl_failed_handshake")), 3, Evidence.WEAK),
    ],
)
def test_grade_grows_with_agreeing_looks(
    observations: tuple[AnyObservation, ...], times: int, evidence: Evidence
) -> None:
    """What something must have sent counts at once, silence only when loss cannot explain it."""
    assert judge(case(*repeated(*observations, times=times))).evidence is evidence


def test_three_timeouts_are_strong_when_loss_explains_one_in_a_thousand() -> None:
    """A rate of exactly 0.1 gives three timeouts the chance of 0.001, which is strong."""
    verdict = judge(case(*repeated(*SILENT, times=4), field=health(timeout_rate=0.1)))
    assert (verdict.rule_id, verdict.evidence) == ("tls.timeout", Evidence.STRONG)


def test_timeouts_are_weak_between_the_two_chances() -> None:
    """Three timeouts that loss explains in 3 of 1,000 cases accuse, but weakly."""
    verdict = judge(case(*repeated(*SILENT, times=3), field=health(timeout_rate=0.15)))
    assert (verdict.rule_id, verdict.evidence) == ("tls.timeout", Evidence.WEAK)


def test_disagreeing_controls_keep_it_weak() -> None:
    """One control that reached it and one that did not leave room for doubt."""
    refused = control(dns(), tcp("connection_refused"), reached=False, vantage="ctl-ams")
    verdict = judge(failing(*RESET, controls=(control(), refused)))
    assert (verdict.state, verdict.evidence) == (State.BLOCKED, Evidence.WEAK)
    assert len(verdict.controls) == 2


def test_a_proxys_word_is_weak() -> None:
    """A refusal on a layer the proxy hides is hearsay, however often repeated."""
    looks = repeated(tcp("connection_refused", address=""), times=4, not_observed=(Layer.TCP,))
    assert judge(case(*looks)).evidence is Evidence.WEAK


def test_a_proxys_own_rules_accuse_nobody() -> None:
    """ "Not allowed by ruleset" is the proxy's doing."""
    looks = repeated(tcp("permission_denied", address=""), times=4, not_observed=(Layer.TCP,))
    assert judge(case(*looks)).rule_id == "look.unexplained"


@pytest.mark.parametrize(
    ("observations", "sign"),
    [
        ((dns("dns_bogon_error", addresses=("10.0.0.1",)),), ("dns", "bogon")),
        ((dns(), tcp(), tls("ssl_unknown_authority")), ("tls", "certificate")),
        ((dns(), tcp(), tls("ssl_invalid_hostname")), ("tls", "certificate")),
    ],
)
def test_evidence_that_stands_alone_is_weak_without_a_control(
    observations: tuple[AnyObservation, ...], sign: tuple[str, str]
) -> None:
    """A bogon or a forged certificate needs no control to say blocked, yet is no more than weak,
    and never more than a suspicion: the platform itself may be at fault, everywhere."""
    verdict = judge(failing(*observations, controls=()))
    assert (verdict.rule_id, verdict.evidence) == ("control.absent", Evidence.WEAK)
    assert (verdict.method, verdict.sub_method) == sign


@pytest.mark.parametrize(
    ("failure", "field"),
    [
        ("ssl_invalid_certificate", health()),
        ("ssl_unknown_authority", health(VantageState.LOSSY)),
    ],
)
def test_doubtful_certificates_do_not_stand_alone(failure: str, field: object) -> None:
    """An expired certificate, or any seen from an unwell vantage, needs a control."""
    seen = repeated(dns(), tcp(), tls(failure), times=4)
    verdict = judge(case(*seen, controls=(), field=field))  # type: ignore[arg-type]
    assert verdict.rule_id == "control.missing"


def test_a_reset_speaks_before_a_timeout() -> None:
    """When looks differ, what acted names the method."""
    looks = (look(*SILENT), look(*RESET, at=2))
    verdict = judge(case(*looks))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.WEAK)


def test_residual_censorship_agrees_with_the_reset_before_it() -> None:
    """A reset followed by silence that loss does not explain is strong."""
    silent = repeated(dns(), tcp("generic_timeout_error"), times=4)[1:]
    verdict = judge(case(look(*RESET), *silent))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.STRONG)
    assert verdict.failures == {"tls": "connection_reset"}


def test_residue_on_a_lossy_line_adds_nothing() -> None:
    """Where timeouts prove nothing they do not support a reset either."""
    silent = repeated(*SILENT, times=4)[1:]
    verdict = judge(case(look(*RESET), *silent, field=health(VantageState.LOSSY)))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.WEAK)


CUT = (dns(), tcp(), tls("connection_reset"))
CUT_REQUEST = (dns(), tcp(), tls(), http("connection_reset"))
SHUT = (dns(), tcp("connection_refused"))


@pytest.mark.parametrize(
    ("seen", "rule_id", "evidence"),
    [
        ((CUT, SHUT, SHUT), "tls.reset", Evidence.STRONG),
        ((CUT, SHUT), "tls.reset", Evidence.STRONG),
        ((CUT_REQUEST, SHUT, SHUT), "http.reset", Evidence.STRONG),
        ((CUT, (dns(), tcp("connection_reset"))), "tls.reset", Evidence.STRONG),
        # Who refused before anything was cut off was not made to by the cut.
        ((SHUT, CUT, SHUT), "tcp.refused", ...),
        ((SHUT, SHUT, CUT), "tcp.refused", ...),
        # A refusal elsewhere is nobody's residue.
        (
            (CUT, (dns(), tcp("connection_refused", address=V4_OTHER))),
            "tls.reset",
            Evidence.WEAK,
        ),
        # Nothing was cut off: a server that says no leaves nothing behind.
        (((dns(), tcp(), tls("ssl_failed_handshake", alert=True)), SHUT, SHUT), "tcp.refused", ...),
        # An address that a proxy hides cannot be known to be the same.
        (
            ((tls("connection_reset", address=""),), (tcp("connection_refused", address=""),)),
            "tls.reset",
            Evidence.WEAK,
        ),
    ],
)
def test_refusals_where_something_was_cut_off_are_its_residue(
    seen: tuple[tuple[AnyObservation, ...], ...], rule_id: str, evidence: object
) -> None:
    """What comes after a cut, at the same address, agrees with it and takes its name."""
    if evidence is Evidence.STRONG:
        seen = (*seen, *[seen[-1]] * (4 - len(seen)))
    looks = tuple(look(*one, at=2.0 * n, attempt=n + 1) for n, one in enumerate(seen))
    verdict = judge(case(*looks))
    assert verdict.rule_id == rule_id
    assert evidence in (..., verdict.evidence)


def test_a_server_taken_down_after_it_failed_is_down() -> None:
    """Where the control fails afterwards as well, a cut and refusals are an outage."""
    looks = (look(*CUT), look(*SHUT, at=2), look(*SHUT, at=4))
    assert judge(case(*looks, controls=DEAD_CONTROL)).rule_id == "control.also_fails"


def lying(vantage: str) -> Measurement:
    """A control that says X fails there too."""
    return control(dns(), tcp("connection_refused"), reached=False, vantage=vantage)


@pytest.mark.parametrize(
    ("controls", "rule_id", "evidence"),
    [
        ((control(), control(vantage="ctl-ams"), lying("ctl-par")), "tls.reset", "strong"),
        ((control(), control(vantage="ctl-ams")), "tls.reset", "strong"),
        ((control(), lying("ctl-ams"), lying("ctl-par")), "control.also_fails", "none"),
        ((control(), lying("ctl-ams")), "control.unsettled", "weak"),
        ((lying("ctl-ams"),), "control.unsettled", "weak"),
        ((control(),), "control.unsettled", "weak"),
        ((control(vantage="own"), lying("ctl-ams")), "tls.reset", "strong"),
        ((lying("own"), control(vantage="ctl-ams")), "control.also_fails", "none"),
        ((control(vantage="own"),), "tls.reset", "strong"),
        (
            (lying("own"), control(), control(vantage="ctl-ams"), control(vantage="ctl-par")),
            "control.unsettled",
            "weak",
        ),
    ],
)
def test_controls_vote(controls: tuple[Measurement, ...], rule_id: str, evidence: str) -> None:
    """Two of three agents decide, one alone settles nothing, and the operator's own outweighs one
    agent and is outvoted by none."""
    verdict = judge(failing(*RESET, controls=controls, trust=AGENTS))
    assert (verdict.rule_id, verdict.evidence.value) == (rule_id, evidence)
    assert len(verdict.controls) == len(controls), "those that were outvoted are named as well"


def test_what_needs_no_control_is_not_hidden_by_controls_that_disagree() -> None:
    """Two contradicting replies to one query accuse by themselves."""
    seen = (INJECTED, tcp("generic_timeout_error", address=V4_OTHER))
    assert judge(failing(*seen, controls=TWO_CONTROLS, trust=AGENTS)).rule_id == "dns.injection"


def test_a_dead_address_beside_a_live_one_is_no_failure() -> None:
    """The address that got furthest decides."""
    seen = (
        dns(addresses=(V4, V4_OTHER)),
        tcp("connection_refused"),
        tcp(address=V4_OTHER),
        tls("connection_reset", address=V4_OTHER),
    )
    verdict = judge(failing(*seen))
    assert verdict.rule_id == "tls.reset"
    assert verdict.failures == {"tls": "connection_reset"}


def test_a_look_shows_every_way_its_addresses_failed() -> None:
    """A reset on one of two addresses agrees with the next looks' resets."""
    both = (*RESET, tcp(address=V4_OTHER), tls("eof_error", address=V4_OTHER))
    verdict = judge(case(look(*both), *(look(*RESET, at=2.0 * n) for n in (1, 2, 3))))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.STRONG)


def test_a_bogon_counts_though_no_control_followed_it() -> None:
    """What needs no witness is not lost because the control looked before it came."""
    bogon = look(dns("dns_bogon_error", addresses=("10.0.0.1",)), at=50)
    verdict = judge(case(look(dns(), tcp(), tls()), bogon, controls=(control(at=10.0),)))
    assert (verdict.rule_id, verdict.evidence) == ("dns.bogon", Evidence.WEAK)


def test_bogon_of_a_family_that_does_not_work_here_is_ignored() -> None:
    """An odd IPv6 answer at a vantage without IPv6 explains no failure over IPv4."""
    odd = dns("dns_bogon_error", rtype="AAAA", addresses=("fd00::1",))
    assert judge(failing(dns(), odd, tcp("connection_refused"))).rule_id == "tcp.refused"


def test_injection_is_not_blamed_once_tls_verified() -> None:
    """Behind a verified certificate the address was right, whatever the resolver said."""
    seen = (INJECTED, tcp(), tls(), http("connection_reset"))
    assert judge(failing(*seen)).rule_id == "http.reset"


def test_broken_ipv6_is_ignored_where_ipv6_does_not_work() -> None:
    """Failures over a family that is broken at the vantage accuse nobody."""
    seen = (dns(), V6_DNS, tcp("generic_timeout_error"), tcp("network_unreachable", address=V6))
    verdict = judge(case(look(*seen)))
    assert verdict.rule_id == "loss.possible"


def test_last_hop_of_a_redirect_decides() -> None:
    """twitter.com answering with a redirect to x.com proves nothing about x.com."""
    endpoint = "https://twitter.com/"
    seen = (
        dns(name="twitter.com"),
        tcp(),
        tls(server_name="twitter.com"),
        http(url=endpoint, status=301, location="https://x.com/"),
        dns(start=0.5),
        tcp(start=0.6),
        tls("connection_reset", start=0.7),
    )
    verdict = judge(case(*repeated(*seen, times=4, endpoint=endpoint), endpoint=endpoint))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.STRONG)


REGIONAL = "pk.x.com"


def led(*there: AnyObservation, scheme: str = "https") -> tuple[AnyObservation, ...]:
    """The platform redirects this visitor to a host of its region, and what that one shows."""
    first = http(status=302, location=f"{scheme}://{REGIONAL}/", start=0.3)
    found = dns(name=REGIONAL, addresses=(V4_OTHER,), start=0.5)
    return (
        dns(),
        tcp(),
        tls(),
        first,
        *(there if isinstance(there[0], DnsObservation) else (found, *there)),
    )


def at_regional(failure: str | None = None, *, start: float = 0.7) -> tuple[AnyObservation, ...]:
    """A handshake there."""
    return (
        tcp(address=V4_OTHER, start=start - 0.1),
        tls(failure, address=V4_OTHER, server_name=REGIONAL, start=start),
    )


BROKEN = [
    at_regional("ssl_invalid_hostname"),
    at_regional("ssl_unknown_authority"),
    at_regional("connection_reset"),
    at_regional("generic_timeout_error"),
    (tcp("connection_refused", address=V4_OTHER, start=0.6),),
    (dns("dns_nxdomain_error", name=REGIONAL, start=0.5),),
    (dns("dns_bogon_error", name=REGIONAL, addresses=("10.0.0.1",), start=0.5),),
]


@pytest.mark.parametrize("there", BROKEN)
def test_a_host_to_which_the_platform_led_nobody_else_may_be_broken(
    there: tuple[AnyObservation, ...],
) -> None:
    """Its fault was called a block, beyond doubt where it showed a wrong certificate: controls,
    which were not led there, count for the endpoint. Without any it accuses as little."""
    for controls in (None, ()):
        verdict = judge(case(*repeated(*led(*there), times=4), controls=controls))
        assert verdict.state is State.INSUFFICIENT
        if controls is None:
            assert verdict.rule_id == "look.led_elsewhere"


@pytest.mark.parametrize("there", BROKEN)
def test_a_host_to_which_the_platform_led_a_control_too_is_compared(
    there: tuple[AnyObservation, ...],
) -> None:
    """As x.com behind twitter.com."""
    page = http(url=f"https://{REGIONAL}/", hop=1, address=V4_OTHER, start=0.8)
    well = control(*led(*at_regional(), page))
    verdict = judge(case(*repeated(*led(*there), times=4), controls=(well,)))
    assert (verdict.state, verdict.evidence) == (State.BLOCKED, Evidence.STRONG)
    fails = control(*led(*at_regional("connection_reset")), reached=False)
    down = judge(case(*repeated(*led(*there), times=4), controls=(fails,)))
    assert down.rule_id == "control.also_fails"


def test_a_handshake_elsewhere_shows_that_the_host_works() -> None:
    """A control tries the addresses that failed here, a follow-up those that others give."""
    reset, denied = led(*at_regional("connection_reset")), led(*BROKEN[5])
    tried = [msgspec.structs.replace(o, reason=Reason.SAME_ADDRESS) for o in at_regional()]
    there = control(dns(), tcp(), tls(), http(), *tried)
    verdict = judge(case(*repeated(*reset, times=4), controls=(there,)))
    assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.STRONG)
    honest = follow_up(Reason.HONEST_ADDRESS, *at_regional())
    verdict = judge(case(*repeated(*denied, times=4), follow_ups=(honest,)))
    assert (verdict.rule_id, verdict.evidence) == ("dns.nxdomain", Evidence.CONCLUSIVE)
    page = http("connection_reset", url=f"https://{REGIONAL}/", hop=1, address=V4_OTHER, start=0.8)
    cut = led(*at_regional(), page)
    verdict = judge(case(*repeated(*cut, times=4), controls=(there,), follow_ups=(honest,)))
    assert verdict.rule_id == "look.led_elsewhere", "a handshake is no answer to a request"


def test_what_no_broken_host_shows_accuses_wherever_the_platform_led() -> None:
    """Two replies to one query, and the words of a block page. And that the platform withholds its
    page it says itself."""
    given = [
        DnsAnswer(delay=n / 100, rcode="NOERROR", addresses=(f"198.51.100.{n}",)) for n in (1, 2)
    ]
    forged = dns(name=REGIONAL, answers=tuple(given), start=0.5)
    assert judge(failing(*led(forged, *at_regional("connection_reset")))).rule_id == "dns.injection"
    page = http(url=f"https://{REGIONAL}/", hop=1, status=451, address=V4_OTHER, start=0.8)
    assert judge(failing(*led(*at_regional(), page))).rule_id == "http.withheld"
    clear = http(url=f"http://{REGIONAL}/", hop=1, address=V4_OTHER, length=100, start=0.8)
    words = msgspec.structs.replace(clear, body="Blocked under decree 1")
    for page, rule_id in ((words, "http.known_blockpage"), (clear, "look.led_elsewhere")):
        seen = led(tcp(address=V4_OTHER, port=80, start=0.6), page, scheme="http")
        assert judge(failing(*seen, fingerprints=KNOWN)).rule_id == rule_id


def test_redirect_within_a_host_uses_the_second_connection() -> None:
    """What happens to the second connection to an address is not hidden by the first."""
    seen = (
        *WELL[:3],
        http(status=302, location="/home"),
        tcp(start=0.5),
        tls("eof_error", start=0.6),
    )
    assert judge(failing(*seen)).rule_id == "tls.eof"


def test_cleartext_redirect_to_a_foreign_host_is_a_block_page() -> None:
    """A redirect to the ISP's page accuses even when that page does not load."""
    seen = cleartext(**FOREIGN)
    verdict = judge(cleartext_case(*seen))
    assert (verdict.method, verdict.sub_method) == ("http", "blockpage")
    dead_page = (*seen, dns("dns_nxdomain_error", name="blocked.isp.example", start=0.5))
    assert judge(cleartext_case(*dead_page)).rule_id == "http.blockpage"


def test_forged_redirect_to_a_genuine_foreign_site_is_not_ok() -> None:
    """Reaching the censor's own encrypted page is not reaching the endpoint."""
    seen = (
        *cleartext(status=302, location="https://blocked.example.net/"),
        tcp(start=0.5),
        tls(server_name="blocked.example.net", start=0.6),
        http(url="https://blocked.example.net/", hop=1, start=0.7),
    )
    reached = look(*seen, reached=True, endpoint=CLEAR)
    genuine = control(*cleartext(), reached=False, endpoint=CLEAR)
    verdict = judge(case(reached, controls=(genuine,), endpoint=CLEAR))
    assert verdict.rule_id == "http.blockpage"
    alone = judge(case(reached, controls=(), endpoint=CLEAR))
    assert alone.state is State.INSUFFICIENT
