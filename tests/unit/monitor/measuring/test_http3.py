"""Which looks ask over HTTP/3, when a vantage rests from it, and who shows that UDP works."""

import asyncio
import random
from collections.abc import Sequence

import msgspec
import pytest

from monitor.analysis.judge.judge_case import judge
from monitor.analysis.judge.rules.part_fails import QUIC_BLOCKED
from monitor.analysis.verdict import VantageState, Verdict
from monitor.measuring.http3 import LONGEST_REST, Http3, QuicWitness, only_quic_failed
from probes.catalog.endpoint_text import parse_endpoint
from probes.failure_strings import Failure
from probes.measurement import Measurement, Purpose
from probes.target import Target
from probes.testing import VirtualClockLoop
from probes.vantage import Egress, EgressKind, Profile, VantagePoint
from tests.worlds.build import V6, app, case, dns, health, http, look, quic, tcp, tls

LOOP = VirtualClockLoop
VANTAGE = VantagePoint(id="khi-ptcl", country="PK")
SILENT = Failure.GENERIC_TIMEOUT
HOSTS = ("x.com", "t.co", "www.facebook.com", "www.youtube.com")
ENDPOINTS = [
    *(parse_endpoint(f"https://{host}/") for host in HOSTS),
    *map(parse_endpoint, ("http://x.com/", "tls://x.com", "tcp://x.com:443", "dns:x.com")),
    parse_endpoint("stun:stun.fbsbx.com"),
]
HTTPS = frozenset(f"https://{host}/" for host in HOSTS)
WEB = (dns(), tcp(), tls(), http())
OFFER = (("alt-svc", 'h3=":443"; ma=86400'),)


def drawn(http3: Http3, vantage: VantagePoint = VANTAGE) -> frozenset[str]:
    """What a healthy cycle asks."""
    return http3.draw(vantage, health(), ENDPOINTS)


def seen(host: str, *more: Measurement, failure: str | None = SILENT) -> list[Measurement]:
    """A cycle in which one endpoint was asked over QUIC."""
    one = look(*WEB, quic(failure), reached=True, endpoint=f"https://{host}/", platform=host)
    return [one, *more]


def accused(host: str) -> list[Verdict]:
    """The verdict that QUIC to this endpoint is blocked."""
    verdict = judge(case(look(*WEB, reached=True)))
    return [
        msgspec.structs.replace(
            verdict, platform=host, endpoint=f"https://{host}/", rule_id=QUIC_BLOCKED
        )
    ]


# -- the draw ------------------------------------------------------------------------------------


def test_a_share_of_the_looks_asks_each_endpoint_alike() -> None:
    """Over many cycles each https endpoint is asked as often as the share says, no other ever."""
    http3 = Http3(0.1, random.Random(1))
    times = dict.fromkeys(HTTPS, 0)
    patterns = set()
    for _ in range(4000):
        asked = drawn(http3)
        patterns.add(asked)
        for endpoint in asked:
            times[endpoint] += 1
    assert all(320 < count < 480 for count in times.values()), times
    assert len(patterns) > len(HTTPS)  # not all at once, not one after the other


@pytest.mark.parametrize(("share", "asked"), [(0.0, frozenset()), (1.0, HTTPS)])
def test_none_and_all(share: float, asked: frozenset[str]) -> None:
    """The ends of the setting mean what they say."""
    http3 = Http3(share, random.Random(1))
    assert {drawn(http3) for _ in range(20)} == {asked}


def test_forced_asks_all_whatever_the_share() -> None:
    """So does `once --quic`."""
    assert drawn(Http3(0.0, random.Random(1), forced=True)) == HTTPS


@pytest.mark.parametrize("forced", [False, True])
def test_who_is_never_asked(*, forced: bool) -> None:
    """A quiet vantage would stand out, a proxy passes no datagrams, an ailing one tells nothing."""
    http3 = Http3(1.0, random.Random(1), forced=forced)
    quiet = msgspec.structs.replace(VANTAGE, profile=Profile.QUIET)
    proxy = Egress(kind=EgressKind.CONNECT, proxy_host="192.0.2.1", proxy_port=3128)
    proxied = msgspec.structs.replace(VANTAGE, egress=proxy)
    assert [drawn(http3, vantage) for vantage in (quiet, proxied)] == [frozenset()] * 2
    for state in set(VantageState) - {VantageState.OK}:
        assert http3.draw(VANTAGE, health(state), ENDPOINTS) == frozenset()


