"""Whole cycles, events and logs for the stores to keep; small, and the same on every call."""

from datetime import UTC, datetime, timedelta

from monitor.analysis.events.event import (
    Event,
    EventLogEntry,
    EventState,
    NetworkStatus,
    Scope,
    Stretch,
)
from monitor.analysis.verdict import (
    Evidence,
    FunctionVerdict,
    PlatformVerdict,
    State,
    VantageHealth,
    VantageState,
    Verdict,
)
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
    TransferObservation,
)
from storage.values.cycle import Cycle
from storage.values.outbox import Notice
from storage.values.rejudging import Rejudging
from storage.values.reviews import Annotation, AnnotationKind, Mark, Review, annotation_id
from storage.values.withheld import Withheld

START = datetime(2024, 2, 17, 12, 0, tzinfo=UTC)
HUGE = 512 * 1024
AWKWARD = "ایکس\u200cبند ہے \u202e=1+1 \x00\x1f😀\n'\"; DROP TABLE event; --"
"""Text with everything that escapes, quotes, encodings and tools stumble over."""
PLAIN = AWKWARD.replace("\0", "")
"""The same without U+0000, which PostgreSQL cannot hold outside of JSON."""


def at(seconds: float) -> datetime:
    """A moment, that many seconds after START."""
    return START + timedelta(seconds=seconds)


EVERY_OBSERVATION: tuple[AnyObservation, ...] = (
    EgressObservation(start=0.0, duration=0.1, failure="connection_refused", reply=AWKWARD),
    EgressObservation(start=0.0, duration=0.0),
    DnsObservation(
        start=1e-09,
        duration=0.1 + 0.2,
        name="x.com",
        rtype="A",
        resolver="192.0.2.53:53",
        transport="doh",
        stub=True,
        tries=3,
        reason="open_resolver",
        answers=(
            DnsAnswer(delay=0.01, rcode="NOERROR", addresses=("203.0.113.1", "203.0.113.2")),
            DnsAnswer(delay=0.4, rcode="NXDOMAIN", cnames=("a.example", "b.example")),
        ),
    ),
    DnsObservation(
        start=0.0, duration=4.0, failure="generic_timeout_error", name="", rtype="AAAA", resolver=""
    ),
    TcpObservation(start=0.5, duration=10.0, failure="timed_out", address="2001:db8::1", port=443),
    TcpObservation(start=0.5, duration=0.2, address="203.0.113.1", port=65535, retransmits=2),
    TlsObservation(
        start=1.0,
        duration=0.3,
        failure="ssl_unknown_authority",
        address="203.0.113.1",
        port=443,
        server_name="xn--p1ai.example",
        version="TLSv1.3",
        cipher="TLS_AES_128_GCM_SHA256",
        alpn="h2",
        alert=True,
        verify_error="unable to get local issuer certificate",
        chain_sha256="ab" * 32,
        chain=(bytes(range(256)), b"", b"\x00" * 5000),
    ),
    HttpObservation(
        start=2.0,
        duration=0.25,
        url="https://x.com/?q=ایکس",
        address="203.0.113.1",
        hop=9,
        status=302,
        title=AWKWARD,
        headers=(("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x", "")),
        location="https://blocked.example/",
        body_length=HUGE,
        body_truncated=True,
        body_sha256="cd" * 32,
        body=(AWKWARD * HUGE)[:HUGE],
        expected=False,
    ),
    HttpObservation(
        start=2.0, duration=0.0, failure="connection_reset", url="http://x.com/", address=""
    ),
    AppObservation(
        start=2.0,
        duration=0.2,
        failure="unknown_failure: not MTProto",
        protocol="mtproto",
        address="149.154.175.50",
        port=443,
        first_reply=0.1,
    ),
    AppObservation(start=2.0, duration=0.0, protocol="stun", address="", port=0),
    QuicObservation(
        start=3.0,
        duration=0.1,
        address="2001:db8::1",
        port=443,
        server_name="x.com",
        version="0x00000001",
        alpn="h3",
        status=200,
    ),
    QuicObservation(
        start=3.0,
        duration=10.0,
        failure="generic_timeout_error",
        address="",
        port=0,
        server_name="",
    ),
    TransferObservation(
        start=4.0,
        duration=30.0,
        failure="generic_timeout_error",
        reason="throttling",
        url="https://x.com/big",
        address="203.0.113.1",
        server_name="example.org",
        verified=False,
        first_byte=0.1,
        bytes_wanted=65536,
        bytes_read=16384,
        marks=((0.1, 1024), (1.25, 16384)),
        held_up=0.0625,
    ),
    TransferObservation(start=4.0, duration=0.0, url="", address="", server_name=""),
)
"""Each kind of observation, full and nearly empty."""

