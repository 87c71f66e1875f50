"""Each rule of judgement: a case it decides, and one as near as possible that it does not."""

from datetime import timedelta
from math import comb
from typing import Any

import msgspec
import pytest

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.counted_flows import Count, by_chance
from monitor.analysis.judge.fingerprint import Fingerprint, Scope, Where
from monitor.analysis.judge.quic_blocked import answered_over_udp
from monitor.analysis.judge.rules.rule import Rule
from monitor.analysis.judge.rules.table import RULES, RULES_VERSION, UNSETTLED
from monitor.analysis.judge.second_attempt import suspicious
from monitor.analysis.trust import KeyPeriod, Trust
from monitor.analysis.verdict import Evidence, State, VantageState
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measure.flow_counts import FLOWS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    LATE_ANSWER,
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    Layer,
    Measurement,
    Purpose,
)
from tests.worlds.build import (
    HOST,
    START,
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
    quic,
    repeated,
    tcp,
    tls,
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
BOTH = ("ipv4", "ipv6")
CLEAR = "http://example.com/"
RESET = (dns(), tcp(), tls("connection_reset"))
SILENT = (dns(), tcp(), tls("generic_timeout_error"))
LATE = msgspec.structs.replace(tls(), duration=3.0)
WELL = (dns(), tcp(), tls(), http())
V6_DNS = dns(rtype="AAAA", addresses=(V6,))
V6_WELL = (V6_DNS, tcp(address=V6), tls(address=V6))
CONTROL_BOTH = (control(*WELL, *V6_WELL),)
DEAD_CONTROL = (control(dns(), tcp("connection_refused"), reached=False),)
TWO_CONTROLS = (*DEAD_CONTROL, control(vantage="ctl-ams"))
AGENTS = Trust(
    agents={
        name: (KeyPeriod(since=START, established_at=START, host=name),)
        for name in ("ctl-fra", "ctl-ams", "ctl-par")
    },
    agreement=2,
)
"""Controls that are agents of three hosts, known for long."""


def failing(*observations: AnyObservation, **kwargs: object) -> Case:
    """Two looks that show the same, and a control that works."""
    return case(*repeated(*observations, times=4), **kwargs)  # type: ignore[arg-type]


def dual(*observations: AnyObservation, **kwargs: object) -> Case:
    """Reached over IPv4 from a vantage with both families; `observations` are the IPv6 side."""
    kwargs.setdefault("controls", CONTROL_BOTH)
    looks = repeated(*WELL, *observations, times=2, reached=True)
    return case(*looks, field=health(families=BOTH), **kwargs)  # type: ignore[arg-type]


def flows(reason: Reason, made: int, cut: int, failure: str) -> list[AnyObservation]:
    """So many handshakes at one address, of which some were cut off."""
    name = "innocuous.example" if reason is Reason.FLOW_INNOCUOUS else HOST
    return [
        msgspec.structs.replace(one, reason=reason.value)
        for n in range(made)
        for one in (tcp(), tls(failure if n < cut else None, server_name=name))
    ]


def counted(
    cut: int,
    *,
    others: int = 0,
    elsewhere: int | None = 0,
    failure: str = "connection_reset",
    last: tuple[AnyObservation, ...] = WELL,
) -> Case:
    """Reached on the second attempt, and then many connections made with two names, of which so
    many were cut off, and at a control."""
    asked = look(
        *flows(Reason.FLOW_NAME, FLOWS, cut, failure),
        *flows(Reason.FLOW_INNOCUOUS, FLOWS, others, failure),
        at=50,
        kind=Purpose.FOLLOW_UP,
    )
    more = () if elsewhere is None else flows(Reason.SAME_ADDRESS, FLOWS, elsewhere, failure)
    attempts = (
        look(*RESET),
        look(*WELL, at=2, attempt=2, reached=True),
        look(*last, at=4, attempt=3, reached=last == WELL),
    )
    return case(*attempts, follow_ups=(asked,), controls=(control(*WELL, *more),))


TWO_ADDRESSES = (dns(addresses=(V4, V4_OTHER)), tcp())
REACHED_AT_BOTH = (
    control(*TWO_ADDRESSES, tcp(address=V4_OTHER), tls(), tls(address=V4_OTHER), http()),
)


def one_of_two(failure: str = "generic_timeout_error", **kwargs: object) -> Case:
    """Three attempts, each answered at one address and not at the other."""
    seen = (*TWO_ADDRESSES, tcp(failure, address=V4_OTHER), tls(), http())
    return case(*repeated(*seen, times=3, reached=True), **kwargs)  # type: ignore[arg-type]


def unwell(state: VantageState, rule_id: str = "", *, times: int = 2) -> Case:
    """X resets, as seen from a vantage in this state."""
    return case(*repeated(*RESET, times=times), field=health(state, rule_id=rule_id))


def test_an_endpoint_that_was_not_dialled_accuses_nobody() -> None:
    """An ordered endpoint at an address that too many reach: names resolve, and nothing follows."""
    found = judge(failing(dns()))
    assert (found.state, found.evidence) == (State.INSUFFICIENT, Evidence.NONE)


def cleartext(**page: object) -> tuple[AnyObservation, ...]:
    """A look at example.com without encryption."""
    seen = http(url=CLEAR, **page)  # type: ignore[arg-type]
    return dns(name="example.com"), tcp(port=80), seen


def cleartext_case(*observations: AnyObservation, known: bool = False, **origin: object) -> Case:
    """Two looks at example.com, whose genuine page is `origin`; `known` gives the fingerprints."""
    origin.setdefault("title", "Welcome to the Example Gazette")
    return case(
        *repeated(*observations, times=4, endpoint=CLEAR),
        controls=(control(*cleartext(**origin), reached=False, endpoint=CLEAR),),
        endpoint=CLEAR,
        fingerprints=KNOWN if known else (),
    )


def page_and_control(*of_control: AnyObservation) -> Case:
    """The genuine page of example.com here, and a control that did not get it."""
    return case(
        *repeated(*cleartext(title="Gazette: welcome"), times=2, endpoint=CLEAR),
        controls=(control(*of_control, reached=False, endpoint=CLEAR),),
        endpoint=CLEAR,
    )


DECREE = "This site is blocked under decree 4711."
KNOWN = (
    Fingerprint(
        id="pk-decree",
        where=Where.BODY,
        pattern="blocked under decree",
        scope=Scope.COUNTRY,
        countries=("PK",),
        confident=True,
    ),
    Fingerprint(
        id="filter-certificate",
        where=Where.CERTIFICATE,
        pattern="Example Filter",
        scope=Scope.VENDOR,
    ),
)
FILTER = (certificate("Example Filter CA"),)
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


BLOCKPAGE: dict[str, object] = {"title": "Surf safely", "length": 100}
INJECTED = dns(
    answers=(
        DnsAnswer(delay=0.01, rcode="NOERROR", addresses=(V4_OTHER,)),
        DnsAnswer(delay=0.05, rcode="NOERROR", addresses=(V4,)),
    )
)
TWO_QUERIES = dns(
    tries=2,
    answers=(
        DnsAnswer(delay=1.4, rcode="NOERROR", addresses=(V4_OTHER,)),
        DnsAnswer(delay=0.05, rcode="NOERROR", addresses=(V4,), query=2),
    ),
)
OTHER_ADDRESS_EOF = (tcp(address=V4_OTHER), tls("eof_error", address=V4_OTHER))
FOREIGN = dict(BLOCKPAGE, status=302, location="http://blocked.isp.example/")

CONTROL_OTHER = (
    control(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER), http()),
)
"""A control that was given another address than the field was."""
HONEST = (follow_up(Reason.HONEST_ADDRESS, tcp(address=V4_OTHER), tls(address=V4_OTHER)),)


