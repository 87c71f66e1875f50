"""Each rule: a case it decides, and one as near as possible that it does not."""

import msgspec
import pytest

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.judge.rules.table import RULES, RULES_VERSION, UNSETTLED
from monitor.analysis.verdict import Evidence, State, VantageState
from probes.failure_strings import TURNED_AWAY
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, DnsAnswer, Layer
from tests.worlds.build import (
    HOST,
    V4,
    V4_OTHER,
    V6,
    app,
    case,
    certificate,
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
from tests.worlds.judge_cases import (
    AGENTS,
    BLOCKPAGE,
    BOTH,
    CLEAR,
    CONTROL_BOTH,
    DEAD_CONTROL,
    INJECTED,
    KNOWN,
    NO_QUIC,
    REACHED_AT_BOTH,
    RESET,
    SILENT,
    STUN,
    TELEGRAM,
    TWO_ADDRESSES,
    TWO_CONTROLS,
    V6_DNS,
    V6_WELL,
    WELL,
    cleartext,
    cleartext_case,
    counted,
    failing,
    innocuous,
    one_of_two,
    over_https,
    over_quic,
)
from tests.worlds.judged import judge

EXPIRED = (dns(), tcp(), tls("ssl_invalid_certificate"))
ERROR = (dns(), tcp(), tls(), http(status=503))
CENSORED_CONTROL = control(
    *(dns(), tcp(), tls("connection_reset")),
    *follow_up(Reason.INNOCUOUS_SNI, tls(server_name="innocuous.example")).observations,
    *follow_up(Reason.NAME_AGAIN, tls("connection_reset")).observations,
    reached=False,
)
"""A control that is cut off by the endpoint's name and answered under another."""
WRONG_CLOCK = msgspec.structs.replace(
    health(VantageState.UNKNOWN, rule_id="vantage.clock_skew"), clock_skew=-2 * 365 * 86400.0
)
SHORT_CUT = follow_up(Reason.OTHER_HELLO, tls("connection_reset")).observations
(SHORT_INNOCUOUS,) = follow_up(
    Reason.OTHER_HELLO_INNOCUOUS, tls(server_name="innocuous.example")
).observations
LARGE_CUT = (
    follow_up(Reason.INNOCUOUS_SNI, tls(server_name="innocuous.example")),
    follow_up(Reason.NAME_AGAIN, tls("connection_reset")),
    follow_up(Reason.OTHER_HELLO, tls()),
    follow_up(
        Reason.USUAL_HELLO, msgspec.structs.replace(tls("connection_reset"), hello_bytes=1540)
    ),
)
LATE = msgspec.structs.replace(tls(), duration=3.0)


def dual(*observations: AnyObservation, **kwargs: object) -> Case:
    """Reached over IPv4 from a vantage with both families; `observations` are the IPv6 side."""
    kwargs.setdefault("controls", CONTROL_BOTH)
    looks = repeated(*WELL, *observations, times=2, reached=True)
    return case(*looks, field=health(families=BOTH), **kwargs)  # type: ignore[arg-type]


def silent_over_ipv4(**kwargs: object) -> Case:
    """Reached over IPv6 alone from a vantage with both families."""
    looks = repeated(*V6_WELL, tcp("generic_timeout_error"), times=2, reached=True)
    return case(*looks, field=health(families=BOTH), controls=CONTROL_BOTH, **kwargs)  # type: ignore[arg-type]


def unwell(state: VantageState, rule_id: str = "", *, times: int = 2) -> Case:
    """X resets, as seen from a vantage in this state."""
    return case(*repeated(*RESET, times=times), field=health(state, rule_id=rule_id))


def page_and_control(*of_control: AnyObservation) -> Case:
    """The genuine page of example.com here, and a control that did not get it."""
    return case(
        *repeated(*cleartext(title="Gazette: welcome"), times=2, endpoint=CLEAR),
        controls=(control(*of_control, reached=False, endpoint=CLEAR),),
        endpoint=CLEAR,
    )


DECREE = "This site is blocked under decree 4711."
FILTER = (certificate("Example Filter CA"),)
ZERO = dns("dns_bogon_error", addresses=("0.0.0.0",))
PRIVATE = dns("dns_bogon_error", addresses=("10.7.0.9",))
NO_SYN_ACK = (dns(), tcp("generic_timeout_error"))
DEAF = (
    follow_up(Reason.INNOCUOUS_SNI, tls("generic_timeout_error", server_name="innocuous.example")),
)
"""No name is answered at the address."""
V6_SILENT = (tcp("generic_timeout_error", address=V6),)
HONEST_CA = (certificate("Example Trust CA"),)
AUTHORITY = "CN=Office Gateway"
MINTED = (
    dns(),
    tcp(),
    tls("ssl_unknown_authority", chain=(certificate(HOST, by="Office Gateway"),)),
)
"""What a device shows that mints a certificate for every name."""
HIDDEN = (
    follow_up(
        Reason.PRIVATE_ADDRESS, msgspec.structs.replace(MINTED[-1], address=PRIVATE.addresses[0])
    ),
)
TWO_QUERIES = dns(
    tries=2,
    answers=(
        DnsAnswer(delay=1.4, rcode="NOERROR", addresses=(V4_OTHER,)),
        DnsAnswer(delay=0.05, rcode="NOERROR", addresses=(V4,), query=2),
    ),
)
OTHER_ADDRESS_EOF = (tcp(address=V4_OTHER), tls("eof_error", address=V4_OTHER))
CONTROL_OTHER = (
    control(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER), http()),
)
"""A control that was given another address than the field was."""
ELSEWHERE = (
    *(dns(addresses=(V4, V4_OTHER)), tcp(address=V4_OTHER), tls(address=V4_OTHER)),
    http(address=V4_OTHER),
)
ALIKE = control(
    *ELSEWHERE,
    *(
        msgspec.structs.replace(one, reason=Reason.SAME_ADDRESS)
        for one in (tcp(), tls("connection_reset"))
    ),
)
"""It reaches the platform elsewhere, and is cut off as well at the address that failed."""
LED = (*WELL[:3], http(status=302, location="https://pk.x.com/"))
NO_REGIONAL = dns("dns_nxdomain_error", name="pk.x.com", start=0.5)
MET = (control(*LED, http(url="https://pk.x.com/", hop=1, start=0.5)),)
"""The platform led a control, too, to the host of its region."""
OLD_ROOTS = msgspec.structs.replace(tls("ssl_unknown_authority"), chain_sha256="aa")
UNKNOWN = (dns(), tcp(), OLD_ROOTS)
SELF_MADE = msgspec.structs.replace(OLD_ROOTS, verify_error="self-signed certificate")
NEW_CHAIN = msgspec.structs.replace(tls(), chain_sha256="aa")
HONEST = (follow_up(Reason.HONEST_ADDRESS, tcp(address=V4_OTHER), tls(address=V4_OTHER)),)
NOT_MTPROTO = app("unknown_failure: not MTProto", first_reply=0.1)


