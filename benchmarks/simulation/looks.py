"""From what happens to packets to a platform verdict, through the real rules.

A *fate* is a word for what became of one look. Fates are turned into the measurement that such a
look leaves, measurements into a case, and the case goes to `monitor.analysis.judge.rules.judge` and
`monitor.analysis.judge.platform.roll_up` as in a running monitor. Since the same fates always give
the same verdict, each pattern is judged once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.platform import roll_up
from monitor.analysis.judge.rules import judge
from monitor.analysis.judge.second_attempt import attempts_agree, looks_overloaded, suspicious
from monitor.analysis.vantage.health import assess
from monitor.analysis.verdict import Evidence, PlatformVerdict, State, VantageHealth, Verdict
from monitor.config.catalog import shipped_catalog
from probes.catalog.catalog import Function, Platform, Reference
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation, HttpObservation, Measurement, TlsObservation
from probes.vantage import VantagePoint, VantageRole
from tests.worlds import build

PLATFORM = "x"
CONTROLS = ("ctl-fra", "ctl-nyc")
LONGEST = 10.0
"""Seconds a look waits for an answer."""
FATES: Mapping[str, str] = {
    "ok": "answered",
    "resent": "answered, after packets were sent again",
    "dns_timeout": "the name's lookup got no answer",
    "dns_servfail": "the resolver reported a fault",
    "dns_nxdomain": "the resolver said the name does not exist",
    "dns_bogon": "the resolver gave a private address",
    "tcp_timeout": "no connection",
    "tcp_refused": "connection refused",
    "tls_timeout": "silence after the ClientHello",
    "tls_reset": "reset after the ClientHello",
    "tls_alert": "handshake refused",
    "tls_forged": "a certificate from an unknown authority",
    "tls_expired": "a certificate that looks expired",
    "http_timeout": "the page did not come",
    "http_503": "the site answered that it is overloaded",
}
FAILED_DNS = {
    "dns_timeout": "generic_timeout_error",
    "dns_servfail": "dns_servfail_error",
    "dns_nxdomain": "dns_nxdomain_error",
    "dns_bogon": "dns_bogon_error",
}
FAILED_TCP = {"tcp_timeout": "generic_timeout_error", "tcp_refused": "connection_refused"}
FAILED_TLS = {
    "tls_timeout": "generic_timeout_error",
    "tls_reset": "connection_reset",
    "tls_alert": "ssl_failed_handshake",
    "tls_forged": "ssl_unknown_authority",
    "tls_expired": "ssl_invalid_certificate",
}
WELL = frozenset({"ok", "resent"})
SKEW = 30 * 86400.0
"""Seconds by which a clock in trouble is behind."""


class FollowUps(msgspec.Struct, frozen=True):
    """What the questions after a failure came to; each the fate of one look, or empty."""

    innocuous: str = ""
    """Another name at the same address."""
    again: str = ""
    """The name there once more, after that."""
    elsewhere: str = ""
    """The same name at another address."""
    resolver: str = ""
    """An open resolver over UDP."""
    honest: str = ""
    """An address that only honest sources give."""


class EndpointLooks(msgspec.Struct, frozen=True):
    """All that happened at one endpoint in one cycle, as fates."""

    attempts: tuple[str, ...]
    controls: tuple[str, ...] = ()
    """The last look of each control; empty when none was asked."""
    follow_ups: FollowUps = FollowUps()


class CycleLooks(msgspec.Struct, frozen=True):
    """All that happened in one cycle of one vantage, as fates."""

    endpoints: tuple[EndpointLooks, ...]
    """In the order of `ENDPOINTS`."""
    before: tuple[str, ...]
    """Of the references, in the order of `REFERENCES`."""
    after: tuple[str, ...] = ()
    control_well: tuple[bool, ...] = (True, True)
    skewed: bool = False
    throttled: bool = False
    """The speed was measured, and the name found slowed beyond doubt."""


@cache
def platform() -> Platform:
    """The platform that is simulated: the shipped one."""
    return next(one for one in shipped_catalog().platforms if one.name == PLATFORM)


@cache
def endpoints() -> tuple[tuple[Function, str, str], ...]:
    """Function, endpoint id and host of everything looked at."""
    return tuple(
        (function, endpoint.id, endpoint.host)
        for function in platform().functions
        for endpoint in function.endpoints
    )


@cache
def references() -> tuple[Reference, ...]:
    """The references of a vantage in Pakistan."""
    return tuple(shipped_catalog().references_for("PK"))


@cache
def worth_repeating(fate: str) -> bool:
    """Whether one look with this fate calls for another."""
    return suspicious(_look(0, fate, 0.0), ("ipv4",))


@cache
def once_more(fate: str) -> bool:
    """Whether a look with this fate calls for one more than others do."""
    return looks_overloaded([_look(0, fate, 0.0)], ("ipv4",))


@cache
def enough(fates: tuple[str, ...]) -> bool:
    """Whether the last two looks settle it."""
    looks = tuple(_look(0, fate, 20.0 * number) for number, fate in enumerate(fates))
    return attempts_agree(looks, ("ipv4",))


@cache
def verdict_on(looks: CycleLooks) -> PlatformVerdict:
    """The verdict on the platform; times, cycle and place are another's."""
    health = _health(looks)
    verdicts = [
        _endpoint_verdict(number, one, looks.control_well, health)
        for number, one in enumerate(looks.endpoints)
    ]
    if looks.throttled:
        verdicts = [
            _throttled(v) if v.state is State.OK and v.function == "web" else v for v in verdicts
        ]
    return roll_up(platform(), verdicts, started_at=build.START)


