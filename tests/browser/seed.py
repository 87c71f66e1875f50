"""A country that blocks, as a store and a publisher know it: everything the page can show, and text
that wishes its reader ill."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.analysis.events.event import (
    Event,
    EventKind,
    EventLogEntry,
    EventState,
    NetworkStatus,
    Scope,
    Stretch,
)
from monitor.analysis.judge.rules.table import RULES_VERSION
from monitor.analysis.verdict import Evidence, State, VantageState, Verdict
from monitor.metrics.publisher import Publisher
from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    HttpObservation,
    Measurement,
    Purpose,
    TcpObservation,
    TlsObservation,
)
from probes.vantage import VantagePoint
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.reviews import Annotation, AnnotationKind, Mark, Review, annotation_id
from tests.prometheus import world
from tests.prometheus.world import CONTROL, OK, vantage

NOW = datetime(2024, 2, 17, 15, 0, tzinfo=UTC)
ONSET = datetime(2024, 2, 17, 14, 7, tzinfo=UTC)
EARLIEST = ONSET - timedelta(minutes=5)
SEEN = NOW - timedelta(minutes=4)
"""When blocks that go on were last noted."""
FIELD = (
    vantage("khi-ptcl", "PK", 17557, "PTCL"),
    vantage("lhe-nayatel", "PK", 23674, "Nayatel"),
    vantage("isb-jazz", "PK", 45669, "Jazz"),
    vantage("pew-zong", "PK", 59257, "Zong"),
    vantage("sao-vivo", "BR", 26599, "Vivo"),
    vantage("rio-claro", "BR", 28573, "Claro"),
    vantage("nbo-safaricom", "KE", 33771, "Safaricom"),
)
TITLE = (
    "</title><script>document.title='owned'</script><img src=x onerror=alert(1)> "
    "\u202eevil\u2066 =HYPERLINK(1)"
)
HUGE_TITLE = TITLE + "A" * 10_000_000
HOST = "web.x.example"
URL = f"https://{HOST}/"
EVENT = "3f1c9a7be0d24c55"
ENDED = "77aa00bb11cc22dd"
SILENT = "51e17ce000000001"
ANNOTATION = "A minister says \u202eeverything\u202c works <b>normally</b>"


def network(
    point: VantagePoint, *methods: str, stretches: Iterable[Stretch] = (), now: bool = True
) -> NetworkStatus:
    """One network of an event; without methods it does not block."""
    return NetworkStatus(
        asn=point.asn,
        network=point.network,
        affected=bool(methods),
        blocked_now=bool(methods) and now,
        methods=methods,
        stretches=tuple(stretches),
        found_open=not methods,
    )


def event(id_: str, country: str, platform: str, **changed: object) -> Event:
    """An event; by default confirmed since ONSET."""
    plain = Event(
        id=id_,
        country=country,
        platform=platform,
        state=EventState.CONFIRMED,
        scope=Scope.FULL,
        functions=("web",),
        methods=("tls.reset",),
        networks=(),
        onset_earliest=EARLIEST,
        onset_latest=ONSET,
        detected_at=ONSET + timedelta(seconds=20),
        confirmed_at=ONSET + timedelta(minutes=5),
        updated_at=NOW,
        first_measurement="",
        evidence="conclusive",
        rules_version=RULES_VERSION,
    )
    return msgspec.structs.replace(plain, **changed)


def events() -> tuple[Event, ...]:
    """Blocks in every state people meet, and what is no block."""
    began = Stretch(onset_earliest=EARLIEST, onset_latest=ONSET, last_blocked=SEEN)
    week = timedelta(days=6)
    return (
        event(
            EVENT,
            "PK",
            "x",
            functions=("api", "web"),
            methods=("tls.reset", "dns.nxdomain", "http.blockpage"),
            networks=(
                network(FIELD[0], "tls.reset", stretches=[began]),
                network(FIELD[1], "dns.nxdomain", stretches=[began]),
                network(FIELD[2], "http.blockpage", stretches=[began]),
                network(FIELD[3]),
            ),
            share_affected=0.62,
        ),
        event(
            "aa11bb22cc33dd44",
            "BR",
            "telegram",
            state=EventState.SUSPECTED,
            confirmed_at=None,
            evidence="weak",
            methods=("throttling.rate",),
            networks=(network(FIELD[4], "throttling.rate", stretches=[began]), network(FIELD[5])),
        ),
        event(
            ENDED,
            "KE",
            "telegram",
            state=EventState.ENDED,
            evidence="strong",
            networks=(
                network(
                    FIELD[6],
                    "tls.timeout",
                    now=False,
                    stretches=[
                        Stretch(
                            onset_earliest=None,
                            onset_latest=ONSET - week,
                            end_earliest=NOW - week,
                            end_latest=NOW - week + timedelta(minutes=40),
                        )
                    ],
                ),
            ),
            methods=("tls.timeout",),
            onset_earliest=None,
            onset_latest=ONSET - week,
            end_earliest=NOW - week,
            end_latest=NOW - week + timedelta(minutes=40),
            updated_at=NOW - week,
            detected_at=ONSET - week,
        ),
        event(
            "0d15b15500000000",
            "PK",
            "youtube",
            state=EventState.DISMISSED,
            confirmed_at=None,
            evidence="weak",
            networks=(network(FIELD[0], "tcp.timeout", now=False),),
            methods=("tcp.timeout",),
            onset_earliest=ONSET - timedelta(days=3),
            onset_latest=ONSET - timedelta(days=3) + timedelta(minutes=5),
            detected_at=ONSET - timedelta(days=3) + timedelta(minutes=6),
            updated_at=ONSET - timedelta(days=2),
        ),
        event(
            SILENT,
            "KE",
            "",
            kind=EventKind.VANTAGE_SILENT,
            vantage="nbo-safaricom",
            functions=(),
            methods=(),
            evidence="none",
        ),
        event(
            "0074a6e000000000",
            "",
            "tiktok",
            kind=EventKind.OUTAGE,
            functions=(),
            methods=(),
            evidence="none",
        ),
    )


def _look(
    id_: str,
    point: VantagePoint,
    cycle: str,
    seconds: float,
    observations: tuple[AnyObservation, ...],
    look: Purpose = Purpose.SCHEDULED,
    *,
    endpoint: str = URL,
) -> Measurement:
    return Measurement(
        id=id_,
        cycle=cycle,
        vantage=point.id,
        country=point.country,
        asn=point.asn,
        network=point.network,
        vantage_role=point.role,
        platform="x",
        function="web",
        endpoint=endpoint,
        look=look,
        started_at=ONSET + timedelta(seconds=seconds),
        duration=0.4,
        observations=observations,
        reached=all(one.failure is None for one in observations),
    )


def _dns(failure: str | None = None) -> DnsObservation:
    return DnsObservation(
        start=0.0,
        duration=0.02,
        failure=failure,
        name=HOST,
        rtype="A",
        resolver="192.0.2.53:53",
        answers=()
        if failure
        else (DnsAnswer(delay=0.02, rcode="NOERROR", addresses=("203.0.113.9", "203.0.113.10")),),
    )


def _tcp() -> TcpObservation:
    return TcpObservation(start=0.02, duration=0.05, address="203.0.113.9", port=443)


def _tls(failure: str | None = None, reason: str = "", name: str = HOST) -> TlsObservation:
    return TlsObservation(
        start=0.1,
        duration=0.06,
        failure=failure,
        reason=reason,
        address="203.0.113.9",
        port=443,
        server_name=name,
        version="TLSv1.3",
    )


def _http(title: str, *, expected: bool = True) -> HttpObservation:
    return HttpObservation(
        start=0.2,
        duration=0.1,
        url=URL,
        address="203.0.113.9",
        status=200,
        title=title,
        expected=expected,
        body=f"<title>{title[:1000]}</title>",
        body_length=200,
    )


def _verdict(
    point: VantagePoint, cycle: str, method: str, sub_method: str, rule: str, grade: Evidence
) -> Verdict:
    return Verdict(
        measurement=f"look-{cycle}",
        controls=(f"control-{cycle}",),
        cycle=cycle,
        vantage=point.id,
        country=point.country,
        asn=point.asn,
        network=point.network,
        vantage_role=point.role,
        platform="x",
        function="web",
        endpoint=URL,
        state=State.BLOCKED,
        method=method,
        sub_method=sub_method,
        rule_id=rule,
        evidence=grade,
        judged_at=ONSET + timedelta(seconds=20),
        rules_version=RULES_VERSION,
    )


def _cycle(point: VantagePoint, verdict: Verdict, measurements: tuple[Measurement, ...]) -> Cycle:
    fine = msgspec.structs.replace(
        verdict,
        measurement="",
        endpoint="https://api.x.example/",
        function="api",
        state=State.OK,
        method="",
        sub_method="",
        rule_id="endpoint.reached",
        evidence=Evidence.NONE,
    )
    return Cycle(
        id=verdict.cycle,
        vantage=point.id,
        country=point.country,
        started_at=ONSET,
        finished_at=ONSET + timedelta(seconds=25),
        health=world.health(point, ONSET),
        measurements=measurements,
        verdicts=(verdict, fine),
        platforms=(),
    )


def cycles(title: str = TITLE) -> tuple[Cycle, ...]:
    """The cycles in which the block was first seen: by a reset, a lie, and a page of that title."""
    found = []
    cases = (
        (FIELD[0], "tls", "reset", "tls.reset", (_dns(), _tcp(), _tls("connection_reset"))),
        (FIELD[1], "dns", "nxdomain", "dns.nxdomain", (_dns("dns_nxdomain_error"),)),
        (
            FIELD[2],
            "http",
            "blockpage",
            "http.blockpage",
            (_dns(), _tcp(), _http(title, expected=False)),
        ),
    )
    for number, (point, method, sub_method, rule, seen) in enumerate(cases):
        id_ = f"cycle-{number}"
        grade = Evidence.CONCLUSIVE if method == "tls" else Evidence.STRONG
        measurements = [
            _look(f"look-{id_}", point, id_, 1, seen),
            _look(
                f"control-{id_}",
                CONTROL[0],
                id_,
                5,
                (_dns(), _tcp(), _tls(), _http("X. It's what's happening")),
                Purpose.CONTROL,
            ),
        ]
        if method == "tls":
            besides = (_tls(None, "innocuous_sni", "www.example.com"),)
            measurements.append(_look(f"more-{id_}", point, id_, 8, besides, Purpose.FOLLOW_UP))
        verdict = _verdict(point, id_, method, sub_method, rule, grade)
        found.append(_cycle(point, verdict, tuple(measurements)))
    return tuple(found)


def log() -> tuple[EventLogEntry, ...]:
    """What was known of the block, and when."""
    opened, *_ = events()
    return tuple(
        EventLogEntry(
            event=EVENT,
            sequence=number,
            at=ONSET + timedelta(minutes=minutes),
            change=change,
            detail=detail,
            snapshot=opened,
        )
        for number, (minutes, change, detail) in enumerate(
            (
                (0.3, "opened", "AS17557 PTCL: tls.reset"),
                (5, "confirmed", "3 networks"),
                (5, "method_added", "dns.nxdomain"),
            ),
            1,
        )
    )


def annotation() -> Annotation:
    """An official denial."""
    told = ("PK", ONSET + timedelta(hours=1), None, "", AnnotationKind.OFFICIAL_DENIAL)
    source = "https://news.example.org/denial"
    return Annotation(
        id=annotation_id(*told, ANNOTATION, source),
        country="PK",
        since=told[1],
        kind=AnnotationKind.OFFICIAL_DENIAL,
        text=ANNOTATION,
        source=source,
        added_at=NOW,
    )


async def fill(store: Store, title: str = TITLE) -> None:
    """Store all of it; `title` is that of the page shown in place of X."""
    known = events()
    for number, cycle in enumerate(cycles(title)):
        first = number == 0
        await store.save(cycle, known if first else (), log() if first else ())
    await store.add_review(
        Review(
            id="0190b3c0-0000-7000-8000-000000000001",
            country="PK",
            event=EVENT,
            at=NOW,
            mark=Mark.CONFIRMED,
            note="Two people in Lahore see the same <i>page</i>",
            reviewer="Asma",
        )
    )
    await store.add_annotations([annotation()])


def publisher(
    now: datetime = NOW,
    more: Iterable[VantagePoint] = (),
    clock: Callable[[], datetime] | None = None,
) -> Publisher:
    """What is known at that moment, or when the `clock` is asked first; of `more` vantages nothing
    yet."""
    made = world.publisher(vantages=(*FIELD, *more, *CONTROL), now=clock or (lambda: now))
    active = [one for one in events() if one.active]
    blocked = {
        FIELD[0].id: {"x": world.TLS_RESET},
        FIELD[1].id: {"x": world.DNS_NXDOMAIN},
        FIELD[2].id: {
            "x": (State.BLOCKED, "http", "blockpage"),
            "instagram": (State.DEGRADED, "tls", "reset"),
            "tiktok": (State.DOWN, "", ""),
        },
        FIELD[3].id: {"whatsapp": (State.INSUFFICIENT, "", "")},
        FIELD[4].id: {"telegram": (State.THROTTLED, "throttling", "rate")},
    }
    for point in (*FIELD[:-1], *CONTROL):
        state = world.health(point, now, VantageState.LOSSY, ok=3) if point is FIELD[3] else None
        made.publish(
            world.cycle(point, accusations=blocked.get(point.id, {"x": OK}), at=now, state=state),
            active,
        )
    return made