def telegram(*observations: AnyObservation, answered: bool = True) -> Case:
    """Two looks at a data centre, whose handshake a control completed too."""
    word = app() if answered else app("eof_error")
    genuine = control(tcp(), word, reached=answered, endpoint=TELEGRAM)
    looks = repeated(*observations, times=4, endpoint=TELEGRAM)
    return case(*looks, controls=(genuine,), endpoint=TELEGRAM)


def calls(failure: str, times: int = 2, **kwargs: object) -> Case:
    """Two looks, or more, at a server for calls, which answers the control."""
    genuine = control(app(protocol="stun"), endpoint=STUN)
    looks = repeated(app(failure, protocol="stun"), times=times, endpoint=STUN)
    return case(*looks, controls=(genuine,), endpoint=STUN, **kwargs)  # type: ignore[arg-type]


def calls_over_ipv6_alone(*answered_over: str) -> Case:
    """A server for calls that answers over IPv6 and not over IPv4; a reference that does over
    these."""
    silent = app("generic_timeout_error", protocol="stun")
    answer, control_v6 = (app(protocol="stun", address=V6) for _ in range(2))
    genuine = control(app(protocol="stun"), control_v6, endpoint=STUN)
    looks = repeated(silent, answer, times=4, endpoint=STUN, reached=True)
    made = case(*looks, controls=(genuine,), endpoint=STUN, field=health(families=BOTH))
    return msgspec.structs.replace(
        made, udp_references={"stun:stun.example:3478": tuple(answered_over)}
    )


