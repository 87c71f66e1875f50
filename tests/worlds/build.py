"""Small measurements for tests: one line says what a look saw.

look(dns(), tcp(), tls("connection_reset"))     # x.com resolves, connects, resets
look(dns("dns_nxdomain_error"))
look(dns(), tcp(), tls(), http(), reached=True)
follow_up(Reason.INNOCUOUS_SNI, tcp(), tls(server_name="innocuous.example"))
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.analysis.judge.grade_by_sign import Sign
from monitor.analysis.trust import OWN_ALONE, Trust
from monitor.analysis.verdict import VantageHealth, VantageState
from probes.catalog.catalog import Endpoint, Reference, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measurement import (
    AnyObservation,
    AppObservation,
    DnsAnswer,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Layer,
    Measurement,
    Purpose,
    QuicObservation,
    TcpObservation,
    TlsObservation,
)

START = datetime(2024, 2, 17, 12, 0, tzinfo=UTC)
V4, V4_OTHER, V6 = "203.0.113.10", "203.0.113.11", "2001:db8::10"
HOST = "x.com"
ENDPOINT = "https://x.com/"


def dns(
    failure: str | None = None,
    *,
    name: str = HOST,
    rtype: str = "A",
    addresses: tuple[str, ...] = (V4,),
    answers: tuple[DnsAnswer, ...] | None = None,
    tries: int = 1,
    start: float = 0.0,
    resolver: str = "192.0.2.53:53",
) -> DnsObservation:
    """One query; with a failure it has no addresses unless given."""
    if answers is None:
        rcodes = {"dns_nxdomain_error": "NXDOMAIN", "dns_servfail_error": "SERVFAIL"}
        given = addresses if failure in (None, "dns_bogon_error") else ()
        answers = (
            DnsAnswer(delay=0.01, rcode=rcodes.get(failure or "", "NOERROR"), addresses=given),
        )
        if failure == "generic_timeout_error":
            answers = ()
    return DnsObservation(
        start=start,
        duration=0.01,
        failure=failure,
        name=name,
        rtype=rtype,
        resolver=resolver,
        tries=tries,
        answers=answers,
    )


def tcp(
    failure: str | None = None,
    *,
    address: str = V4,
    port: int = 443,
    retransmits: int = 0,
    start: float = 0.1,
) -> TcpObservation:
    """One connection attempt."""
    return TcpObservation(
        start=start,
        duration=0.05,
        failure=failure,
        address=address,
        port=port,
        retransmits=retransmits,
    )


def tls(
    failure: str | None = None,
    *,
    address: str = V4,
    server_name: str = HOST,
    alert: bool = False,
    chain: tuple[bytes, ...] = (),
    start: float = 0.2,
) -> TlsObservation:
    """One handshake."""
    return TlsObservation(
        start=start,
        duration=0.05,
        failure=failure,
        address=address,
        port=443,
        server_name=server_name,
        alert=alert,
        chain=chain,
    )


@cache
def certificate(name: str, *, by: str = "") -> bytes:
    """A certificate, DER, for `name`, signed by an authority, or without one by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, issuer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, by or name)
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=365))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def http(
    failure: str | None = None,
    *,
    url: str = ENDPOINT,
    address: str = V4,
    hop: int = 0,
    status: int = 200,
    title: str = "",
    body: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    location: str = "",
    length: int = 1000,
    truncated: bool = False,
    expected: bool = True,
    start: float = 0.3,
) -> HttpObservation:
    """One request and its response."""
    return HttpObservation(
        start=start,
        duration=0.1,
        failure=failure,
        url=url,
        address=address,
        hop=hop,
        status=0 if failure else status,
        title=title,
        body=body,
        headers=headers,
        location=location,
        body_length=0 if failure else length,
        body_truncated=truncated,
        expected=expected,
    )


def app(
    failure: str | None = None,
    *,
    protocol: str = "mtproto",
    address: str = V4,
    first_reply: float = 0.0,
    start: float = 0.2,
) -> AppObservation:
    """One question in an application's own protocol."""
    return AppObservation(
        start=start,
        duration=0.05,
        failure=failure,
        protocol=protocol,
        address=address,
        port=443 if protocol == "mtproto" else 3478,
        first_reply=first_reply,
    )


def quic(failure: str | None = None, *, address: str = V4, start: float = 0.4) -> QuicObservation:
    """One HTTP/3 request."""
    return QuicObservation(
        start=start,
        duration=0.1,
        failure=failure,
        address=address,
        port=443,
        server_name=HOST,
        status=0 if failure else 200,
    )


def egress(failure: str = "connection_refused") -> EgressObservation:
    """Our own proxy failing."""
    return EgressObservation(start=0.0, duration=0.01, failure=failure)