TELEGRAM = f"tcp://{V4}:443"
STUN = f"stun:{V4}:3478"
NOT_MTPROTO = app("unknown_failure: not MTProto", first_reply=0.1)
NO_QUIC = (*WELL, quic("generic_timeout_error"))
CONTROL_QUIC = (control(*WELL, quic()),)


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


def over_quic(*observations: AnyObservation, **kwargs: object) -> Case:
    """Two looks that reach X over TCP."""
    kwargs.setdefault("controls", CONTROL_QUIC)
    kwargs.setdefault("quic_works", True)
    return case(*repeated(*observations, times=2, reached=True), **kwargs)  # type: ignore[arg-type]


def innocuous(failure: str | None = None) -> Measurement:
    """Another name, said at the address that failed."""
    return follow_up(Reason.INNOCUOUS_SNI, tcp(), tls(failure, server_name="innocuous.example"))


def over_https(failure: str | None = None, **fields: Any) -> DnsObservation:
    """A query that a DNS-over-HTTPS server was asked in place of the network's resolver."""
    url = "https://dns.example/dns-query"
    return msgspec.structs.replace(dns(failure, resolver=url, **fields), transport="doh")


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
    "dns.private_address": (
        failing(PRIVATE, follow_ups=(follow_up(Reason.PRIVATE_ADDRESS, tls(address="10.7.0.9")),)),
        failing(PRIVATE, follow_ups=(follow_up(Reason.PRIVATE_ADDRESS, tls("eof_error")),)),
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
        failing(dns(addresses=()), V6_DNS),
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


# -- grades ------------------------------------------------------------------------------------


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


# -- which failure decides ---------------------------------------------------------------------


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


# -- controls ----------------------------------------------------------------------------------


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


def test_an_old_ok_is_no_control() -> None:
    """A control look that began before the failure ended is stale by however little."""
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


# -- UDP and applications ----------------------------------------------------------------------


def test_silence_over_quic_is_gated_by_loss() -> None:
    """One lost datagram accuses nobody; silence that loss does not explain grows with looks."""
    once = case(look(*NO_QUIC, reached=True), controls=CONTROL_QUIC, quic_works=True)
    assert judge(once).state is State.OK
    assert judge(over_quic(*NO_QUIC)).evidence is Evidence.WEAK
    thrice = repeated(*NO_QUIC, times=4, reached=True)
    verdict = judge(case(*thrice, controls=CONTROL_QUIC, quic_works=True))
    assert (verdict.method, verdict.sub_method) == ("quic", "timeout")
    assert verdict.evidence is Evidence.STRONG
    assert verdict.failures == {"quic": "generic_timeout_error"}


def test_follow_ups_over_quic_count_as_looks() -> None:
    """HTTP/3 asked for after the failure agrees with, or refutes, what the looks showed."""
    for failure, rule_id in ((None, "endpoint.reached"), ("generic_timeout_error", "quic.blocked")):
        extra = follow_up(Reason.HTTP3, quic(failure))
        assert judge(over_quic(*NO_QUIC, follow_ups=(extra,))).rule_id == rule_id


@pytest.mark.parametrize(
    "controls",
    [
        (),
        (control(),),
        (control(*WELL, quic("generic_timeout_error")),),
        (control(*WELL, quic(), at=1.0),),
    ],
)
def test_quic_needs_a_control_that_saw_it_work(controls: tuple[Measurement, ...]) -> None:
    """Without HTTP/3 at the control after the failures, nothing is said of it."""
    assert judge(over_quic(*NO_QUIC, controls=controls)).rule_id == "endpoint.reached"


def test_udp_that_got_through_is_told_from_dns() -> None:
    """HTTP/3 and STUN show that UDP gets through; names that resolve and MTProto do not."""
    seen = [
        look(dns(), tcp(), quic(), endpoint="https://x.com/"),
        look(app(protocol="stun"), endpoint=STUN),
        look(dns(), quic("generic_timeout_error"), endpoint="https://t.co/"),
        look(tcp(), app(), endpoint=TELEGRAM),
    ]
    assert answered_over_udp(seen) == {"https://x.com/", STUN}


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
        calls("generic_timeout_error", times=3), udp_references=frozenset(answered)
    )
    verdict = judge(silent)
    assert (verdict.state, verdict.rule_id, verdict.evidence) == told