EXAMPLES: dict[str, tuple[Case, Case]] = {
    "look.none": (case(), case(look(reached=True))),
    "family.dns": (
        dual(dns("dns_nxdomain_error", rtype="AAAA")),
        dual(dns(rtype="AAAA", addresses=())),
    ),
    "family.ipv6_dead": (
        dual(V6_DNS, *V6_SILENT),
        dual(V6_DNS, *V6_SILENT, controls=(control(*WELL),)),
    ),
    "family.hidden": (
        silent_over_ipv4(lossy_path=True),
        silent_over_ipv4(),
    ),
    "family.unsettled": (
        dual(V6_DNS, tcp("connection_refused", address=V6), trust=AGENTS),
        dual(V6_DNS, tcp("connection_refused", address=V6)),
    ),
    "family.tcp": (
        dual(V6_DNS, tcp("connection_refused", address=V6)),
        dual(V6_DNS, tcp("connection_refused", address=V6), controls=(control(*WELL),)),
    ),
    "family.tls": (
        dual(V6_DNS, tcp(address=V6), tls("connection_reset", address=V6)),
        dual(V6_DNS, tcp(address=V6), tls("unknown_failure: odd", address=V6)),
    ),
    "family.stun": (calls_over_ipv6_alone("ipv4"), calls_over_ipv6_alone("ipv6")),
    "partial.flows": (counted(16), counted(16, others=16)),
    "partial.any_name": (
        counted(12, others=11, last=RESET),
        counted(12, others=0, last=RESET),
    ),
    "partial.addresses": (
        one_of_two(controls=REACHED_AT_BOTH),
        one_of_two(
            controls=(
                control(
                    *TWO_ADDRESSES, tcp("generic_timeout_error", address=V4_OTHER), tls(), http()
                ),
            )
        ),
    ),
    "quic.blocked": (over_quic(*NO_QUIC), over_quic(*NO_QUIC, quic_works=False)),
    "quic.everywhere": (
        over_quic(*NO_QUIC, quic_works=False, udp_works=True),
        over_quic(*NO_QUIC, quic_works=False),
    ),
    "part.no_control": (
        dual(V6_DNS, tcp("connection_refused", address=V6), controls=()),
        dual(V6_DNS, *V6_SILENT, controls=()),
    ),
    "part.control_failed": (
        dual(
            *(V6_DNS, tcp("connection_refused", address=V6)),
            control_health={"ctl-fra": health(VantageState.OFFLINE)},
        ),
        dual(V6_DNS, tcp("connection_refused", address=V6), controls=()),
    ),
    "endpoint.reached": (case(look(*WELL, reached=True)), case(look(*WELL))),
    "endpoint.reached_on_retry": (
        case(look(*RESET), look(*WELL, at=2, reached=True)),
        case(look(*WELL, reached=True), look(*RESET, at=2)),
    ),
    "http.same_as_control": (
        cleartext_case(*cleartext(title="Gazette: welcome", length=10)),
        cleartext_case(*cleartext(title="Gazette: welcome", length=10, status=403)),
    ),
    "egress.failed": (
        case(look(egress()), look(egress(), at=2)),
        case(look(egress()), look(*RESET, at=2)),
    ),
    "vantage.elsewhere": (
        unwell(VantageState.UNKNOWN, "vantage.elsewhere"),
        unwell(VantageState.UNKNOWN, "vantage.no_tls"),
    ),
    "vantage.other_network": (
        unwell(VantageState.UNKNOWN, "vantage.other_network"),
        unwell(VantageState.UNKNOWN, "vantage.no_tls"),
    ),
    "vantage.resolver_down": (
        unwell(VantageState.OFFLINE, "vantage.resolver_down"),
        unwell(VantageState.OFFLINE, "vantage.offline"),
    ),
    "vantage.offline": (unwell(VantageState.OFFLINE), unwell(VantageState.OK)),
    "vantage.captive_portal": (unwell(VantageState.CAPTIVE_PORTAL), unwell(VantageState.LOSSY)),
    "vantage.international_cut": (
        unwell(VantageState.INTERNATIONAL_CUT),
        unwell(VantageState.INTERNATIONAL_CUT, times=0),
    ),
    "vantage.allowlist": (
        unwell(VantageState.ALLOWLIST, "vantage.allowlist_by_name"),
        unwell(VantageState.OK),
    ),
    "vantage.resolver_cut_off": (
        unwell(VantageState.UNKNOWN, "vantage.resolver_cut_off"),
        unwell(VantageState.UNKNOWN, "vantage.no_tls"),
    ),
    "vantage.clock_skew": (
        case(*repeated(*EXPIRED, times=2), field=WRONG_CLOCK),
        case(*repeated(*RESET, times=4), field=WRONG_CLOCK),
    ),
    "vantage.large_packets": (
        unwell(VantageState.UNKNOWN, "vantage.large_packets"),
        unwell(VantageState.UNKNOWN, "vantage.no_tls"),
    ),
    "vantage.no_tls": (
        unwell(VantageState.UNKNOWN, "vantage.no_tls"),
        unwell(VantageState.UNKNOWN, "vantage.no_references"),
    ),
    "vantage.no_references": (
        unwell(VantageState.UNKNOWN, "vantage.no_references"),
        unwell(VantageState.OK, "vantage.ok"),
    ),
    "vantage.family_missing": (
        failing(V6_DNS, tcp("network_unreachable", address=V6)),
        failing(dns(), tcp("network_unreachable"), V6_DNS),
    ),
    "tls.local_authority": (
        failing(*MINTED, local_authorities=frozenset({AUTHORITY})),
        failing(*MINTED, local_authorities=frozenset({"CN=Another Gateway"})),
    ),
    "http.withheld_everywhere": (
        failing(
            dns(), tcp(), tls(), http(status=451),
            controls=(control(dns(), tcp(), tls(), http(status=451), reached=False),),
        ),
        failing(
            dns(), tcp(), tls(), http(status=451),
            controls=(control(dns(), tcp(), tls("eof_error"), reached=False),),
        ),
    ),
    "http.known_blockpage": (
        cleartext_case(*cleartext(body=DECREE, **BLOCKPAGE), known=True),
        cleartext_case(*cleartext(body=DECREE, **BLOCKPAGE), known=True, body=DECREE),
    ),
    "tls.known_certificate": (
        failing(dns(), tcp(), tls("ssl_unknown_authority", chain=FILTER), fingerprints=KNOWN),
        failing(dns(), tcp(), tls("ssl_unknown_authority", chain=HONEST_CA), fingerprints=KNOWN),
    ),
    "http.not_compared": (
        page_and_control(dns(name="example.com"), tcp("generic_timeout_error", port=80)),
        page_and_control(dns("dns_nxdomain_error", name="example.com")),
    ),
    "control.also_fails": (
        failing(*RESET, controls=DEAD_CONTROL),
        failing(*RESET, controls=(*DEAD_CONTROL, control(vantage="ctl-ams"))),
    ),
    "control.down_and_injected": (
        failing(INJECTED, tcp("connection_refused", address=V4_OTHER), controls=DEAD_CONTROL),
        failing(TWO_QUERIES, tcp("connection_refused", address=V4_OTHER), controls=DEAD_CONTROL),
    ),
    "control.also_errs": (
        failing(*ERROR, controls=(control(*ERROR),)),
        failing(*ERROR, controls=(control(*ERROR), control(vantage="ctl-ams"))),
    ),
    "control.censored": (
        failing(*RESET, controls=(CENSORED_CONTROL,)),
        failing(*RESET, controls=(CENSORED_CONTROL, control(vantage="ctl-ams"))),
    ),
    "control.unsettled": (
        failing(*RESET, controls=TWO_CONTROLS, trust=AGENTS),
        failing(*RESET, controls=TWO_CONTROLS),
    ),
    "control.absent": (
        failing(dns(), tcp(), tls("ssl_unknown_authority"), controls=()),
        failing(dns(), tcp(), tls("ssl_unknown_authority")),
    ),
    "dns.injection": (
        failing(INJECTED, tcp("generic_timeout_error", address=V4_OTHER)),
        failing(TWO_QUERIES, tcp("generic_timeout_error", address=V4_OTHER)),
    ),
    "dns.bogon": (
        failing(dns("dns_bogon_error", addresses=("127.0.0.1",))),
        failing(dns("dns_bogon_error", addresses=("127.0.0.1",)), controls=DEAD_CONTROL),
    ),
    "dns.hijack": (
        failing(dns(), tcp("connection_refused"), follow_ups=HONEST, controls=CONTROL_OTHER),
        failing(dns(), tcp("connection_refused"), follow_ups=HONEST),
    ),
    "tls.certificate": (
        failing(dns(), tcp(), tls("ssl_unknown_authority")),
        failing(dns(), tcp(), tls("ssl_unknown_authority"), controls=DEAD_CONTROL),
    ),
    "dns.dead_address": (
        failing(*NO_SYN_ACK, follow_ups=HONEST, controls=CONTROL_OTHER),
        failing(*NO_SYN_ACK, follow_ups=HONEST),
    ),
    "dns.decrypted": (
        failing(PRIVATE, follow_ups=HIDDEN, local_authorities=frozenset({AUTHORITY})),
        failing(PRIVATE, follow_ups=HIDDEN),
    ),
    "dns.private_address": (
        failing(PRIVATE, follow_ups=(follow_up(Reason.PRIVATE_ADDRESS, tls(address="10.7.0.9")),)),
        failing(PRIVATE, follow_ups=(follow_up(Reason.PRIVATE_ADDRESS, tls("eof_error")),)),
    ),
    "dns.own_filter": (
        failing(ZERO, follow_ups=(follow_up(Reason.OWN_FILTER, ZERO),)),
        failing(ZERO, follow_ups=(follow_up(Reason.OWN_FILTER, dns()),)),
    ),
    "tls.large_packets": (
        failing(*SILENT, follow_ups=(*DEAF, follow_up(Reason.SMALL_SEGMENTS, tls()))),
        failing(*SILENT, follow_ups=DEAF),
    ),
    "tls.late": (
        failing(*SILENT, follow_ups=(follow_up(Reason.PATIENCE, tcp(), LATE),)),
        failing(*SILENT, follow_ups=(follow_up(Reason.PATIENCE, tcp(), tls()),)),
    ),
    "look.explained": (
        failing(*NO_SYN_ACK, explained=frozenset({"dns.dead_address"})),
        failing(*NO_SYN_ACK, explained=frozenset({"tls.large_packets"})),
    ),
    "look.alike": (
        failing(*RESET, controls=(ALIKE,)),
        failing(*RESET, controls=(control(*ELSEWHERE),)),
    ),
    "look.led_elsewhere": (failing(*LED, NO_REGIONAL), failing(*LED, NO_REGIONAL, controls=MET)),
    "tls.known_nowhere": (
        failing(*UNKNOWN, controls=(control(*UNKNOWN, reached=False),)),
        failing(*UNKNOWN, controls=(control(dns(), tcp(), SELF_MADE, reached=False),)),
    ),
    "tls.same_chain": (
        failing(dns(), tcp(), OLD_ROOTS, controls=(control(dns(), tcp(), NEW_CHAIN),)),
        failing(dns(), tcp(), OLD_ROOTS),
    ),
    "control.missing": (failing(*RESET, controls=()), failing(*RESET)),
    "control.stale": (
        failing(*RESET, controls=(control(at=0.5),)),
        failing(*RESET, controls=(control(at=1.0),)),
    ),
    "control.dead": (
        failing(*RESET, control_health={"ctl-fra": health(VantageState.OFFLINE)}),
        failing(*RESET, control_health={"ctl-fra": health(VantageState.LOSSY)}),
    ),
    "vantage.no_udp": (
        calls("generic_timeout_error"),
        calls("generic_timeout_error", udp_works=True),
    ),
    "vantage.lossy": (
        case(*repeated(*SILENT, times=4), field=health(VantageState.LOSSY)),
        case(*repeated(*RESET, times=4), field=health(VantageState.LOSSY)),
    ),
    "path.lossy": (
        case(*repeated(*SILENT, times=4), lossy_path=True),
        case(*repeated(*RESET, times=4), lossy_path=True),
    ),
    "line.slow": (
        case(*repeated(*SILENT, times=4), slow_line=True),
        case(*repeated(*RESET, times=4), slow_line=True),
    ),
    "line.refuses": (
        case(*repeated(dns("dns_refused_error"), times=4), refusals={(Layer.DNS, "refused"): 0.4}),
        case(*repeated(dns("dns_refused_error"), times=4), refusals={(Layer.DNS, "refused"): 0.1}),
    ),
    "loss.possible": (
        case(*repeated(*SILENT, times=4), field=health(timeout_rate=0.3)),
        case(*repeated(*SILENT, times=4), field=health(timeout_rate=0.1)),
    ),
    "dns.nxdomain": (
        failing(dns("dns_nxdomain_error")),
        failing(dns("dns_nxdomain_error"), controls=()),
    ),
    "dns.refused": (
        failing(dns("dns_refused_error")),
        failing(dns("dns_server_misbehaving")),
    ),
    "dns.servfail": (
        failing(dns("dns_servfail_error")),
        failing(dns(), dns("dns_servfail_error", rtype="AAAA"), tcp("connection_refused")),
    ),
    "dns.no_answer": (
        failing(dns("dns_no_answer")),
        failing(dns(addresses=()), V6_DNS, controls=(control(*V6_WELL),)),
    ),
    "dns.timeout": (
        failing(dns("generic_timeout_error")),
        case(look(dns("generic_timeout_error"))),
    ),
    "dns.reset": (
        failing(dns("connection_reset")),
        failing(dns("connection_refused")),
    ),
    "dns.eof": (failing(dns("eof_error")), failing(dns("connection_reset"))),
    "tcp.refused": (
        failing(dns(), tcp("connection_refused")),
        failing(dns(), tcp("connection_refused"), *OTHER_ADDRESS_EOF),
    ),
    "tcp.reset": (
        failing(dns(), tcp("connection_reset")),
        failing(dns(), tcp("connection_aborted")),
    ),
    "tcp.unreachable": (
        failing(dns(), tcp("host_unreachable")),
        failing(dns(), tcp("address_not_available")),
    ),
    "tcp.timeout": (
        failing(dns(), tcp("generic_timeout_error")),
        failing(dns(), tcp("generic_timeout_error"), field=health(timeout_rate=0.3)),
    ),
    "tls.reset": (failing(*RESET), failing(*RESET, controls=())),
    "tls.eof": (
        failing(dns(), tcp(), tls("eof_error")),
        failing(dns(), tcp(), tls("eof_error"), tls("connection_reset")),
    ),
    "tls.alert": (
        failing(dns(), tcp(), tls("ssl_failed_handshake", alert=True)),
        failing(dns(), tcp(), tls("ssl_failed_handshake")),
    ),
    "tls.short_hello": (
        case(*repeated(*WELL, *SHORT_CUT, SHORT_INNOCUOUS, times=4, reached=True)),
        case(*repeated(*WELL, *SHORT_CUT, times=4, reached=True)),
    ),
    "tls.large_hello": (
        failing(*RESET, follow_ups=LARGE_CUT),
        failing(*RESET, follow_ups=LARGE_CUT[:-1]),
    ),
    "tls.address": (
        failing(*RESET, follow_ups=(innocuous("connection_reset"),)),
        failing(*RESET, follow_ups=(innocuous(),)),
    ),
    "tls.handshake": (
        failing(dns(), tcp(), tls("ssl_failed_handshake")),
        failing(dns(), tcp(), tls("unknown_failure: wrong version")),
    ),
    "tls.timeout": (
        failing(*SILENT),
        case(*repeated(*SILENT, times=1)),
    ),
    "http.reset": (
        failing(dns(), tcp(), tls(), http("connection_reset")),
        failing(dns(), tcp(), tls(), http("connection_reset"), controls=DEAD_CONTROL),
    ),
    "http.eof": (
        failing(dns(), tcp(), tls(), http("eof_error")),
        failing(dns(), tcp(), tls(), http("unknown_failure: not HTTP")),
    ),
    "http.timeout": (
        failing(dns(), tcp(), tls(), http("generic_timeout_error")),
        case(look(dns(), tcp(), tls(), http("generic_timeout_error"))),
    ),
    "http.status_451": (
        cleartext_case(*cleartext(status=451)),
        failing(dns(), tcp(), tls(), http(status=451)),
    ),
    "http.withheld": (
        failing(dns(), tcp(), tls(), http(status=451)),
        failing(dns(), tcp(), tls(), http(status=451), controls=()),
    ),
    "http.blockpage": (
        cleartext_case(*cleartext(**BLOCKPAGE)),
        cleartext_case(*cleartext(title="Surf safely", length=800)),
    ),
    "app.middlebox": (telegram(tcp(), NOT_MTPROTO), telegram(tcp(), NOT_MTPROTO, answered=False)),
    "app.stun": (
        calls("generic_timeout_error", udp_works=True),
        calls("unknown_failure: not STUN", udp_works=True),
    ),
    "http.refused_by_site": (
        cleartext_case(
            *cleartext(status=403, headers=(("cf-ray", "1"),), **BLOCKPAGE),
            headers=(("cf-ray", "2"),),
        ),
        cleartext_case(
            *cleartext(status=403, headers=(("server", "nginx"),), **BLOCKPAGE),
            headers=(("server", "nginx"),),
        ),
    ),
    "dns.other_resolver": (
        failing(over_https("dns_bogon_error", addresses=("10.0.0.1",))),
        failing(dns("dns_bogon_error", addresses=("10.0.0.1",))),
    ),
    "http.withheld_here": (failing(*ERROR), failing(*ERROR, controls=())),
    "http.unexpected": (
        failing(dns(), tcp(), tls(), http(status=403, expected=False)),
        failing(dns(), tcp(), tls(), http(status=403)),
    ),
    "siblings.silent": (
        case(*repeated(*SILENT, times=1), controls=(), sampled_out=True),
        case(*repeated(*SILENT, times=1), controls=()),
    ),
    "look.unexplained": (
        failing(dns(), tcp(), tls("unknown_failure: odd")),
        failing(dns(), tcp(), tls("unknown_failure: odd"), controls=()),
    ),
}  # fmt: skip