# -- resting -------------------------------------------------------------------------------------


def rests(http3: Http3) -> int:
    """Cycles without a question, up to the next one with any."""
    count = 0
    while not drawn(http3):
        http3.learn(VANTAGE.id, [look(*WEB, reached=True)], [])
        count += 1
    return count


def test_a_vantage_without_udp_rests_for_longer_each_time() -> None:
    """Twice as many cycles after each that found nobody, up to a bound."""
    http3 = Http3(1.0, random.Random(1))
    found = []
    for _ in range(8):
        found.append(rests(http3))
        http3.learn(VANTAGE.id, seen("x.com"), [])
    assert found == [0, 2, 4, 8, 16, 32, 64, LONGEST_REST]


@pytest.mark.parametrize(("how", "rest"), [("quic", 0), ("stun", 8)])
def test_an_answer_over_quic_ends_the_rest_and_one_to_a_call_does_not(how: str, rest: int) -> None:
    """The next cycle asks again, and a later silence is the first one again. Networks that block
    QUIC let calls pass."""
    http3 = Http3(1.0, random.Random(1))
    for _ in range(3):
        http3.learn(VANTAGE.id, seen("x.com"), [])
    stun = look(app(protocol="stun"), reached=True, endpoint="stun:stun.fbsbx.com:3478")
    answer = seen("x.com", failure=None) if how == "quic" else [stun]
    http3.learn(VANTAGE.id, answer, [])
    assert rests(http3) == rest
    http3.learn(VANTAGE.id, seen("x.com"), [])
    assert rests(http3) == (2 if how == "quic" else 16)


def test_answers_over_ipv6_alone_are_no_reason_to_go_on() -> None:
    """The network drops QUIC over IPv4 for everybody, so nobody can be accused of it."""
    http3 = Http3(1.0, random.Random(1))
    made = look(*WEB, quic(SILENT), quic(address=V6), reached=True)
    http3.learn(VANTAGE.id, [made], [], ("ipv4", "ipv6"))
    assert rests(http3) == 2
    http3.learn(VANTAGE.id, [made], [], ("ipv6",))
    assert rests(http3) == 0


def test_one_failure_among_answers_is_no_reason_to_rest() -> None:
    """UDP works; it is the endpoint that fails."""
    http3 = Http3(1.0, random.Random(1))
    http3.learn(VANTAGE.id, seen("x.com") + seen("t.co", failure=None), [])
    assert drawn(http3) == HTTPS


def test_vantages_rest_apart_and_forced_never() -> None:
    """What one network drops says nothing of another; who insists is obeyed."""
    other = msgspec.structs.replace(VANTAGE, id="khi-jazz")
    http3, forced = Http3(1.0, random.Random(1)), Http3(1.0, random.Random(1), forced=True)
    for one in (http3, forced):
        one.learn(VANTAGE.id, seen("x.com"), [])
    assert (drawn(http3), drawn(http3, other), drawn(forced)) == (frozenset(), HTTPS, HTTPS)


# -- what is blocked -----------------------------------------------------------------------------


def test_what_was_blocked_is_asked_in_every_cycle_until_it_answers() -> None:
    """An event needs cycles in a row; chance would ask every tenth time."""
    http3 = Http3(1e-9, random.Random(1))
    witness = seen("t.co", failure=None)
    http3.learn(VANTAGE.id, seen("x.com") + witness, accused("x.com"))
    for _ in range(5):
        assert drawn(http3) == {"https://x.com/"}
        # A cycle that could not tell, for want of a control, say, is no answer.
        http3.learn(VANTAGE.id, seen("x.com") + witness, [unclear("x.com")])
    http3.learn(VANTAGE.id, seen("x.com", failure=None), [unclear("x.com")])
    assert drawn(http3) == frozenset()


def test_a_block_is_remembered_beyond_the_process() -> None:
    """A restart must not have an event end for want of looks; other verdicts mean nothing here."""
    http3 = Http3(1e-9, random.Random(1))
    http3.remember([*accused("x.com"), unclear("t.co")])
    assert drawn(http3) == {"https://x.com/"}
    other = msgspec.structs.replace(VANTAGE, id="khi-jazz")
    assert drawn(http3, other) == frozenset()