REACHED: tuple[AnyObservation, ...] = (
    DnsObservation(
        start=0.0,
        duration=0.02,
        name="x.com",
        rtype="A",
        resolver="192.0.2.53:53",
        answers=(DnsAnswer(delay=0.02, rcode="NOERROR", addresses=("203.0.113.1",)),),
    ),
    TcpObservation(start=0.03, duration=0.05, address="203.0.113.1", port=443),
    TlsObservation(start=0.08, duration=0.1, address="203.0.113.1", port=443, server_name="x.com"),
    HttpObservation(
        start=0.2, duration=0.2, url="https://x.com/", address="203.0.113.1", status=200
    ),
)


def measurement(
    id: str,  # noqa: A002 # the field's own name
    seconds: float = 0.0,
    *,
    cycle: str = "",
    country: str = "PK",
    vantage: str = "khi-ptcl",
    platform: str = "x",
    endpoint: str = "https://x.com/",
    observations: tuple[AnyObservation, ...] = REACHED,
    reached: bool = True,
    look: Purpose = Purpose.SCHEDULED,
    not_observed: tuple[Layer, ...] = (),
    asn: int = 17557,
    network: str = "PTCL",
) -> Measurement:
    """One look, begun `seconds` after START."""
    return Measurement(
        id=id,
        cycle=cycle,
        vantage=vantage,
        country=country,
        asn=asn,
        network=network,
        vantage_role="field",
        platform=platform,
        function="web",
        endpoint=endpoint,
        look=look,
        started_at=at(seconds),
        duration=0.4,
        observations=observations,
        not_observed=not_observed,
        reached=reached,
    )


def verdict(look: Measurement, seconds: float, *, state: State = State.OK) -> Verdict:
    """What `look` means, judged `seconds` after START."""
    blocked = state is State.BLOCKED
    return Verdict(
        measurement=look.id,
        controls=("control-1", "control-2") if blocked else (),
        cycle=look.cycle,
        vantage=look.vantage,
        country=look.country,
        asn=look.asn,
        network=look.network,
        vantage_role=look.vantage_role,
        platform=look.platform,
        function=look.function,
        endpoint=look.endpoint,
        state=state,
        method="tls" if blocked else "",
        sub_method="reset" if blocked else "",
        family="ipv4" if blocked else "",
        rule_id="tls.reset" if blocked else "reached",
        evidence=Evidence.STRONG if blocked else Evidence.NONE,
        llr=2.0794415416798357 if blocked else -0.105,
        failures={"tls": "connection_reset"} if blocked else {},
        judged_at=at(seconds),
        rules_version="2024.1",
    )