def test_every_rule_has_its_examples() -> None:
    """A rule without a matching case and a near miss cannot be added."""
    assert set(EXAMPLES) == {rule.id for rule in RULES}


def test_rule_ids_are_unique() -> None:
    """A rule id names one rule."""
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("row", RULES, ids=lambda row: row.id)
def test_rule_decides_its_case(row: Rule) -> None:
    """The rule decides the case made for it, with the state and method the table promises."""
    verdict = judge(EXAMPLES[row.id][0])
    assert verdict.rule_id == row.id
    assert verdict.state is row.state
    if row.id in (*UNSETTLED, "partial.addresses"):  # Its method is that of the sign.
        assert verdict.method
    else:
        assert verdict.method == row.method
    assert verdict.sub_method == (row.sub_method or verdict.sub_method)
    assert (verdict.evidence is Evidence.NONE) == (row.grade_ceiling is Evidence.NONE)
    assert verdict.rules_version == RULES_VERSION


@pytest.mark.parametrize("rule_id", EXAMPLES)
def test_rule_leaves_its_near_miss(rule_id: str) -> None:
    """The rule does not decide the case one step away from it."""
    assert judge(EXAMPLES[rule_id][1]).rule_id != rule_id


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        ((), ("insufficient", "vantage.no_udp", "none")),
        (("ntp:time.example:123",), ("blocked", "app.stun", "weak")),
        (("stun:stun.example:3478",), ("blocked", "app.stun", "strong")),
        (("ntp:time.example:123", "stun:stun.example:3478"), ("blocked", "app.stun", "strong")),
    ],
)
def test_references_tell_blocked_calls_from_blocked_udp(
    answered: tuple[str, ...], told: tuple[str, ...]
) -> None:
    """A firewall that lets no calls out may let the time in; where another owner's server for
    calls answers, it is this platform's calls that are blocked."""
    silent = msgspec.structs.replace(
        calls("generic_timeout_error", times=3), udp_references=dict.fromkeys(answered, ("ipv4",))
    )
    verdict = judge(silent)
    assert (verdict.state, verdict.rule_id, verdict.evidence) == told