def placed(
    verdict: PlatformVerdict,
    *,
    vantage: str,
    asn: int,
    started_at: datetime,
    duration: float,
) -> PlatformVerdict:
    """The same verdict of another vantage and time."""
    cycle = f"{vantage}-{started_at.timestamp():.3f}"
    return msgspec.structs.replace(
        verdict,
        cycle=cycle,
        vantage=vantage,
        asn=asn,
        network=f"Network {asn}",
        measurement=f"m-{cycle}",
        started_at=started_at,
        measured_at=started_at,
        measured_until=started_at + timedelta(seconds=duration),
        judged_at=started_at + timedelta(seconds=duration),
    )


# -- building ------------------------------------------------------------------------------------


def _health(looks: CycleLooks) -> VantageHealth:
    return _assessed(
        tuple(looks.before),
        tuple(looks.after),
        tuple(sorted(f for one in looks.endpoints for f in one.attempts if f in WELL)),
        looks.skewed,
    )


@cache
def _assessed(
    before: tuple[str, ...], after: tuple[str, ...], witnesses: tuple[str, ...], skewed: bool
) -> VantageHealth:
    seen = []
    for number, fates in enumerate((before, after)):
        for reference, fate in zip(references(), fates, strict=bool(fates)):
            seen.append((reference, _reference_look(reference, fate, 100.0 * number, skewed)))
    vantage = VantagePoint(id="khi-ptcl", country="PK", asn=17557, role=VantageRole.FIELD)
    looks = [_look(0, fate, float(number)) for number, fate in enumerate(witnesses)]
    return assess(vantage, seen, looks, build.START + timedelta(seconds=200))


@cache
def _endpoint_verdict(
    number: int, looks: EndpointLooks, control_well: tuple[bool, ...], health: VantageHealth
) -> Verdict:
    function, endpoint, host = endpoints()[number]
    attempts = tuple(
        _look(number, fate, 15.0 * place, attempt=place + 1)
        for place, fate in enumerate(looks.attempts)
    )
    controls = tuple(
        _look(number, fate, 100.0, vantage=name)
        for name, fate in zip(CONTROLS, looks.controls, strict=False)
        if fate
    )
    return judge(
        Case(
            cycle="cycle-1",
            vantage="khi-ptcl",
            country="PK",
            asn=17557,
            network="PTCL",
            platform=PLATFORM,
            function=function.name,
            endpoint=endpoint,
            attempts=attempts,
            controls=controls,
            follow_ups=_follow_ups(number, looks, host),
            health=health,
            control_health={
                name: build.health(vantage=name)
                for name, well in zip(CONTROLS, control_well, strict=True)
                if well
            },
            judged_at=build.START + timedelta(seconds=200),
        )
    )


@cache
def _look(
    number: int, fate: str, at: float, *, attempt: int = 1, vantage: str = "khi-ptcl"
) -> Measurement:
    function, endpoint, host = endpoints()[number]
    control = vantage in CONTROLS
    return build.look(
        *_observations(fate, host, endpoint),
        reached=fate in WELL,
        at=at,
        duration=LONGEST if fate.endswith("timeout") else 0.5,
        attempt=attempt,
        endpoint=endpoint,
        vantage=vantage,
        vantage_role="control" if control else "field",
        country="DE" if control else "PK",
        platform=PLATFORM,
        function=function.name,
    )