def test_a_reference_over_udp_accuses_nobody_of_blocking_http_3() -> None:
    """Networks that drop UDP 443 for everybody let calls and the time pass."""
    one = over_quic(*NO_QUIC, quic_works=False)
    heard = msgspec.structs.replace(one, udp_references=frozenset({"stun:stun.example:3478"}))
    assert judge(heard).rule_id == "quic.everywhere"
    assert judge(heard).state is State.OK


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


def test_quic_that_worked_once_is_not_blocked() -> None:
    """A look that got through clears it."""
    looks = (look(*NO_QUIC, reached=True), look(*WELL, quic(), at=2, reached=True))
    assert judge(case(*looks, controls=CONTROL_QUIC, quic_works=True)).state is State.OK


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


# -- families ----------------------------------------------------------------------------------


def test_family_verdict_names_the_family() -> None:
    """A block of IPv6 alone is partial, and says which family."""
    verdict = judge(EXAMPLES["family.tls"][0])
    assert (verdict.state, verdict.family) == (State.PARTIAL, "ipv6")
    assert (verdict.method, verdict.sub_method) == ("tls", "reset")
    assert verdict.failures == {"tls": "connection_reset"}


V4_SILENT = repeated(*V6_WELL, dns(), tcp("generic_timeout_error"), times=4, reached=True)
SAME_V4 = tuple(
    msgspec.structs.replace(one, reason=Reason.SAME_ADDRESS.value) for one in (tcp(), tls())
)
HIDDEN = control(tcp(address=""), tls(address=""), http(address=""))
"""A control behind a proxy that resolves: it shows no address."""