@pytest.mark.parametrize(
    "failure",
    ["connection_refused", "host_unreachable", "network_unreachable", "permission_denied"],
)
@pytest.mark.parametrize(
    ("answered", "told"),
    [
        ((), ("insufficient", "vantage.no_udp", "none")),
        (("ntp:time.example:123",), ("blocked", "app.stun", "weak")),
        (("stun:stun.example:3478",), ("blocked", "app.stun", "strong")),
    ],
)
def test_calls_that_a_router_rejects_are_as_blocked_as_dropped_ones(
    answered: tuple[str, ...], told: tuple[str, ...], failure: str
) -> None:
    """A firewall that rejects datagrams says so in an ICMP error, as a port of TCP's that is closed
    does by a reset."""
    rejected = msgspec.structs.replace(
        calls(failure, times=4), udp_references=dict.fromkeys(answered, ("ipv4",))
    )
    verdict = judge(rejected)
    assert (verdict.state, verdict.rule_id, verdict.evidence) == told


def test_a_server_for_calls_that_rejects_everybody_is_down() -> None:
    """Its port is closed at the control as well."""
    rejected = app("connection_refused", protocol="stun")
    verdict = judge(
        case(
            *repeated(rejected, times=4, endpoint=STUN),
            controls=(control(rejected, reached=False, endpoint=STUN),),
            endpoint=STUN,
            udp_works=True,
        )
    )
    assert (verdict.state, verdict.rule_id) == ("down", "control.also_fails")


