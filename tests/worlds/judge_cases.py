"""Cases made by hand that several tests of the judge share."""

from typing import Any

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.fingerprint import Fingerprint, Scope, Where
from monitor.analysis.trust import KeyPeriod, Trust
from probes.measure.flow_counts import FLOWS
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, DnsAnswer, DnsObservation, Measurement, Purpose
from tests.worlds.build import (
    HOST,
    START,
    V4,
    V4_OTHER,
    V6,
    case,
    control,
    dns,
    follow_up,
    http,
    look,
    quic,
    repeated,
    tcp,
    tls,
)

BOTH = ("ipv4", "ipv6")
CLEAR = "http://example.com/"
RESET = (dns(), tcp(), tls("connection_reset"))
SILENT = (dns(), tcp(), tls("generic_timeout_error"))
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
    """Two attempts that show the same, and a control that works."""
    return case(*repeated(*observations, times=4), **kwargs)  # type: ignore[arg-type]


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
BLOCKPAGE: dict[str, object] = {"title": "Surf safely", "length": 100}
INJECTED = dns(
    answers=(
        DnsAnswer(delay=0.01, rcode="NOERROR", addresses=(V4_OTHER,)),
        DnsAnswer(delay=0.05, rcode="NOERROR", addresses=(V4,)),
    )
)
TELEGRAM = f"tcp://{V4}:443"
STUN = f"stun:{V4}:3478"
NO_QUIC = (*WELL, quic("generic_timeout_error"))
CONTROL_QUIC = (control(*WELL, quic()),)


def over_quic(*observations: AnyObservation, **kwargs: object) -> Case:
    """Two attempts that reach X over TCP."""
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