def unclear(host: str) -> Verdict:
    """A verdict on an endpoint that accuses nobody."""
    return msgspec.structs.replace(accused(host)[0], rule_id="endpoint.reached")


def test_one_endpoint_of_each_platform_is_asked_again() -> None:
    """A block of everything must not have everything asked at length in every cycle."""
    http3 = Http3(1e-9, random.Random(1))
    of_x = [msgspec.structs.replace(v, platform="x") for v in accused("x.com") + accused("t.co")]
    verdicts = of_x + accused("www.youtube.com")
    looks = [*seen("x.com"), *seen("t.co"), *seen("www.youtube.com")]
    http3.learn(VANTAGE.id, [*looks, *seen("www.facebook.com", failure=None)], verdicts)
    assert drawn(http3) == {"https://x.com/", "https://www.youtube.com/"}


def test_a_follow_up_is_no_later_look_of_the_endpoint() -> None:
    """It is made for another one's sake; what it shows of UDP counts all the same."""
    http3 = Http3(1e-9, random.Random(1))
    follow = msgspec.structs.replace(seen("t.co", failure=None)[0], look=Purpose.FOLLOW_UP)
    http3.learn(VANTAGE.id, [*seen("x.com"), follow], accused("x.com"))
    assert drawn(http3) == {"https://x.com/"}


# -- witnesses -----------------------------------------------------------------------------------


class Asker:
    """Endpoints asked over HTTP/3, and what they say."""

    def __init__(self, answering: Sequence[str] = ()) -> None:
        self.asked: list[str] = []
        self._answering = answering

    async def __call__(self, target: Target) -> Measurement:
        """Ask one; it takes a moment."""
        self.asked.append(target.endpoint.host)
        await asyncio.sleep(1)
        failure = None if target.endpoint.host in self._answering else SILENT
        return look(quic(failure), endpoint=target.endpoint.id)


def target(host: str) -> Target:
    """A start page."""
    endpoint = parse_endpoint(f"https://{host}/")
    return Target(platform=host, function="web", endpoint=endpoint)


async def watched(
    witness: QuicWitness, host: str, *, failure: str | None = None, asks: bool = False, after: float
) -> None:
    """The first look at an endpoint that offers HTTP/3, done `after` seconds."""
    one = target(host)
    page = msgspec.structs.replace(http(url=one.endpoint.id), headers=OFFER)
    extra = (quic(failure),) if asks else ()
    seen = look(dns(), tcp(), tls(), page, *extra, reached=True, endpoint=one.endpoint.id)
    assert await witness.first_attempt(one, asyncio.sleep(after, seen)) is seen


async def test_another_endpoints_answer_suffices_and_is_not_waited_beyond() -> None:
    """Nobody is asked for the purpose, and slow looks hold nothing up."""
    asker = Asker()
    witness = QuicWitness(asker, random.Random(1))
    async with asyncio.TaskGroup() as group:
        group.create_task(watched(witness, "x.com", failure=SILENT, asks=True, after=1))
        group.create_task(watched(witness, "t.co", asks=True, after=2))
        group.create_task(watched(witness, "www.youtube.com", after=50))
        await asyncio.sleep(1.5)
        loop = asyncio.get_running_loop()
        assert await witness.others_answer(target("x.com").endpoint)
        assert 1.9 < loop.time() < 2.1
    assert asker.asked == []


async def test_an_answer_over_ipv6_shows_nothing_of_ipv4() -> None:
    """Where both families work, a network may drop QUIC over one."""
    asker = Asker()
    witness = QuicWitness(asker, random.Random(1), families=("ipv4", "ipv6"))
    await watched(witness, "x.com", failure=SILENT, asks=True, after=1)
    one = target("t.co")
    seen = look(*WEB, quic(SILENT), quic(address=V6), reached=True, endpoint=one.endpoint.id)
    await witness.first_attempt(one, asyncio.sleep(1, seen))
    assert not await witness.others_answer(target("x.com").endpoint)


async def test_its_own_answer_shows_nothing() -> None:
    """One family may work and the other not; it takes somebody else."""
    witness = QuicWitness(Asker(), random.Random(1))
    await watched(witness, "x.com", asks=True, after=1)
    assert not await witness.others_answer(target("x.com").endpoint)