@pytest.mark.parametrize("state", [VantageState.OFFLINE, VantageState.UNKNOWN])
def test_a_dead_resolver_explains_a_failure_whosever_it_is(state: VantageState) -> None:
    """Of the network's own the vantage counts as offline, of a third party's it does not."""
    assert judge(unwell(state, "vantage.resolver_down")).rule_id == "vantage.resolver_down"


@pytest.mark.parametrize("days", [-730, -1.25, 2, 730])
def test_a_clock_resets_nothing(days: float) -> None:
    """One clock serves the vantages of a machine: the control's is as wrong, and may find every
    certificate invalid, which shows that the server is there all the same."""
    wrong = msgspec.structs.replace(WRONG_CLOCK, clock_skew=days * 86400.0)
    for seen, reached in ((EXPIRED, False), (WELL, True)):
        verdict = judge(
            case(
                *repeated(*RESET, times=4),
                controls=(control(*seen, reached=reached),),
                field=wrong,
                control_health={"ctl-fra": wrong},
            )
        )
        assert (verdict.rule_id, verdict.evidence) == ("tls.reset", Evidence.STRONG)
    expired = judge(case(*repeated(*EXPIRED, times=4), field=wrong))
    assert (expired.rule_id, expired.evidence) == ("vantage.clock_skew", Evidence.NONE)


