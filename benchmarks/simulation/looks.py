"""From what happens to packets to a platform verdict, through the real rules.

A *fate* is a word for what became of one look. Fates are turned into the measurement that such a
look leaves, and the measurements of a cycle go to `monitor.judging.judge_cycle` as in a running
monitor. Since the same fates always give the same verdict, each pattern is judged once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache

import msgspec

from monitor.analysis.judge.platform import roll_up
from monitor.analysis.judge.second_attempt import attempts_agree, looks_overloaded, suspicious
from monitor.analysis.seen import EndpointMeasurements, Seen
from monitor.analysis.vantage.health import assess
from monitor.analysis.verdict import Evidence, PlatformVerdict, State, VantageHealth, Verdict
from monitor.config.catalog import shipped_catalog
from monitor.judging.judge_cycle import judge_cycle
from monitor.measuring.references import first_of
from probes.catalog.catalog import Catalog, Function, Platform, Reference
from probes.measure.follow_up_reasons import Reason
from probes.measurement import (
    AnyObservation,
    HttpObservation,
    Measurement,
    Purpose,
    TlsObservation,
)
from probes.vantage import VantagePoint, VantageRole
from tests.worlds import build

PLATFORM = "x"
CONTROLS = ("ctl-fra", "ctl-nyc")
LONGEST = 10.0
"""Seconds a look waits for an answer."""
FATES: Mapping[str, str] = {
    "ok": "answered",
    "away": "answered, at another address",
    "resent": "answered, after packets were sent again",
    "dns_timeout": "the name's lookup got no answer",
    "dns_servfail": "the resolver reported a fault",
    "dns_nxdomain": "the resolver said the name does not exist",
    "dns_bogon": "the resolver gave a private address",
    "tcp_timeout": "no connection",
    "tcp_refused": "connection refused",
    "tls_timeout": "silence after the ClientHello",
    "tls_lost_timeout": "the same, on a connection that took more than one try",
    "tls_reset": "reset after the ClientHello",
    "tls_alert": "handshake refused",
    "tls_forged": "a certificate from an unknown authority",
    "tls_opened": "a certificate that an office's own authority made for the name",
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
    "tls_lost_timeout": "generic_timeout_error",
    "tls_reset": "connection_reset",
    "tls_alert": "ssl_failed_handshake",
    "tls_forged": "ssl_unknown_authority",
    "tls_opened": "ssl_unknown_authority",
    "tls_expired": "ssl_invalid_certificate",
}
WELL = frozenset({"ok", "away", "resent"})
_REFERENCE = 100
"""Stands for the number of an endpoint in the address of a reference."""
_VANTAGE = VantagePoint(id="khi-ptcl", country="PK", asn=17557, role=VantageRole.FIELD)
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
    small: str = ""
    """The name there in small segments."""
    route: bool = False
    """A neighbour of the silent address answers and it does not once more, or its way ends before
    it parts from others."""


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
    """The references that a cycle of a vantage in Pakistan measures while all is well."""
    return first_of(shipped_catalog().references_for("PK"), "")


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
    measured = tuple(_measured(number, one) for number, one in enumerate(looks.endpoints))
    references_seen = _reference_looks(tuple(looks.before), tuple(looks.after), looks.skewed)
    health = _health(looks)
    every = [m for one in measured for m in (*one.attempts, *one.controls, *one.follow_ups)]
    judged = judge_cycle(
        Seen(
            cycle="cycle-1",
            vantage=_VANTAGE,
            started_at=build.START,
            finished_at=build.START + timedelta(seconds=200),
            judged_at=build.START + timedelta(seconds=200),
            health=health,
            endpoints=measured,
            control_health={
                name: build.health(vantage=name)
                for name, well in zip(CONTROLS, looks.control_well, strict=True)
                if well
            },
            measurements=(*every, *(m for _, m in references_seen)),
        ),
        _catalog(),
        (),
    )
    if not looks.throttled:
        return judged.platforms[0]
    verdicts = [
        _throttled(v) if v.state is State.OK and v.function == "web" else v for v in judged.verdicts
    ]
    return roll_up(platform(), verdicts, started_at=build.START)


def fast(verdict: PlatformVerdict) -> PlatformVerdict:
    """The same verdict where the speed was measured too, and is as it should be."""
    functions = tuple(
        msgspec.structs.replace(one, tested=("throttling",)) for one in verdict.functions
    )
    return msgspec.structs.replace(verdict, functions=functions)


def placed(
    verdict: PlatformVerdict,
    *,
    vantage: str,
    asn: int,
    started_at: datetime,
    duration: float,
    judged: float,
) -> PlatformVerdict:
    """The same verdict of another vantage and time, judged so many seconds after the start."""
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
        judged_at=started_at + timedelta(seconds=judged),
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
    seen = _reference_looks(before, after, skewed)
    looks = [_look(0, fate, float(number)) for number, fate in enumerate(witnesses)]
    return assess(_VANTAGE, seen, looks, build.START + timedelta(seconds=200))


def _reference_looks(
    before: tuple[str, ...], after: tuple[str, ...], skewed: bool
) -> list[tuple[Reference, Measurement]]:
    return [
        (reference, _reference_look(reference, fate, 100.0 * number, skewed))
        for number, fates in enumerate((before, after))
        for reference, fate in zip(references(), fates, strict=bool(fates))
    ]


@cache
def _measured(number: int, looks: EndpointLooks) -> EndpointMeasurements:
    function, endpoint, host = endpoints()[number]
    return EndpointMeasurements(
        platform=PLATFORM,
        function=function.name,
        endpoint=endpoint,
        attempts=tuple(
            _look(number, fate, 15.0 * place, attempt=place + 1)
            for place, fate in enumerate(looks.attempts)
        ),
        controls=tuple(
            _look(number, fate, 100.0, vantage=name)
            for name, fate in zip(CONTROLS, looks.controls, strict=False)
            if fate
        ),
        follow_ups=_follow_ups(number, looks, host),
    )


@cache
def _catalog() -> Catalog:
    return msgspec.structs.replace(shipped_catalog(), platforms=(platform(),))


@cache
def _look(
    number: int, fate: str, at: float, *, attempt: int = 1, vantage: str = "khi-ptcl"
) -> Measurement:
    function, endpoint, host = endpoints()[number]
    control = vantage in CONTROLS
    return build.look(
        *_observations(fate, host, endpoint, number),
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


def _address(number: int, fate: str = "") -> str:
    """Of an endpoint: what the resolver gives, or another one."""
    return f"203.0.113.{10 + 2 * number + (fate == 'away')}"


def _observations(fate: str, host: str, url: str, number: int) -> tuple[AnyObservation, ...]:
    resent, here = fate in ("resent", "tls_lost_timeout"), _address(number, fate)
    if fate in FAILED_DNS:
        bogon = ("10.10.34.35",) if fate == "dns_bogon" else ()
        if not bogon:
            return (build.dns(FAILED_DNS[fate], name=host),)
        return (
            build.dns(FAILED_DNS[fate], name=host, addresses=bogon),
            build.tcp("generic_timeout_error", address=bogon[0]),
        )
    name = build.dns(name=host, tries=2 if resent else 1, addresses=(here,))
    if fate in FAILED_TCP:
        return (name, build.tcp(FAILED_TCP[fate], address=here))
    connected = build.tcp(retransmits=int(resent), address=here)
    if fate in FAILED_TLS:
        alert = fate == "tls_alert"
        chain = (build.certificate("Filter"),) if fate == "tls_forged" else ()
        if fate == "tls_opened":
            chain = (build.certificate(host, by="Office Gateway"),)
        shook = build.tls(
            FAILED_TLS[fate], server_name=host, alert=alert, chain=chain, address=here
        )
        return (name, connected, shook)
    handshake = build.tls(server_name=host, address=here)
    if not url.startswith("http"):
        return (name, connected, handshake)
    if fate == "http_timeout":
        page = build.http("generic_timeout_error", url=url, address=here)
    elif fate == "http_503":
        page = build.http(url=url, status=503, expected=False, address=here)
    else:
        page = build.http(url=url, address=here)
    return (name, connected, handshake, page)


@cache
def _reference_look(reference: Reference, fate: str, at: float, skewed: bool) -> Measurement:
    endpoint = reference.endpoint
    cleartext = endpoint.id.startswith("http://")
    if cleartext and fate == "tls_expired":
        fate = "ok"
    seen = _observations(fate, endpoint.host, endpoint.id, _REFERENCE)
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
    here, other = _address(number), _address(number, "away")
    made: list[Measurement] = []

    def add(reason: Reason, *observations: AnyObservation) -> None:
        made.append(build.follow_up(reason, *observations, at=60.0 + len(made), endpoint=endpoint))

    def shaken(fate: str, address: str, name: str) -> tuple[AnyObservation, ...]:
        failed = FAILED_TLS.get(fate)
        if fate in FAILED_TCP:
            return (build.tcp(FAILED_TCP[fate], address=address),)
        late = fate in ("resent", "tls_lost_timeout")
        return (
            build.tcp(address=address, retransmits=int(late)),
            build.tls(failed, address=address, server_name=name, alert=fate == "tls_alert"),
        )

    if asked.innocuous:
        add(Reason.INNOCUOUS_SNI, *shaken(asked.innocuous, here, "innocuous.example"))
    if asked.again:
        add(Reason.NAME_AGAIN, *shaken(asked.again, here, host))
    if asked.elsewhere:
        add(Reason.SNI_ELSEWHERE, *shaken(asked.elsewhere, "198.51.100.7", host))
    if asked.resolver:
        add(
            Reason.OPEN_RESOLVER,
            build.dns(FAILED_DNS.get(asked.resolver), name=host, resolver="192.0.2.99:53"),
        )
        for reason in (Reason.OPEN_RESOLVER_TCP, Reason.DOH):
            add(reason, build.dns(name=host, resolver="192.0.2.99:53", addresses=(here,)))
    if asked.honest:
        add(Reason.HONEST_ADDRESS, *shaken(asked.honest, other, host))
    if asked.small:
        add(Reason.SMALL_SEGMENTS, *shaken(asked.small, here, host))
    if asked.route:
        beside = shaken("ok", "203.0.113.250", "neighbour.example")
        beside = tuple(msgspec.structs.replace(o, reason=Reason.NEIGHBOUR) for o in beside)
        again = build.tcp("generic_timeout_error", address=here, start=1.0)
        again = msgspec.structs.replace(again, reason=Reason.ADDRESS_AGAIN)
        one = build.look(*beside, again, at=60.0 + len(made), endpoint=endpoint)
        made.append(msgspec.structs.replace(one, look=Purpose.FOLLOW_UP))
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