async def test_where_nobody_answered_another_host_is_asked() -> None:
    """Once all first looks are done; the endpoint's own host would prove nothing."""
    asker = Asker(["t.co", "www.youtube.com"])
    witness = QuicWitness(asker, random.Random(1))
    for host in ("x.com", "t.co", "www.youtube.com"):
        await watched(witness, host, failure=SILENT, asks=host == "x.com", after=1)
    assert await witness.others_answer(target("x.com").endpoint)
    assert asker.asked[0] in ("t.co", "www.youtube.com")
    assert [one.endpoint for one in witness.measurements] == [f"https://{asker.asked[0]}/"]
    assert len(asker.asked) == 1


async def test_two_witnesses_at_most_however_many_want_to_know() -> None:
    """A network without UDP costs two more questions in a cycle, not two for each endpoint."""
    asker = Asker()
    witness = QuicWitness(asker, random.Random(1))
    for host in ("x.com", "t.co"):
        await watched(witness, host, failure=SILENT, asks=True, after=1)
    for number in range(5):
        await watched(witness, f"www{number}.example", after=1)
    endpoints = [target(host).endpoint for host in ("x.com", "t.co")]
    assert await asyncio.gather(*map(witness.others_answer, endpoints)) == [False, False]
    assert len(asker.asked) == len(set(asker.asked)) == 2


async def test_references_are_asked_first() -> None:
    """A censor of several platforms spares them, and theirs suffices; two are asked at most."""
    references = [target(f"reference{number}.example") for number in range(3)]
    asker = Asker([reference.endpoint.host for reference in references])
    witness = QuicWitness(asker, random.Random(1), references=references)
    for host in ("x.com", "t.co"):
        await watched(witness, host, failure=SILENT, asks=host == "x.com", after=1)
    assert await witness.others_answer(target("x.com").endpoint)
    assert len(asker.asked) == 1
    assert asker.asked[0].startswith("reference")
    silent = Asker()
    witness = QuicWitness(silent, random.Random(1), references=references)
    for host in ("x.com", "t.co"):
        await watched(witness, host, failure=SILENT, asks=host == "x.com", after=1)
    assert not await witness.others_answer(target("x.com").endpoint)
    assert [host.startswith("reference") for host in silent.asked] == [True, True, False]


async def test_who_offers_no_http_3_is_no_witness() -> None:
    """Its silence would be its own."""
    asker = Asker()
    witness = QuicWitness(asker, random.Random(1))
    seen = look(*WEB, reached=True, endpoint="https://t.co/")
    await witness.first_attempt(target("t.co"), asyncio.sleep(0, seen))
    assert not await witness.others_answer(target("x.com").endpoint)
    assert asker.asked == []


async def test_a_first_look_that_is_given_up_keeps_nobody_waiting() -> None:
    """Whatever ends it."""
    witness = QuicWitness(Asker(), random.Random(1))
    task = asyncio.create_task(watched(witness, "t.co", after=100))
    asking = asyncio.create_task(witness.others_answer(target("x.com").endpoint))
    await asyncio.sleep(1)
    task.cancel()
    assert not await asking


# -- what failed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observations", "reached", "only"),
    [
        ((*WEB, quic(SILENT)), True, True),
        ((*WEB, quic()), True, False),
        (WEB, True, False),
        ((dns(), tcp(), tls("connection_reset"), quic(SILENT)), False, False),
        ((*WEB, quic(SILENT, address="2001:db8::10")), True, False),
    ],
)
def test_what_is_wrong_with_quic_alone(
    observations: tuple[object, ...], *, reached: bool, only: bool
) -> None:
    """TCP works, QUIC was tried over a family that works, and failed."""
    seen = look(*observations, reached=reached)  # type: ignore[arg-type] # mixed on purpose
    assert only_quic_failed(seen, ("ipv4",)) is only


@pytest.mark.parametrize(("v4", "v6", "failed"), [(SILENT, None, True), (None, SILENT, False)])
def test_quic_over_ipv4_is_what_most_people_have(
    v4: str | None, v6: str | None, *, failed: bool
) -> None:
    """Where it fails over IPv6 alone, programs use IPv4."""
    seen = look(*WEB, quic(v4), quic(v6, address=V6), reached=True)
    assert only_quic_failed(seen, ("ipv4", "ipv6")) is failed