@pytest.mark.parametrize(
    ("failure", "replied", "evidence"),
    [
        ("unknown_failure: not MTProto", 0.1, Evidence.STRONG),
        ("eof_error", 0.0, Evidence.STRONG),
        ("connection_reset", 0.0, Evidence.STRONG),
        ("generic_timeout_error", 0.0, Evidence.STRONG),
    ],
)
def test_a_middlebox_that_completes_handshakes_is_not_the_application(
    failure: str, replied: float, evidence: Evidence
) -> None:
    """A connection alone is not the platform; whatever became of the exchange, it is tcp."""
    verdict = judge(telegram(tcp(), app(failure, first_reply=replied)))
    assert (verdict.rule_id, verdict.evidence) == ("app.middlebox", evidence)
    assert (verdict.method, verdict.sub_method) == ("tcp", "middlebox")
    assert verdict.failures == {"app": failure}


def test_a_data_centre_that_takes_no_more_connections_accuses_nobody() -> None:
    """Telegram's own servers refuse an address that many people share, as behind a carrier's
    address translation. That shows neither that the platform works nor, at a control, that it is
    down."""
    flood = app(TURNED_AWAY, first_reply=0.1)
    verdict = judge(telegram(tcp(), flood))
    assert (verdict.state, verdict.rule_id) == (State.INSUFFICIENT, "look.unexplained")
    silent = telegram(tcp("generic_timeout_error"))
    told = control(tcp(), flood, reached=False, endpoint=TELEGRAM)
    verdict = judge(msgspec.structs.replace(silent, controls=(told,)))
    assert (verdict.state, verdict.rule_id) == (State.INSUFFICIENT, "control.dead")


