"""A small world to show: X blocked on two of three Pakistani networks, seen by a real Publisher."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.analysis.events.event import Event, EventState, NetworkStatus, Scope
from monitor.analysis.transfer_verdict import Spread, TransferClass, TransferVerdict
from monitor.analysis.verdict import (
    Evidence,
    FunctionVerdict,
    PlatformVerdict,
    State,
    VantageHealth,
    VantageState,
    Verdict,
)
from monitor.metrics.publisher import Publisher
from probes.catalog.catalog import Catalog, Endpoint, Function, Platform
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measurement import (
    DnsObservation,
    HttpObservation,
    Measurement,
    TcpObservation,
    TlsObservation,
)
from probes.vantage import Egress, EgressKind, Resolver, VantagePoint, VantageRole
from storage.values.cycle import Cycle

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

TITLES = {
    "x": "X",
    "facebook": "Facebook",
    "messenger": "Messenger",
    "instagram": "Instagram",
    "threads": "Threads",
    "meta": "Meta",
    "whatsapp": "WhatsApp",
    "youtube": "YouTube",
    "tiktok": "TikTok",
    "telegram": "Telegram",
}

OWNERS = {
    "x": "X Corp.",
    **dict.fromkeys(
        ("facebook", "messenger", "instagram", "threads", "meta", "whatsapp"),
        "Meta",
    ),
    "youtube": "Google",
    "tiktok": "ByteDance",
    "telegram": "Telegram",
}
PUBLIC_URL = "https://watch.example.org"

Accusation = tuple[State, str, str]
"""State, method and sub-method."""

OK: Accusation = (State.OK, "", "")
TLS_RESET: Accusation = (State.BLOCKED, "tls", "reset")
DNS_NXDOMAIN: Accusation = (State.BLOCKED, "dns", "nxdomain")


DIRECT = Egress()
SYSTEM = Resolver()


class Clock:
    """A clock that stands still until told otherwise."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.at += timedelta(seconds=seconds)


def catalog(names: Iterable[str] = TITLES) -> Catalog:
    """Platforms with a core web function, a core API and a media function each."""
    return Catalog(
        platforms=tuple(
            Platform(name=name, title=TITLES[name], owner=OWNERS[name], functions=_functions(name))
            for name in names
        )
    )


def _functions(name: str) -> tuple[Function, ...]:
    return tuple(
        Function(
            name=function,
            core=function != "media",
            endpoints=(
                Endpoint(kind=EndpointKind.HTTPS, host=f"{function}.{name}.example", port=443),
            ),
        )
        for function in ("web", "api", "media")
    )


def vantage(
    name: str,
    country: str = "PK",
    asn: int = 17557,
    network: str = "PTCL",
    role: VantageRole = VantageRole.FIELD,
    egress: Egress = DIRECT,
    resolver: Resolver = SYSTEM,
) -> VantagePoint:
    """A vantage point."""
    return VantagePoint(
        id=name,
        country=country,
        asn=asn,
        network=network,
        role=role,
        egress=egress,
        resolver=resolver,
    )


FIELD = (
    vantage("khi-ptcl", "PK", 17557, "PTCL"),
    vantage("lhe-nayatel", "PK", 23674, "Nayatel"),
    vantage("isb-jazz", "PK", 45669, "Jazz"),
)
CONTROL = (
    vantage(
        "ams-control",
        "NL",
        1103,
        "SURF",
        VantageRole.CONTROL,
        egress=Egress(
            kind=EgressKind.SOCKS5,
            proxy_host="proxy.secret.example",
            proxy_port=1080,
            username="secret-user",
            password="secret-password",  # noqa: S106 - what a test looks for
        ),
    ),
    vantage(
        "sto-control",
        "SE",
        1653,
        "SUNET",
        VantageRole.CONTROL,
        egress=Egress(kind=EgressKind.SOURCE, source="198.51.100.7"),
        resolver=Resolver(address="198.51.100.53"),
    ),
)