def platform_verdict(of: Verdict) -> PlatformVerdict:
    """The platform of one endpoint verdict, rolled up from it alone."""
    function = FunctionVerdict(
        function=of.function,
        core=True,
        state=of.state,
        method=of.method,
        sub_method=of.sub_method,
        evidence=of.evidence,
    )
    return PlatformVerdict(
        cycle=of.cycle,
        vantage=of.vantage,
        country=of.country,
        asn=of.asn,
        network=of.network,
        vantage_role=of.vantage_role,
        platform=of.platform,
        state=of.state,
        method=of.method,
        sub_method=of.sub_method,
        rule_id=of.rule_id,
        evidence=of.evidence,
        llr=of.llr,
        functions=(
            function,
            FunctionVerdict(function="media", core=False, state=State.INSUFFICIENT),
        ),
        measurement=of.measurement,
        started_at=of.judged_at - timedelta(seconds=5),
        judged_at=of.judged_at,
        rules_version=of.rules_version,
    )


def cycle(
    number: int,
    *,
    country: str = "PK",
    vantage: str = "khi-ptcl",
    platforms: tuple[str, ...] = ("x", "facebook"),
    endpoints: int = 2,
    state: State = State.OK,
    seconds: float | None = None,
    measurements: tuple[Measurement, ...] | None = None,
) -> Cycle:
    """Cycle `number` of one vantage: begun five minutes after the one before."""
    id_ = f"cycle-{vantage}-{number:06}"
    begin = number * 300.0 if seconds is None else seconds
    looks = measurements or tuple(
        measurement(
            f"m-{vantage}-{number:06}-{platform}-{n}",
            begin + n,
            cycle=id_,
            country=country,
            vantage=vantage,
            platform=platform,
            endpoint=f"https://{platform}.com/{n}",
        )
        for platform in platforms
        for n in range(endpoints)
    )
    verdicts = tuple(verdict(look, begin + 60, state=state) for look in looks)
    firsts = {v.platform: v for v in reversed(verdicts)}
    return Cycle(
        id=id_,
        vantage=vantage,
        country=country,
        started_at=at(begin),
        finished_at=at(begin + 60),
        health=health(begin + 60, country=country, vantage=vantage),
        measurements=looks,
        verdicts=verdicts,
        platforms=tuple(map(platform_verdict, firsts.values())),
    )


def health(
    seconds: float,
    *,
    country: str = "PK",
    vantage: str = "khi-ptcl",
    state: VantageState = VantageState.OK,
) -> VantageHealth:
    """A vantage's health, `seconds` after START."""
    return VantageHealth(
        vantage=vantage,
        country=country,
        asn=17557,
        network="PTCL",
        state=state,
        rule_id=f"vantage.{state}",
        references_ok=3,
        references_total=4,
        timeout_rate=0.123456789,
        families=("ipv4", "ipv6"),
        clock_skew=-3.0,
        stub_resolver=True,
        nat64=("64:ff9b::/96",),
        passing=("www.google.com", "i.ytimg.com"),
        exit_country="NL",
        exit_asn=64511,
        at=at(seconds),
    )


def event(
    id: str = "event-1",  # noqa: A002 # the field's own name
    *,
    country: str = "PK",
    platform: str = "x",
    state: EventState = EventState.SUSPECTED,
    detected: float = 600,
    updated: float = 600,
    onset_earliest: float | None = 0,
    onset_latest: float = 300,
    end_latest: float | None = None,
    methods: tuple[str, ...] = ("tls.reset",),
) -> Event:
    """A block of X, by default begun within five minutes of START and still on."""
    return Event(
        id=id,
        country=country,
        platform=platform,
        state=state,
        scope=Scope.FULL,
        functions=("api", "web"),
        methods=methods,
        networks=(
            NetworkStatus(
                asn=9541,
                network="Cyber",
                affected=True,
                blocked_now=False,
                methods=("dns.bogon",),
                recovering=True,
                stretches=(
                    Stretch(
                        onset_earliest=None if onset_earliest is None else at(onset_earliest),
                        onset_latest=at(onset_latest),
                        end_earliest=at(onset_latest + 100),
                    ),
                ),
                pattern="Mon-Fri 04:00-08:00 UTC",
            ),
            NetworkStatus(asn=17557, network="PTCL", affected=True, blocked_now=True),
            NetworkStatus(
                asn=135407, network="TES", affected=False, blocked_now=False, found_open=True
            ),
        ),
        onset_earliest=None if onset_earliest is None else at(onset_earliest),
        onset_latest=at(onset_latest),
        detected_at=at(detected),
        confirmed_at=None if state is EventState.SUSPECTED else at(detected + 1),
        end_earliest=None if end_latest is None else at(end_latest - 1),
        end_latest=None if end_latest is None else at(end_latest),
        updated_at=at(updated),
        reopened=2,
        pattern="Mon-Fri 04:00-08:00 UTC",
        share_affected=0.25,
        weight=1.25,
        weight_needed=2,
        doubts=("new_keys",),
        passing=("www.google.com",),
        first_measurement="m-khi-ptcl-000001-x-0",
        evidence=Evidence.STRONG,
        rules_version="2024.1",
    )