def test_a_portal_is_no_platform() -> None:
    """A handshake or a name resolved behind a captive portal is not ok; a verified one is."""
    captive = health(VantageState.CAPTIVE_PORTAL)

    def seen(endpoint: str, *observations: AnyObservation) -> str:
        reached = look(*observations, reached=True, endpoint=endpoint)
        return judge(case(reached, field=captive, endpoint=endpoint)).rule_id

    assert seen(TELEGRAM, tcp()) == "vantage.captive_portal"
    assert seen("dns:x.com", dns()) == "vantage.captive_portal"
    assert seen(TELEGRAM, tcp(), app()) == "endpoint.reached"
    assert seen("https://x.com/", *WELL) == "endpoint.reached"


def test_family_verdict_names_the_family() -> None:
    """A block of IPv6 alone is partial, and says which family."""
    verdict = judge(EXAMPLES["family.tls"][0])
    assert (verdict.state, verdict.family) == (State.PARTIAL, "ipv6")
    assert (verdict.method, verdict.sub_method) == ("tls", "reset")
    assert verdict.failures == {"tls": "connection_reset"}


def test_llr_follows_state_and_evidence() -> None:
    """What a verdict adds to a sequential test depends on nothing but its state and grade."""
    ok = judge(EXAMPLES["endpoint.reached"][0])
    weak = judge(case(look(*RESET)))
    strong = judge(failing(*RESET))
    none = judge(EXAMPLES["control.missing"][0])
    assert [v.llr for v in (ok, weak, strong, none)] == [-4.0, 8.5, 13.0, 0.0]


@pytest.mark.parametrize("rule_id", ["vantage.elsewhere", "vantage.other_network"])
def test_what_works_from_elsewhere_is_not_ok_here(rule_id: str) -> None:
    """A VPN left on must not clear a block: an attempt that worked says nothing either."""
    works = case(look(*WELL, reached=True))
    health = msgspec.structs.replace(works.health, state=VantageState.UNKNOWN, rule_id=rule_id)
    verdict = judge(msgspec.structs.replace(works, health=health))
    assert (verdict.state, verdict.rule_id, verdict.evidence) == (
        State.INSUFFICIENT,
        rule_id,
        Evidence.NONE,
    )