def publisher(
    vantages: Iterable[VantagePoint] = (*FIELD, *CONTROL),
    platforms: Iterable[str] = TITLES,
    now: Callable[[], datetime] | None = None,
    interval: float = 300.0,
) -> Publisher:
    """A publisher that has heard of nothing yet."""
    return Publisher(
        tuple(vantages),
        catalog(platforms),
        now or Clock(),
        interval=interval,
        public_url=PUBLIC_URL,
        runbooks_url=f"{PUBLIC_URL}/runbooks",
    )


def health(
    point: VantagePoint,
    at: datetime = NOW,
    state: VantageState = VantageState.OK,
    ok: int = 5,
    total: int = 5,
) -> VantageHealth:
    """What the references told about one vantage."""
    return VantageHealth(
        vantage=point.id,
        country=point.country,
        asn=point.asn,
        network=point.network,
        vantage_role=point.role,
        state=state,
        rule_id="health.test",
        references_ok=ok,
        references_total=total,
        timeout_rate=0.01,
        families=("ipv4",),
        clock_skew=2.0,
        at=at,
    )


def verdict(
    point: VantagePoint, platform: str, accusation: Accusation = OK, at: datetime = NOW
) -> PlatformVerdict:
    """One platform at one vantage; an accusation hits its web function, or media when degraded."""
    state, method, sub_method = accusation
    hit = "media" if state is State.DEGRADED else "web"
    hit_state = State.BLOCKED if state is State.DEGRADED else state
    return PlatformVerdict(
        cycle=f"cycle-{point.id}",
        vantage=point.id,
        country=point.country,
        asn=point.asn,
        network=point.network,
        vantage_role=point.role,
        platform=platform,
        state=state,
        method=method,
        sub_method=sub_method,
        rule_id="test",
        evidence=Evidence.STRONG if state is State.BLOCKED else Evidence.NONE,
        functions=tuple(
            FunctionVerdict(
                function=function,
                core=function != "media",
                state=hit_state if function == hit else State.OK,
            )
            for function in ("web", "api", "media")
        ),
        started_at=at - timedelta(seconds=20),
        judged_at=at,
        rules_version="test",
    )


def look(
    point: VantagePoint,
    platform: str,
    accusation: Accusation = OK,
    *,
    of: VantagePoint | None = None,
) -> Measurement:
    """One measurement whose failing layer fits the accusation, made in the cycle `of` a vantage."""
    _, method, sub_method = accusation
    dns_failure = "dns_nxdomain_error" if method == "dns" else None
    tls_failure = "connection_reset" if (method, sub_method) == ("tls", "reset") else None
    dns = DnsObservation(
        start=0, duration=0.02, failure=dns_failure, name="h", rtype="A", resolver="r"
    )
    tcp = TcpObservation(start=0.02, duration=0.08, address="203.0.113.9", port=443)
    tls = TlsObservation(
        start=0.1,
        duration=0.3,
        failure=tls_failure,
        address="203.0.113.9",
        port=443,
        server_name="h",
    )
    http = HttpObservation(
        start=0.4, duration=0.6, url="https://h/", address="203.0.113.9", status=200
    )
    reached = dns_failure is None and tls_failure is None
    observations = (dns, tcp, tls, http) if reached else (dns,) if dns_failure else (dns, tcp, tls)
    return Measurement(
        id=f"{point.id}-{platform}",
        cycle=f"cycle-{(of or point).id}",
        vantage=point.id,
        country=point.country,
        asn=point.asn,
        network=point.network,
        vantage_role=point.role,
        platform=platform,
        function="web",
        endpoint=f"https://web.{platform}.example/",
        started_at=NOW,
        duration=1.0,
        observations=observations,
        reached=reached,
    )


def cycle(
    point: VantagePoint,
    platforms: Iterable[str] = TITLES,
    accusations: Mapping[str, Accusation] | None = None,
    *,
    at: datetime = NOW,
    length: float = 30.0,
    state: VantageHealth | None = None,
    measurements: tuple[Measurement, ...] | None = None,
    transfers: tuple[TransferVerdict, ...] = (),
) -> Cycle:
    """A finished cycle: every platform ok but for those accused."""
    accused = {name: (accusations or {}).get(name, OK) for name in platforms}
    if measurements is None:
        measurements = tuple(look(point, name, why) for name, why in accused.items())
    return Cycle(
        id=f"cycle-{point.id}",
        vantage=point.id,
        country=point.country,
        started_at=at - timedelta(seconds=length),
        finished_at=at,
        health=state or health(point, at),
        measurements=measurements,
        verdicts=(),
        platforms=tuple(verdict(point, name, why, at) for name, why in accused.items()),
        transfers=transfers,
    )