def look(
    *observations: AnyObservation,
    reached: bool = False,
    at: float = 0.0,
    duration: float = 1.0,
    attempt: int = 1,
    endpoint: str = ENDPOINT,
    vantage: str = "khi-ptcl",
    vantage_role: str = "field",
    country: str = "PK",
    asn: int = 17557,
    network: str = "PTCL",
    platform: str = "x",
    function: str = "web",
    kind: Purpose = Purpose.SCHEDULED,
    not_observed: tuple[Layer, ...] = (),
    id: str = "",  # noqa: A002 # the field's own name
) -> Measurement:
    """One look, `at` seconds after START."""
    return Measurement(
        id=id or f"m-{vantage}-{endpoint}-{at:g}",
        cycle="cycle-1",
        vantage=vantage,
        country=country,
        asn=asn,
        network=network,
        vantage_role=vantage_role,
        platform=platform,
        function=function,
        endpoint=endpoint,
        look=kind,
        attempt=attempt,
        started_at=START + timedelta(seconds=at),
        duration=duration,
        observations=observations,
        not_observed=not_observed,
        reached=reached,
    )


def follow_up(
    reason: str, *observations: AnyObservation, at: float = 50.0, endpoint: str = ENDPOINT
) -> Measurement:
    """A follow-up, by default one made after every look."""
    return look(
        *(msgspec.structs.replace(o, reason=str(reason)) for o in observations),
        at=at,
        endpoint=endpoint,
        kind=Purpose.FOLLOW_UP,
        id=f"f-{reason}-{at:g}",
    )


def control(
    *observations: AnyObservation,
    reached: bool = True,
    at: float = 100.0,
    vantage: str = "ctl-fra",
    endpoint: str = ENDPOINT,
) -> Measurement:
    """A control's look, by default one that works and came after everything."""
    seen = observations or (dns(), tcp(), tls(), http())
    return look(
        *seen,
        reached=reached,
        at=at,
        endpoint=endpoint,
        vantage=vantage,
        vantage_role="control",
        country="DE",
        asn=3320,
        network="DTAG",
        kind=Purpose.CONTROL,
    )


def health(
    state: VantageState = VantageState.OK,
    *,
    rule_id: str = "",
    timeout_rate: float = 0.05,
    families: tuple[str, ...] = ("ipv4",),
    vantage: str = "khi-ptcl",
) -> VantageHealth:
    """A vantage's health, given and not assessed."""
    return VantageHealth(
        vantage=vantage,
        country="PK",
        asn=17557,
        network="PTCL",
        state=state,
        rule_id=rule_id or f"vantage.{state}",
        references_ok=6,
        references_total=6,
        timeout_rate=timeout_rate,
        families=families,
        at=START,
    )


def case(
    *attempts: Measurement,
    controls: tuple[Measurement, ...] | None = None,
    field: VantageHealth | None = None,
    control_health: dict[str, VantageHealth] | None = None,
    endpoint: str = ENDPOINT,
    follow_ups: tuple[Measurement, ...] = (),
    udp_works: bool = False,
    quic_works: bool = False,
    fingerprints: tuple[Fingerprint, ...] = (),
    local_authorities: frozenset[str] = frozenset(),
    lossy_path: bool = False,
    perhaps_lossy_path: bool = False,
    slow_line: bool = False,
    sampled_out: bool = False,
    cut_off: frozenset[str] = frozenset(),
    explained: frozenset[str] = frozenset(),
    refusals: Mapping[Sign, float] | None = None,
    trust: Trust = OWN_ALONE,
) -> Case:
    """A case with a healthy vantage and one working, healthy control unless told otherwise."""
    seen = (control(endpoint=endpoint),) if controls is None else controls
    return Case(
        cycle="cycle-1",
        vantage="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        platform="x",
        function="web",
        endpoint=endpoint,
        attempts=attempts,
        controls=seen,
        follow_ups=follow_ups,
        udp_works=udp_works,
        quic_works=quic_works,
        fingerprints=fingerprints,
        local_authorities=local_authorities,
        lossy_path=lossy_path,
        perhaps_lossy_path=perhaps_lossy_path,
        slow_line=slow_line,
        sampled_out=sampled_out,
        cut_off=cut_off,
        explained=explained,
        refusals=refusals or {},
        health=field or health(),
        control_health={c.vantage: health(vantage=c.vantage) for c in seen}
        if control_health is None
        else control_health,
        trust=trust,
        judged_at=START + timedelta(seconds=200),
    )


def repeated(
    *observations: AnyObservation, times: int, **kwargs: object
) -> tuple[Measurement, ...]:
    """The same look several times, two seconds apart."""
    return tuple(
        look(*observations, at=2.0 * n, attempt=n + 1, **kwargs)  # type: ignore[arg-type]
        for n in range(times)
    )


def reference(
    host: str,
    scope: ReferenceScope = ReferenceScope.INTERNATIONAL,
    kind: EndpointKind = EndpointKind.TLS,
) -> Reference:
    """A reference; uplink ones are usually `kind=EndpointKind.HTTP`."""
    port = 80 if kind is EndpointKind.HTTP else 443
    return Reference(scope=scope, endpoint=Endpoint(kind=kind, host=host, port=port))