def _observations(fate: str, host: str, url: str) -> tuple[AnyObservation, ...]:
    resent = fate == "resent"
    if fate in FAILED_DNS:
        bogon = ("10.10.34.35",) if fate == "dns_bogon" else ()
        if not bogon:
            return (build.dns(FAILED_DNS[fate], name=host),)
        return (
            build.dns(FAILED_DNS[fate], name=host, addresses=bogon),
            build.tcp("generic_timeout_error", address=bogon[0]),
        )
    name = build.dns(name=host, tries=2 if resent else 1)
    if fate in FAILED_TCP:
        return (name, build.tcp(FAILED_TCP[fate]))
    connected = build.tcp(retransmits=int(resent))
    if fate in FAILED_TLS:
        alert = fate == "tls_alert"
        chain = (build.certificate("Filter"),) if fate == "tls_forged" else ()
        shook = build.tls(FAILED_TLS[fate], server_name=host, alert=alert, chain=chain)
        return (name, connected, shook)
    handshake = build.tls(server_name=host)
    if not url.startswith("http"):
        return (name, connected, handshake)
    if fate == "http_timeout":
        page = build.http("generic_timeout_error", url=url)
    elif fate == "http_503":
        page = build.http(url=url, status=503, expected=False)
    else:
        page = build.http(url=url)
    return (name, connected, handshake, page)


@cache
def _reference_look(reference: Reference, fate: str, at: float, skewed: bool) -> Measurement:
    endpoint = reference.endpoint
    cleartext = endpoint.id.startswith("http://")
    if cleartext and fate == "tls_expired":
        fate = "ok"
    seen = _observations(fate, endpoint.host, endpoint.id)
    if cleartext:
        seen = tuple(o for o in seen if not isinstance(o, TlsObservation))
    if skewed:
        date = (build.START + timedelta(seconds=SKEW)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        seen = tuple(
            msgspec.structs.replace(o, headers=(("Date", date),))
            if isinstance(o, HttpObservation)
            else o
            for o in seen
        )
    return build.look(
        *seen,
        reached=fate in WELL,
        at=at,
        duration=LONGEST if fate.endswith("timeout") else 0.5,
        endpoint=endpoint.id,
        platform="reference",
        function=reference.scope.value,
    )


def _follow_ups(number: int, looks: EndpointLooks, host: str) -> tuple[Measurement, ...]:
    asked, (_, endpoint, _) = looks.follow_ups, endpoints()[number]
    made: list[Measurement] = []

    def add(reason: Reason, *observations: AnyObservation) -> None:
        made.append(build.follow_up(reason, *observations, at=60.0 + len(made), endpoint=endpoint))

    def shaken(fate: str, address: str, name: str) -> tuple[AnyObservation, ...]:
        failed = FAILED_TLS.get(fate)
        if fate in FAILED_TCP:
            return (build.tcp(FAILED_TCP[fate], address=address),)
        return (
            build.tcp(address=address),
            build.tls(failed, address=address, server_name=name, alert=fate == "tls_alert"),
        )

    if asked.innocuous:
        add(Reason.INNOCUOUS_SNI, *shaken(asked.innocuous, build.V4, "innocuous.example"))
    if asked.again:
        add(Reason.NAME_AGAIN, *shaken(asked.again, build.V4, host))
    if asked.elsewhere:
        add(Reason.SNI_ELSEWHERE, *shaken(asked.elsewhere, "198.51.100.7", host))
    if asked.resolver:
        add(
            Reason.OPEN_RESOLVER,
            build.dns(FAILED_DNS.get(asked.resolver), name=host, resolver="192.0.2.99:53"),
        )
        for reason in (Reason.OPEN_RESOLVER_TCP, Reason.DOH):
            add(reason, build.dns(name=host, resolver="192.0.2.99:53", addresses=(build.V4,)))
    if asked.honest:
        add(Reason.HONEST_ADDRESS, *shaken(asked.honest, build.V4_OTHER, host))
    return tuple(made)


def _throttled(verdict: Verdict) -> Verdict:
    """As `monitor.analysis.throttling.throttling` says of a name slowed where others are not."""
    return msgspec.structs.replace(
        verdict,
        state=State.THROTTLED,
        method="throttling",
        sub_method="rate",
        rule_id="throttling.rate",
        evidence=Evidence.STRONG,
    )