def log_entry(sequence: int, snapshot: Event, change: str = "opened") -> EventLogEntry:
    """One line of the event's history, with the event as it then was."""
    return EventLogEntry(
        event=snapshot.id,
        sequence=sequence,
        at=snapshot.updated_at,
        change=change,
        detail="AS17557 PTCL",
        snapshot=snapshot,
    )


def notice(
    sequence: int = 1,
    seconds: float = 700.0,
    *,
    of: str = "event-1",
    country: str = "PK",
    route: str = "ops",
    target: str = "1-json",
    occasion: str = "confirmed",
) -> Notice:
    """What is to be told of one line of an event's log, made `seconds` after START."""
    return Notice(
        country=country,
        event=of,
        sequence=sequence,
        route=route,
        target=target,
        occasion=occasion,
        created_at=at(seconds),
    )


def rejudging(
    id: str = "rejudging-1",  # noqa: A002 # the field's own name
    seconds: float = 9000.0,
    *,
    finished: bool = False,
) -> Rejudging:
    """A recomputation of a part of what is stored, begun `seconds` after START."""
    return Rejudging(
        id=id,
        at=at(seconds),
        finished_at=at(seconds + 60) if finished else None,
        version="1.2.3",
        rules_version="2024.2",
        since=at(0),
        country="PK",
        cycles=3,
        kept=1,
        verdicts=12,
        platforms=6,
        events=1,
        differing=4,
    )


def review(
    id: str = "review-1",  # noqa: A002 # the field's own name
    seconds: float = 1200.0,
    mark: Mark = Mark.CONFIRMED,
    *,
    of: str = "event-1",
    country: str = "PK",
    note: str = PLAIN,
    reviewer: str = "Asma",
) -> Review:
    """One person's mark on an event, given `seconds` after START."""
    return Review(
        id=id,
        country=country,
        event=of,
        at=at(seconds),
        mark=mark,
        note=note,
        reviewer=reviewer,
    )


def annotation(
    seconds: float = 0.0,
    until: float | None = None,
    *,
    country: str = "PK",
    platform: str = "",
    kind: AnnotationKind = AnnotationKind.ELECTION,
    text: str = PLAIN,
) -> Annotation:
    """Something that happened `seconds` after START, for a moment or for a while."""
    begin, end = at(seconds), None if until is None else at(until)
    source = "https://news.example/story"
    return Annotation(
        id=annotation_id(country, begin, end, platform, kind, text, source),
        country=country,
        since=begin,
        until=end,
        platform=platform,
        kind=kind,
        text=text,
        source=source,
        added_at=at(90000),
    )


def withheld() -> Withheld:
    """An account that X withholds in Pakistan."""
    return Withheld(
        country="PK",
        platform="x",
        kind="account",
        url="https://x.com/example",
        since=at(0),
        seen_at=at(3600),
        over_at=at(7200),
        rounds=2,
        controls=("DE", "FR"),
    )