def pictures_blocked(
    point: VantagePoint,
    state: State,
    evidence: Evidence = Evidence.CONCLUSIVE,
    method: tuple[str, str] = ("tls", "reset"),
    at: datetime = NOW,
) -> Cycle:
    """A cycle in which X's site is in this state, undecided or down, and so is X; its pictures are
    cut off with this evidence."""
    made = cycle(point, accusations={"x": (state, "", "")}, at=at)
    platforms = []
    for one in made.platforms:
        media = FunctionVerdict(
            function="media",
            core=False,
            state=State.BLOCKED,
            method=method[0],
            sub_method=method[1],
            evidence=evidence,
            measurement="m-media",
        )
        others = one.functions[:-1]
        changed = msgspec.structs.replace(one, functions=(*others, media))
        platforms.append(changed if one.platform == "x" else one)
    return msgspec.structs.replace(made, platforms=tuple(platforms))


def transfer(point: VantagePoint, platform: str, ratio: float) -> TransferVerdict:
    """The speed of a platform's start page against an innocuous name on the same address."""
    return TransferVerdict(
        kind=TransferClass.OK,
        object=f"https://web.{platform}.example/",
        rounds=1,
        ratios={"innocuous": Spread(low=ratio, median=ratio, high=ratio)},
        verdict=Verdict(
            measurement="m",
            cycle=f"cycle-{point.id}",
            vantage=point.id,
            country=point.country,
            asn=point.asn,
            network=point.network,
            vantage_role=point.role,
            platform=platform,
            function="web",
            endpoint=f"https://web.{platform}.example/",
            state=State.OK,
            rule_id="throttling.none",
            judged_at=NOW,
            rules_version="test",
        ),
    )


def event(
    country: str = "PK",
    platform: str = "x",
    state: EventState = EventState.CONFIRMED,
    *,
    at: datetime = NOW,
    onset_known: bool = True,
    points: Iterable[VantagePoint] = FIELD,
    affected: int = 2,
) -> Event:
    """An active event on the first `affected` of the networks."""
    networks = tuple(
        NetworkStatus(
            asn=point.asn,
            network=point.network,
            affected=index < affected,
            blocked_now=index < affected,
            found_open=index >= affected,
            methods=(("tls.reset", "dns.nxdomain")[index % 2],) if index < affected else (),
        )
        for index, point in enumerate(points)
    )
    return Event(
        id=f"{country}-{platform}",
        country=country,
        platform=platform,
        state=state,
        scope=Scope.FULL,
        functions=("api", "web"),
        methods=("tls.reset", "dns.nxdomain"),
        networks=networks,
        onset_earliest=at - timedelta(minutes=17) if onset_known else None,
        onset_latest=at - timedelta(minutes=12),
        detected_at=at - timedelta(minutes=12),
        confirmed_at=at - timedelta(minutes=7) if state is EventState.CONFIRMED else None,
        updated_at=at,
        first_measurement="m",
        evidence="strong",
        rules_version="test",
    )


def x_blocked_on_two_of_three(
    now: Callable[[], datetime] | None = None, interval: float = 300.0
) -> Publisher:
    """The world of this module's title, with two healthy controls."""
    shown = publisher(now=now, interval=interval)
    publish_x_blocked(shown)
    return shown


def publish_x_blocked(shown: Publisher) -> None:
    """One more cycle of every vantage, at the publisher's own time, with X still blocked."""
    at = shown.now()
    accusations: tuple[dict[str, Accusation], ...] = ({"x": TLS_RESET}, {"x": DNS_NXDOMAIN}, {})
    events = [event(at=at)]
    for point, accused in zip(FIELD, accusations, strict=True):
        shown.publish(cycle(point, accusations=accused, at=at), events)
    for point in CONTROL:
        shown.publish(cycle(point, platforms=(), at=at, measurements=()), events)
