"""QUIC blocked alone, TCP blocked alone, and both: from the looks to what people can still do."""

import msgspec
import pytest

from monitor.analysis.judge.grade_by_sign import llr
from monitor.analysis.judge.platform import roll_up
from monitor.analysis.judge.quic_blocked import answered_over_quic
from monitor.analysis.verdict import Evidence, PlatformVerdict, State, Verdict
from probes.catalog.catalog import Endpoint, Function, Need, Platform
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measure.follow_up_reasons import Reason
from probes.measurement import AnyObservation
from tests.worlds.build import (
    START,
    V6,
    case,
    control,
    dns,
    follow_up,
    health,
    http,
    look,
    quic,
    repeated,
    tcp,
    tls,
)
from tests.worlds.judge_cases import V6_DNS, V6_WELL
from tests.worlds.judged import judge

WELL = (dns(), tcp(), tls(), http())
SILENT = quic("generic_timeout_error")
WITNESS = (control(*WELL, quic()),)


def site(host: str) -> Endpoint:
    """An https endpoint."""
    return Endpoint(kind=EndpointKind.HTTPS, host=host, port=443)


VIDEO = Platform(
    name="video",
    title="Video",
    owner="video",
    functions=(
        Function(
            name="web", core=True, canonical=True, endpoints=(site("x.com"), site("old.x.com"))
        ),
        Function(name="api", core=True, endpoints=(site("api.x.com"),)),
        Function(name="media", need=Need.ALL, endpoints=(site("m1.x.com"), site("m2.x.com"))),
    ),
)
FUNCTIONS = {e.host: function.name for function in VIDEO.functions for e in function.endpoints}


def over_tcp_only(*, times: int = 4) -> Verdict:
    """What is said of X when it answers over TCP and never over QUIC."""
    looks = repeated(*WELL, SILENT, times=times, reached=True)
    return judge(case(*looks, controls=WITNESS, quic_works=True))


def seen(host: str, like: Verdict | State) -> Verdict:
    """A verdict on one of the platform's hosts, like another or just of a state."""
    if isinstance(like, State):
        grade = Evidence.STRONG if like in (State.BLOCKED, State.THROTTLED) else Evidence.NONE
        plain = judge(case(look(*WELL, reached=True)))
        method = {State.BLOCKED: "tls", State.THROTTLED: "throttling"}.get(like, "")
        like = msgspec.structs.replace(
            plain, state=like, method=method, evidence=grade, llr=llr(like, grade)
        )
    return msgspec.structs.replace(
        like, platform="video", function=FUNCTIONS[host], endpoint=f"https://{host}/"
    )


def video(**hosts: Verdict | State) -> PlatformVerdict:
    """The platform with all hosts ok but those named, dots written as underscores."""
    named = {name.replace("_", "."): like for name, like in hosts.items()}
    return roll_up(
        VIDEO, [seen(host, named.get(host, State.OK)) for host in FUNCTIONS], started_at=START
    )


def test_the_endpoint_is_blocked_by_quic() -> None:
    """What was seen is named, with how and how surely, though people get there over TCP."""
    verdict = over_tcp_only()
    assert (verdict.state, verdict.method, verdict.sub_method) == (State.BLOCKED, "quic", "timeout")
    assert verdict.evidence is Evidence.STRONG
    assert verdict.spares_browsers
    assert not seen("x.com", State.BLOCKED).spares_browsers


BOTH = health(families=("ipv4", "ipv6"))
OVER_V6 = quic(address=V6)


def over_both(*tries: AnyObservation, witness: tuple[AnyObservation, ...]) -> Verdict:
    """What is said of X where both families work, by what QUIC came to here and at a control."""
    looks = repeated(*WELL, *tries, times=4, reached=True)
    controls = (control(*WELL, *witness),)
    return judge(case(*looks, controls=controls, quic_works=True, field=BOTH))


def test_quic_that_works_over_ipv6_alone_is_blocked_for_most() -> None:
    """Most people have IPv4 alone, over which another platform answers here."""
    verdict = over_both(SILENT, OVER_V6, witness=(quic(), OVER_V6))
    assert (verdict.rule_id, verdict.family) == ("quic.blocked", "ipv4")
    assert (verdict.state, verdict.evidence) == (State.BLOCKED, Evidence.STRONG)
    assert video(x_com=verdict).state is State.DEGRADED