def test_silence_over_ipv4_is_weak_without_a_control_at_the_address() -> None:
    """A server that is dead for everybody looks like a block of one family."""
    elsewhere = control(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER))
    verdict = judge(case(*V4_SILENT, field=health(families=BOTH), controls=(elsewhere,)))
    assert (verdict.rule_id, verdict.evidence) == ("family.tcp", Evidence.WEAK)


@pytest.mark.parametrize("controls", [CONTROL_BOTH, (control(*HIDDEN.observations, *SAME_V4),)])
def test_silence_over_ipv4_is_strong_where_a_control_is_answered(
    controls: tuple[Measurement, ...],
) -> None:
    """People who have IPv4 alone are kept from the platform, and the server is there. A control
    behind a proxy shows it by the address alone."""
    verdict = judge(case(*V4_SILENT, field=health(families=BOTH), controls=controls))
    assert (verdict.rule_id, verdict.evidence) == ("family.tcp", Evidence.STRONG)
    assert (verdict.state, verdict.family) == (State.PARTIAL, "ipv4")


def test_an_ipv4_address_dead_for_the_control_too_is_no_block() -> None:
    """Whether the control reaches the host at another IPv4 address then says nothing."""
    dead = msgspec.structs.replace(tcp("generic_timeout_error"), reason=Reason.SAME_ADDRESS.value)
    seen = control(dns(addresses=(V4_OTHER,)), tcp(address=V4_OTHER), tls(address=V4_OTHER), dead)
    verdict = judge(case(*V4_SILENT, field=health(families=BOTH), controls=(seen,)))
    assert verdict.state is State.OK


def test_a_control_behind_a_proxy_shows_no_family_without_the_address() -> None:
    """It reached the host over a family that nobody knows."""
    verdict = judge(case(*V4_SILENT, field=health(families=BOTH), controls=(HIDDEN,)))
    assert verdict.state is State.OK


def test_a_name_cut_off_over_ipv4_alone_is_conclusive_with_follow_ups() -> None:
    """An innocuous name is answered at the address, and the name is cut off again after it."""
    cut = (*V6_WELL, dns(), tcp(), tls("connection_reset"))
    again = follow_up(Reason.NAME_AGAIN, tcp(), tls("connection_reset"), at=51)
    seen = case(
        *repeated(*cut, times=4, reached=True),
        field=health(families=BOTH),
        controls=(control(*HIDDEN.observations, *SAME_V4),),
        follow_ups=(innocuous(), again),
    )
    verdict = judge(seen)
    assert (verdict.rule_id, verdict.evidence) == ("family.tls", Evidence.CONCLUSIVE)
    assert (verdict.state, verdict.family, verdict.sub_method) == (State.PARTIAL, "ipv4", "reset")


# -- a share of connections, or of addresses ---------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "others", "elsewhere", "evidence"),
    [
        (16, 0, 0, Evidence.CONCLUSIVE),
        (16, 0, None, Evidence.STRONG),
        (16, 0, 5, Evidence.STRONG),
        (16, 0, 16, Evidence.NONE),
        (20, 3, 0, Evidence.CONCLUSIVE),
        (13, 0, 0, Evidence.NONE),
        (16, 4, 0, Evidence.NONE),
        (16, 14, 0, Evidence.NONE),
        (0, 0, 0, Evidence.NONE),
    ],
)
def test_a_share_of_connections_accuses_by_the_odds(
    cut: int, others: int, elsewhere: int | None, evidence: Evidence
) -> None:
    """Against an innocuous name at the same address, and against a control that asks as often."""
    verdict = judge(counted(cut, others=others, elsewhere=elsewhere))
    assert verdict.evidence is evidence
    if evidence is Evidence.NONE:
        assert (verdict.state, verdict.share) == (State.OK, None)
    else:
        assert (verdict.state, verdict.share) == (State.PARTIAL, round(cut / FLOWS, 4))
        assert (verdict.method, verdict.sub_method) == ("tls", "reset")