def test_ipv6_that_is_silent_hides_no_block_of_quic() -> None:
    """A censor that cannot read IPv6 drops all of it, and QUIC over IPv4. The first keeps nobody
    from the platform, so that it was called ok."""
    v6 = (V6_DNS, tcp("generic_timeout_error", address=V6))
    looks = repeated(*WELL, *v6, SILENT, times=4, reached=True)
    controls = (control(*WELL, *V6_WELL, quic()),)
    seen = case(*looks, controls=controls, quic_works=True, field=BOTH)
    verdict = judge(seen)
    assert (verdict.state, verdict.rule_id) == (State.BLOCKED, "quic.blocked")
    assert verdict.evidence is Evidence.STRONG
    well = repeated(*WELL, *v6, quic(), times=4, reached=True)
    assert judge(case(*well, controls=controls, quic_works=True, field=BOTH)).rule_id == (
        "family.ipv6_dead"
    )


@pytest.mark.parametrize(
    ("tries", "witness"),
    [
        ((SILENT, OVER_V6), (SILENT, OVER_V6)),
        ((SILENT, OVER_V6), (SILENT,)),
        ((quic(), quic("generic_timeout_error", address=V6)), (quic(), OVER_V6)),
    ],
    ids=["not over IPv4 elsewhere", "nowhere else", "IPv6 is silent"],
)
def test_one_family_of_quic_accuses_nobody(
    tries: tuple[AnyObservation, ...], witness: tuple[AnyObservation, ...]
) -> None:
    """A platform that has no QUIC over IPv4 anywhere is not blocked, and over IPv6 nobody misses
    it."""
    assert over_both(*tries, witness=witness).state is State.OK


def test_an_answer_over_ipv6_shows_nothing_of_ipv4() -> None:
    """A network may drop QUIC over IPv4 for everybody. A host that has IPv4 addresses alone was
    accused there, since others answered over IPv6."""
    others = [look(*WELL, SILENT, OVER_V6, reached=True, endpoint="https://other.example/")]
    assert not answered_over_quic(others, ("ipv4", "ipv6"))
    assert answered_over_quic(others, ("ipv6",))
    assert answered_over_quic([look(quic())], ("ipv4", "ipv6"))


@pytest.mark.parametrize("host", ["x_com", "old_x_com", "api_x_com", "m1_x_com"])
def test_quic_alone_degrades_the_platform_whatever_the_function(host: str) -> None:
    """People can use it over TCP, so it is not blocked; the interference stays in sight."""
    platform = video(**{host: over_tcp_only()})
    assert platform.state is State.DEGRADED
    assert (platform.method, platform.sub_method) == ("quic", "timeout")
    assert (platform.rule_id, platform.evidence) == ("quic.blocked", Evidence.STRONG)
    assert platform.llr == llr(State.BLOCKED, Evidence.STRONG)
    (function,) = (function for function in platform.functions if function.state is not State.OK)
    assert function.function == FUNCTIONS[host.replace("_", ".")]
    assert (function.state, function.method, function.evidence) == (
        State.DEGRADED,
        "quic",
        Evidence.STRONG,
    )


def test_every_host_without_quic_is_still_degraded() -> None:
    """A country that drops UDP port 443 keeps nobody from anything that falls back."""
    platform = video(**{host.replace(".", "_"): over_tcp_only() for host in FUNCTIONS})
    assert platform.state is State.DEGRADED
    assert {function.state for function in platform.functions} == {State.DEGRADED}


@pytest.mark.parametrize(
    ("hosts", "state", "method"),
    [
        ({"api_x_com": State.BLOCKED}, State.BLOCKED, "tls"),
        ({"api_x_com": State.THROTTLED}, State.THROTTLED, "throttling"),
        ({"api_x_com": State.DOWN}, State.DOWN, ""),
        ({"api_x_com": State.INSUFFICIENT}, State.INSUFFICIENT, ""),
        ({"m1_x_com": State.BLOCKED}, State.DEGRADED, "tls"),
        ({"m1_x_com": State.DOWN}, State.DEGRADED, "quic"),
        ({"old_x_com": State.BLOCKED}, State.DEGRADED, "quic"),
    ],
)
def test_whatever_keeps_people_out_comes_before_quic(
    hosts: dict[str, State], state: State, method: str
) -> None:
    """Beside a function that fails over TCP, the block of QUIC neither hides nor softens it."""
    platform = video(x_com=over_tcp_only(), **hosts)
    assert (platform.state, platform.method) == (state, method)


def test_a_host_blocked_by_name_is_no_better_for_its_sibling() -> None:
    """In a function that any host serves, one that lacks QUIC alone serves it."""
    pool = msgspec.structs.replace(
        VIDEO,
        functions=(Function(name="web", core=True, endpoints=(site("x.com"), site("old.x.com"))),),
    )
    verdicts = [seen("x.com", State.BLOCKED), seen("old.x.com", over_tcp_only())]
    platform = roll_up(pool, verdicts, started_at=START)
    assert (platform.state, platform.rule_id) == (State.DEGRADED, "quic.blocked")


def test_a_weak_block_over_tcp_comes_before_quic() -> None:
    """Silence over QUIC alone is never confirmed, and a block over TCP may be."""
    weak = msgspec.structs.replace(seen("m1.x.com", State.BLOCKED), evidence=Evidence.WEAK)
    platform = video(x_com=over_tcp_only(), m1_x_com=weak)
    assert (platform.state, platform.method, platform.evidence) == (
        State.DEGRADED,
        "tls",
        Evidence.WEAK,
    )


def test_a_page_that_may_be_slow_hides_no_block_of_quic() -> None:
    """Weak evidence of slowness is never an event."""
    weak = msgspec.structs.replace(seen("m1.x.com", State.THROTTLED), evidence=Evidence.WEAK)
    platform = video(x_com=over_tcp_only(), m1_x_com=weak)
    assert (platform.state, platform.method) == (State.DEGRADED, "quic")


def test_weak_evidence_stays_weak() -> None:
    """Two silent looks accuse weakly, of the platform as of the endpoint."""
    platform = video(x_com=over_tcp_only(times=2))
    assert (platform.state, platform.evidence) == (State.DEGRADED, Evidence.WEAK)


@pytest.mark.parametrize(
    ("seen_over_tcp", "rule_id", "evidence"),
    [
        ((dns(), tcp(), tls("connection_reset")), "tls.reset", Evidence.STRONG),
        ((dns(), tcp("connection_refused")), "tcp.refused", Evidence.STRONG),
        ((dns(), tcp("generic_timeout_error")), "tcp.timeout", Evidence.STRONG),
    ],
)
@pytest.mark.parametrize("asked", ["look", "follow-up"])
def test_tcp_blocked_alone_is_named_by_what_stops_tcp(
    seen_over_tcp: tuple[AnyObservation, ...], rule_id: str, evidence: Evidence, asked: str
) -> None:
    """HTTP/3 that works takes nothing from the block of TCP, adds nothing, and clears nobody."""
    extra = (follow_up(Reason.HTTP3, quic()),) if asked == "follow-up" else ()
    beside = (quic(),) if asked == "look" else ()
    looks = repeated(*seen_over_tcp, *beside, times=4)
    verdict = judge(case(*looks, controls=WITNESS, follow_ups=extra, quic_works=True))
    assert (verdict.rule_id, verdict.evidence) == (rule_id, evidence)
    assert verdict == msgspec.structs.replace(
        judge(case(*repeated(*seen_over_tcp, times=4), controls=WITNESS)),
        measurement=verdict.measurement,
    )
    platform = video(x_com=verdict)
    assert (platform.state, platform.rule_id) == (State.BLOCKED, rule_id)
    assert platform.evidence is evidence


def test_both_blocked_is_named_by_what_stops_tcp() -> None:
    """Where neither works, TCP is what people would fall back to."""
    looks = repeated(dns(), tcp(), tls("connection_reset"), SILENT, times=4)
    verdict = judge(case(*looks, controls=WITNESS, quic_works=True))
    assert (verdict.rule_id, verdict.state) == ("tls.reset", State.BLOCKED)
    assert video(x_com=verdict).state is State.BLOCKED