@pytest.mark.parametrize(("cut", "others"), [(3, 3), (10, 3), (24, 0), (0, 5), (8, 0)])
def test_the_odds_are_those_of_fisher(cut: int, others: int) -> None:
    """The sum over all tables that are as telling, of those with the same totals."""
    every, made = cut + others, 24
    tables = {k: comb(made, k) * comb(made, every - k) for k in range(every + 1)}
    wanted = sum(ways for k, ways in tables.items() if k >= cut) / sum(tables.values())
    assert by_chance(Count(made, cut), Count(made, others)) == pytest.approx(wanted)


@pytest.mark.parametrize("failure", ["generic_timeout_error", "connection_refused"])
def test_one_of_two_addresses_is_partial_and_weak(failure: str) -> None:
    """A server near by that died looks the same."""
    verdict = judge(one_of_two(failure, controls=REACHED_AT_BOTH))
    assert (verdict.state, verdict.rule_id) == (State.PARTIAL, "partial.addresses")
    assert (verdict.evidence, verdict.share) == (Evidence.WEAK, 0.5)


def test_an_address_that_worked_once_is_not_blocked() -> None:
    """It failed by accident."""
    failing_once = look(
        *TWO_ADDRESSES, tcp("generic_timeout_error", address=V4_OTHER), tls(), reached=True
    )
    well = look(*TWO_ADDRESSES, tcp(address=V4_OTHER), tls(), at=2, attempt=2, reached=True)
    assert judge(case(failing_once, well)).state is State.OK


@pytest.mark.parametrize(
    ("seen", "failures"),
    [
        ((tcp("generic_timeout_error", address=V6),), {"tcp": "generic_timeout_error"}),
        ((tcp("network_unreachable", address=V6),), {"tcp": "network_unreachable"}),
        (
            (tcp(address=V6), tls("generic_timeout_error", address=V6)),
            {"tls": "generic_timeout_error"},
        ),
    ],
)
def test_dead_ipv6_beside_good_ipv4_blocks_nobody(
    seen: tuple[AnyObservation, ...], failures: dict[str, str]
) -> None:
    """Browsers and apps use IPv4 within a quarter of a second. The verdict is ok and tells it."""
    looks = repeated(*WELL, V6_DNS, *seen, times=4, reached=True)
    verdict = judge(case(*looks, field=health(families=BOTH), controls=CONTROL_BOTH))
    assert (verdict.state, verdict.rule_id) == (State.OK, "family.ipv6_dead")
    assert verdict.failures == failures


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_lossy_path_blocks_no_family(family: str) -> None:
    """What one family came to on such a path is luck."""
    address, well = (V6, WELL) if family == "ipv6" else (V4, V6_WELL)
    looks = repeated(*well, tcp("generic_timeout_error", address=address), times=4, reached=True)
    seen = case(*looks, field=health(families=BOTH), controls=CONTROL_BOTH, lossy_path=True)
    assert judge(seen).rule_id == "endpoint.reached"


@pytest.mark.parametrize("forged", [True, False])
def test_one_forged_answer_is_enough_where_another_got_lost(forged: bool) -> None:
    """The look that the honest answer let through does not undo what two answers to one query show,
    while a lone bogon may be a passing fault."""
    answers = [
        DnsAnswer(delay=0.01, rcode="NOERROR", addresses=(address,), query=1)
        for address in ("127.0.0.1", V4)
    ]
    lie = dns("dns_bogon_error", answers=tuple(answers if forged else answers[:1]))
    v6 = V6_WELL
    first = look(lie, *v6, reached=True)
    last = look(*WELL, *v6, at=2, reached=True)
    verdict = judge(case(first, last, field=health(families=BOTH), controls=CONTROL_BOTH))
    if not forged:
        assert verdict.state is State.OK
        return
    assert (verdict.state, verdict.rule_id) == (State.PARTIAL, "family.dns")
    assert (verdict.family, verdict.sub_method) == ("ipv4", "bogon")


def test_a_look_told_of_a_family_too_late_did_not_try_it() -> None:
    """It calls for another look, and neither clears nor accuses the family it did not try."""
    late = msgspec.structs.replace(V6_DNS, reason=LATE_ANSWER)
    untried = look(*WELL, late, reached=True)
    reset = (*WELL, V6_DNS, tcp(address=V6), tls("connection_reset", address=V6))
    assert suspicious(untried, BOTH)
    assert not suspicious(untried, ("ipv4",))
    later = [look(*reset, at=2.0 * n, attempt=n + 1, reached=True) for n in (1, 2, 3, 4)]
    seen = case(untried, *later, field=health(families=BOTH), controls=CONTROL_BOTH)
    assert (judge(seen).rule_id, judge(seen).evidence) == ("family.tls", Evidence.STRONG)
    alone = case(untried, field=health(families=BOTH), controls=CONTROL_BOTH)
    assert judge(alone).state is State.OK


def test_family_silence_that_loss_explains_is_ok() -> None:
    """One timeout over IPv6 beside a working IPv4 accuses nobody."""
    seen = look(*WELL, V6_DNS, tcp("generic_timeout_error", address=V6), reached=True)
    verdict = judge(case(seen, field=health(families=BOTH), controls=CONTROL_BOTH))
    assert verdict.state is State.OK


# -- other kinds -------------------------------------------------------------------------------


def test_address_endpoint_without_dns() -> None:
    """A data centre given by address is judged from its connections alone."""
    endpoint = f"tcp://{V4}:443"
    looks = repeated(tcp("connection_refused"), times=4, endpoint=endpoint)
    verdict = judge(case(*looks, controls=(control(tcp(), endpoint=endpoint),), endpoint=endpoint))
    assert (verdict.rule_id, verdict.evidence) == ("tcp.refused", Evidence.STRONG)


def test_address_of_a_family_the_machine_lacks() -> None:
    """An IPv6 address that was never dialled is not a block."""
    endpoint = f"tcp://[{V6}]:443"
    seen = control(tcp(address=V6), endpoint=endpoint)
    verdict = judge(case(look(endpoint=endpoint), controls=(seen,), endpoint=endpoint))
    assert verdict.rule_id == "vantage.family_missing"


def test_name_endpoint() -> None:
    """A bare name is judged from its resolution, whatever families the vantage has."""
    endpoint = "dns:stun.fbsbx.com"
    seen = dns("dns_nxdomain_error", name="stun.fbsbx.com", rtype="AAAA")
    looks = repeated(seen, times=4, endpoint=endpoint)
    answer = control(dns(name="stun.fbsbx.com"), endpoint=endpoint)
    verdict = judge(case(*looks, controls=(answer,), endpoint=endpoint))
    assert verdict.rule_id == "dns.nxdomain"


def test_every_endpoint_kind_is_known() -> None:
    """Each kind of endpoint gets a verdict of ok when it is reached."""
    ids = (
        *("https://x.com/", "http://x.com/", "tls://x.com:443", "tcp://x.com:443"),
        *("dns:x.com", "stun:x.com:3478", "ntp:x.com:123"),
    )
    assert len(ids) == len(EndpointKind)
    for endpoint in ids:
        verdict = judge(
            case(look(dns(name=HOST), reached=True, endpoint=endpoint), endpoint=endpoint)
        )
        assert verdict.state is State.OK


def test_llr_follows_state_and_evidence() -> None:
    """What a verdict adds to a sequential test depends on nothing but its state and grade."""
    ok = judge(EXAMPLES["endpoint.reached"][0])
    weak = judge(case(look(*RESET)))
    strong = judge(failing(*RESET))
    none = judge(EXAMPLES["control.missing"][0])
    assert [v.llr for v in (ok, weak, strong, none)] == [-4.0, 8.5, 13.0, 0.0]


@pytest.mark.parametrize("rule_id", ["vantage.elsewhere", "vantage.other_network"])
def test_what_works_from_elsewhere_is_not_ok_here(rule_id: str) -> None:
    """A VPN left on must not clear a block: a look that worked says nothing either."""
    works = case(look(*WELL, reached=True))
    health = msgspec.structs.replace(works.health, state=VantageState.UNKNOWN, rule_id=rule_id)
    verdict = judge(msgspec.structs.replace(works, health=health))
    assert (verdict.state, verdict.rule_id, verdict.evidence) == (
        State.INSUFFICIENT,
        rule_id,
        Evidence.NONE,
    )


@pytest.mark.parametrize(
    "failure", ["dns_nxdomain_error", "dns_servfail_error", "dns_refused_error", "dns_bogon_error"]
)
def test_a_resolver_over_https_never_accuses_the_networks_own(failure: str) -> None:
    """The same reply from the network's resolver is a block; what connects and fails still is."""
    fields: dict[str, Any] = {"addresses": ("10.0.0.1",)} if failure.startswith("dns_bogon") else {}
    assert judge(failing(over_https(failure, **fields))).rule_id == "dns.other_resolver"
    assert judge(failing(dns(failure, **fields))).method == "dns"
    reset = judge(failing(over_https(), tcp(), tls("connection_reset")))
    assert (reset.state, reset.rule_id) == (State.BLOCKED, "tls.reset")
