"""One measurement, layer by layer, on a scripted network: what is recorded and what decides."""

import asyncio
import base64
import errno
import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.analysis.measurement_summary import summarise
from monitor.budget.bytes_used import bytes_of
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.layers.dns import RESOLUTION_DELAY
from probes.layers.dns_message import encode_query
from probes.layers.http import HttpClient
from probes.measure.follow_up_reasons import Reason
from probes.measure.line_pace import FEWEST
from probes.measure.prober import Prober
from probes.measure.redirect_chain import MAX_REDIRECTS
from probes.measure.resolution import RESOLVER_FALLBACK
from probes.measurement import (
    LATE_ANSWER,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Layer,
    Measurement,
    Observation,
    Purpose,
    TcpObservation,
    TlsObservation,
)
from probes.settings import ProbeSettings
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Dial, Target
from probes.testing import (
    HANG,
    DnsReply,
    Hang,
    Peer,
    PeerReply,
    ScriptedNetwork,
    VirtualClockLoop,
    bad_certificate,
    closed_by_peer,
    encode_reply,
    os_error,
    over_tcp,
    refused,
    reset_by_peer,
    tls_alert,
)
from probes.vantage import Egress, EgressKind, Resolver, VantagePoint

Seen = TypeVar("Seen", bound=Observation)
S = TypeVar("S", bound=msgspec.Struct)

LOOP = VirtualClockLoop
"""The loop with a virtual clock: deadlines pass at once, and durations are exact."""

RESOLVER, SECOND = "192.0.2.53", "192.0.2.54"
V4, V4_OTHER, V6 = "203.0.113.10", "203.0.113.11", "2001:db8:113::10"
FAST = ProbeSettings(
    dns_timeout=0.09,
    tcp_timeout=0.1,
    tls_timeout=0.1,
    http_timeout=0.1,
    dns_window=0.0,
    bogon_allow=("203.0.113.0/24", "2001:db8::/32", "192.0.2.0/24"),
)
PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 31\r\n\r\n"
    b"<title>X</title> it's happening"
)
WEB = Peer(connect_delay=0.001, tls_delay=0.001, replies=(PAGE,), reply_delay=0.001)
X = "https://x.com/"


def replaced(value: S, **changes: object) -> S:
    """A script or settings with some fields changed."""
    return msgspec.structs.replace(value, **changes)


def redirect(to: str, status: int = 302) -> bytes:
    """A redirect."""
    head = f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
    return head.encode("latin-1")


def scripted(
    *addresses: str, name: str = "x.com", families: tuple[str, ...] = ("ipv4", "ipv6")
) -> ScriptedNetwork:
    """A network whose resolver gives these addresses for `name`."""
    network = ScriptedNetwork(families=families)
    resolver = network.resolver(RESOLVER)
    v4 = tuple(a for a in addresses if ":" not in a)
    v6 = tuple(a for a in addresses if ":" in a)
    resolver.answers(name, "A", DnsReply(addresses=v4, delay=0.001))
    resolver.answers(name, "AAAA", DnsReply(addresses=v6, delay=0.001))
    return network


def prober(
    network: ScriptedNetwork,
    *,
    settings: ProbeSettings = FAST,
    resolvers: Sequence[str] = (RESOLVER,),
    egress: Egress | None = None,
    resolver: Resolver | None = None,
) -> Prober:
    """A prober of a vantage in Pakistan."""
    vantage = VantagePoint(
        id="khi-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        egress=egress or Egress(),
        resolver=resolver or Resolver(),
    )
    return Prober(
        vantage,
        network,
        settings,
        HttpClient(),
        resolvers=lambda: [ResolverAddress(address=address) for address in resolvers],
        now=lambda: datetime(2024, 2, 17, 12, tzinfo=UTC),
    )


async def measure(
    network: ScriptedNetwork,
    endpoint: str | Endpoint = X,
    *,
    settings: ProbeSettings = FAST,
    resolvers: Sequence[str] = (RESOLVER,),
    egress: Egress | None = None,
    resolver: Resolver | None = None,
) -> Measurement:
    """One measurement, which must leave nothing open."""
    found = parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint
    one = prober(network, settings=settings, resolvers=resolvers, egress=egress, resolver=resolver)
    measurement = await one.measure(Target(platform="x", function="web", endpoint=found))
    assert network.left_open == 0
    assert len(asyncio.all_tasks()) == 1
    return measurement


def seen(measurement: Measurement, kind: type[Seen]) -> list[Seen]:
    """The observations of one layer."""
    return [o for o in measurement.observations if isinstance(o, kind)]


def failures(measurement: Measurement, kind: type[Seen]) -> list[str | None]:
    """The failures of one layer, in order."""
    return [o.failure for o in seen(measurement, kind)]


# -- the measurement itself ----------------------------------------------------------------------


async def test_a_healthy_measurement_shows_every_layer() -> None:
    """A measurement of a healthy site records DNS, TCP, TLS and HTTP, and that it was reached."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    measurement = await measure(network)
    assert measurement.reached
    assert [type(o) for o in measurement.observations] == [
        *(DnsObservation, DnsObservation),
        *(TcpObservation, TlsObservation, HttpObservation),
    ]
    assert all(o.failure is None for o in measurement.observations)
    (http,) = seen(measurement, HttpObservation)
    assert (http.status, http.title, http.body_length, http.body) == (200, "X", 31, "")
    (tls,) = seen(measurement, TlsObservation)
    assert (tls.server_name, tls.version, tls.alpn, tls.chain) == (
        *("x.com", "TLSv1.3", "http/1.1"),
        (),
    )
    assert len(tls.chain_sha256) == 64


async def test_the_measurement_says_who_looked_at_what() -> None:
    """Vantage, target, cycle and reason are copied into the measurement."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    measurement = await prober(network).measure(
        target, cycle="c1", purpose=Purpose.RETRY, attempt=3
    )
    assert (measurement.vantage, measurement.country, measurement.asn) == ("khi-ptcl", "PK", 17557)
    assert (measurement.platform, measurement.function, measurement.endpoint) == ("x", "web", X)
    assert (measurement.cycle, measurement.look, measurement.attempt) == ("c1", Purpose.RETRY, 3)
    assert measurement.vantage_role == "field"
    assert len(measurement.id) == 36
    assert measurement.id[14] == "7"


async def test_observations_come_in_the_order_they_began() -> None:
    """Observations are sorted by their start, whatever order they end in."""
    network = scripted(V4, V6)
    network.peer(V4, 443, replaced(WEB, connect_delay=0.03))
    network.peer(V6, 443, WEB)
    starts = [o.start for o in (await measure(network)).observations]
    assert starts == sorted(starts)


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rcode", "failure"),
    [
        ("NXDOMAIN", "dns_nxdomain_error"),
        ("SERVFAIL", "dns_servfail_error"),
        ("REFUSED", "dns_refused_error"),
        ("NOTIMP", "dns_server_misbehaving"),
        ("NOERROR", "dns_no_answer"),
    ],
)
async def test_every_code_is_a_failure_of_its_own(rcode: str, failure: str) -> None:
    """Each refusal of a resolver has its failure, and nothing is dialled."""
    network = ScriptedNetwork()
    resolver = network.resolver(RESOLVER)
    resolver.answers("x.com", "A", DnsReply(rcode=rcode))
    resolver.answers("x.com", "AAAA", DnsReply(rcode=rcode))
    measurement = await measure(network)
    assert failures(measurement, DnsObservation) == [failure, failure]
    assert not measurement.reached
    assert network.connects == []


async def test_a_refusal_without_a_question_is_heard() -> None:
    """A bare REFUSED header counts as REFUSED and not as silence."""
    network = ScriptedNetwork()
    bare = DnsReply(rcode="REFUSED", question=False)
    network.resolver(RESOLVER).answers("x.com", "A", bare).answers("x.com", "AAAA", bare)
    assert failures(await measure(network), DnsObservation) == ["dns_refused_error"] * 2


async def test_no_ipv6_address_is_no_failure() -> None:
    """An empty AAAA answer fails only when the A answer is empty too."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    assert failures(await measure(network), DnsObservation) == [None, None]


async def test_silence_is_asked_three_times_and_then_a_timeout() -> None:
    """A silent resolver gets three queries of each type and costs exactly the timeout."""
    network = ScriptedNetwork()
    resolver = network.resolver(RESOLVER).stays_silent("x.com")
    measurement = await measure(network)
    assert failures(measurement, DnsObservation) == ["generic_timeout_error"] * 2
    assert [o.tries for o in seen(measurement, DnsObservation)] == [3, 3]
    assert resolver.queries.count(("x.com", "A")) == 3
    for observation in seen(measurement, DnsObservation):
        assert observation.duration == pytest.approx(FAST.dns_timeout, abs=0.05)


async def test_a_lost_query_is_made_good_by_the_next() -> None:
    """A reply to the second query counts, and the observation has two tries."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(addresses=(V4,), to_query=2))
    measurement = await measure(network)
    first = seen(measurement, DnsObservation)[0]
    assert (first.rtype, first.tries, first.failure) == ("A", 2, None)
    assert first.answers[0].query == 2
    assert first.duration >= FAST.dns_timeout / 3
    assert measurement.reached


async def test_an_icmp_error_ends_the_question_when_it_comes() -> None:
    """An unreachable resolver is recorded with the ICMP error and its duration."""
    network = ScriptedNetwork()
    network.resolver(RESOLVER).fails(os_error(errno.EHOSTUNREACH), delay=0.01)
    network.peer(V4, 443, WEB)
    measurement = await measure(network)
    assert failures(measurement, DnsObservation) == ["host_unreachable"] * 2
    for observation in seen(measurement, DnsObservation):
        assert 0.005 < observation.duration < FAST.dns_timeout
        assert observation.tries == 1


async def test_an_injected_second_answer_is_on_record() -> None:
    """Both replies to one query are kept, and the first one is used."""
    network = scripted(V4)
    injected = DnsReply(addresses=(V4_OTHER,))
    honest = DnsReply(addresses=(V4,), delay=0.03)
    network.resolver(RESOLVER).answers("x.com", "A", injected, honest)
    network.peer(V4_OTHER, 443, Peer(connect=refused()))
    measurement = await measure(network, settings=replaced(FAST, dns_window=0.1))
    answers = seen(measurement, DnsObservation)[0].answers
    assert [a.addresses for a in answers] == [(V4_OTHER,), (V4,)]
    assert [a.query for a in answers] == [1, 1]
    assert network.connects == [(V4_OTHER, 443)]
    assert measurement.duration >= 0.1


async def test_an_answer_behind_the_window_is_not_waited_for() -> None:
    """The window closes a set time after the first reply."""
    network = scripted(V4)
    late = DnsReply(addresses=(V4_OTHER,), delay=5.0)
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(addresses=(V4,)), late)
    network.peer(V4, 443, WEB)
    measurement = await measure(network, settings=replaced(FAST, dns_window=0.02))
    assert len(seen(measurement, DnsObservation)[0].answers) == 1
    assert measurement.duration < 2.5


async def test_an_injected_refusal_fails_although_the_honest_answer_follows() -> None:
    """An empty first answer counts, as for applications, whatever comes second."""
    network = scripted(V4)
    honest = DnsReply(addresses=(V4,), delay=0.03)
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(), honest)
    measurement = await measure(network, settings=replaced(FAST, dns_window=0.1))
    first = seen(measurement, DnsObservation)[0]
    assert first.failure == "dns_no_answer"
    assert [a.addresses for a in first.answers] == [(), (V4,)]
    assert not measurement.reached


async def test_an_answer_after_the_timeout_is_late() -> None:
    """A reply after the timeout is kept, and the timeout stays the failure."""
    network = ScriptedNetwork()
    resolver = network.resolver(RESOLVER)
    resolver.answers("x.com", "AAAA", DnsReply())
    resolver.answers("x.com", "A", DnsReply(addresses=(V4,), delay=0.12))
    measurement = await measure(network, settings=replaced(FAST, dns_window=0.3))
    first = next(o for o in seen(measurement, DnsObservation) if o.rtype == "A")
    assert first.failure == "generic_timeout_error"
    assert first.answers[0].addresses == (V4,)


async def test_replies_to_another_query_or_question_are_ignored() -> None:
    """A wrong id, a wrong type, an echoed query and garbage are no answers."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    wrong = DnsReply(addresses=(V4_OTHER,), wrong_id=True)
    right = DnsReply(addresses=(V4,), delay=0.02)
    network.resolver(RESOLVER).answers(
        "x.com", "A", DnsReply(raw=b"garbage"), DnsReply(raw=b"\0" * 12), wrong, right
    )
    measurement = await measure(network)
    assert [a.addresses for a in seen(measurement, DnsObservation)[0].answers] == [(V4,)]


async def test_a_flood_of_answers_is_kept_within_bounds() -> None:
    """Of 100 injected replies only a few are kept."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    flood = [DnsReply(addresses=(f"203.0.113.{n}",), delay=0.01) for n in range(100)]
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(addresses=(V4,)), *flood)
    measurement = await measure(network, settings=replaced(FAST, dns_window=0.05))
    assert 2 <= len(seen(measurement, DnsObservation)[0].answers) <= 16


async def test_a_truncated_answer_is_fetched_over_tcp() -> None:
    """A truncated reply is asked for again over TCP, at the same resolver."""
    network = scripted(V4)
    resolver = network.resolver(RESOLVER).answers("x.com", "A", DnsReply(truncated=True))
    resolver.answers_over_tcp("x.com", "A", DnsReply(addresses=(V4,)))
    network.peer(V4, 443, WEB)
    measurement = await measure(network)
    assert resolver.tcp_queries == [("x.com", "A")]
    first = seen(measurement, DnsObservation)[0]
    assert first.failure is None
    assert first.addresses == (V4,)
    assert measurement.reached


async def test_a_truncated_answer_that_tcp_cannot_complete_fails_as_tcp_did() -> None:
    """A truncated reply whose TCP is refused is a refusal and not an empty answer."""
    network = scripted()
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(truncated=True))
    network.peer(RESOLVER, 53, Peer(connect=refused()))
    measurement = await measure(network)
    assert seen(measurement, DnsObservation)[0].failure == "connection_refused"


async def test_the_next_resolver_is_asked_when_the_first_is_silent() -> None:
    """After a silent resolver the next one is used, and the silence is on record."""
    network = scripted(V4)
    network.resolver(SECOND).answers("x.com", "A", DnsReply(addresses=(V4,)))
    network.resolver(RESOLVER).stays_silent("x.com")
    network.peer(V4, 443, WEB)
    measurement = await measure(network, resolvers=(RESOLVER, SECOND, "192.0.2.55"))
    assert measurement.reached
    shown = [(o.resolver, o.reason, o.failure) for o in seen(measurement, DnsObservation)]
    assert shown == [
        *[(f"{RESOLVER}:53", RESOLVER_FALLBACK, "generic_timeout_error")] * 2,
        *[(f"{SECOND}:53", "", None)] * 2,
    ]
    assert [o.resolver for o in measurement.of(Layer.DNS) if isinstance(o, DnsObservation)] == [
        f"{SECOND}:53"
    ] * 2


async def test_a_resolver_of_a_family_that_the_vantage_lacks_is_not_asked() -> None:
    """Bound to an IPv4 address, a vantage asks the machine's resolver that it can reach."""
    network = scripted(V4, families=("ipv4",))
    network.peer(V4, 443, WEB)
    measurement = await measure(network, resolvers=("2001:db8::53", "2001:db8::54", RESOLVER))
    assert measurement.reached
    assert {o.resolver for o in seen(measurement, DnsObservation)} == {f"{RESOLVER}:53"}


async def test_addresses_of_a_family_that_the_vantage_lacks_are_not_dialled_either() -> None:
    """Those that a failure elsewhere names may be of both families."""
    network = scripted(V4, families=("ipv4",))
    network.peer(V4, 443, WEB)
    network.peer(V6, 443, WEB)
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    also = Dial(host="x.com", port=443, addresses=(V6,))
    measurement = await prober(network).measure(target, also=also)
    assert network.connects == [(V4, 443)]
    assert Reason.SAME_ADDRESS not in {o.reason for o in measurement.observations}


async def test_a_refusing_resolver_is_believed() -> None:
    """Only silence leads to the next resolver, an error answer does not."""
    network = scripted(V4)
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(rcode="REFUSED"))
    network.resolver(SECOND).answers("x.com", "A", DnsReply(addresses=(V4,)))
    measurement = await measure(network, resolvers=(RESOLVER, SECOND))
    assert {o.resolver for o in seen(measurement, DnsObservation)} == {f"{RESOLVER}:53"}


async def test_without_a_resolver_there_is_no_answer_to_accuse_anyone_with() -> None:
    """A machine without a resolver is recorded as such, with a failure that accuses nobody."""
    measurement = await measure(ScriptedNetwork(), resolvers=())
    (observation,) = seen(measurement, DnsObservation)
    assert observation.failure == "dns_non_recoverable_failure"
    assert observation.stub


async def test_bogons_are_recorded_and_never_dialled() -> None:
    """A bogon answer is a DNS failure, and nobody connects to it."""
    network = scripted("10.10.34.34", "::1")
    measurement = await measure(network)
    assert failures(measurement, DnsObservation) == ["dns_bogon_error"] * 2
    assert seen(measurement, DnsObservation)[0].addresses == ("10.10.34.34",)
    assert network.connects == []


async def test_one_honest_address_among_bogons_is_dialled() -> None:
    """Of a mixed answer only the addresses that are no bogons are used."""
    network = scripted("127.0.0.1", V4)
    network.peer(V4, 443, WEB)
    measurement = await measure(network)
    assert measurement.reached
    assert network.connects == [(V4, 443)]
    assert failures(measurement, DnsObservation) == [None, None]


@pytest.mark.parametrize(
    ("replies", "reached"),
    [((DnsReply(addresses=(V4,)),), True), ((DnsReply(rcode="NXDOMAIN"),), False), ((), False)],
)
async def test_a_dns_endpoint_needs_an_address(
    replies: tuple[DnsReply, ...], reached: bool
) -> None:
    """A dns endpoint is reached when its name has an address."""
    network = ScriptedNetwork()
    network.resolver(RESOLVER).answers("x.com", "A", *replies).answers("x.com", "AAAA", *replies)
    measurement = await measure(network, "dns:x.com")
    assert measurement.reached is reached
    assert {type(o) for o in measurement.observations} == {DnsObservation}


# -- connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "failure"),
    [
        (Peer(connect=refused()), "connection_refused"),
        (Peer(connect=os_error(errno.EHOSTUNREACH)), "host_unreachable"),
        (Peer(connect=os_error(errno.ENETUNREACH)), "network_unreachable"),
        (Peer(connect=os_error(errno.EACCES)), "permission_denied"),
        (Peer(connect=os_error(errno.ETIMEDOUT)), "timed_out"),
        (Peer(connect=HANG), "generic_timeout_error"),
    ],
)
async def test_a_connection_fails_on_the_tcp_layer(peer: Peer, failure: str) -> None:
    """A failed connect is a TCP failure, and no higher layer is tried."""
    network = scripted(V4)
    network.peer(V4, 443, peer)
    measurement = await measure(network)
    assert failures(measurement, TcpObservation) == [failure]
    assert seen(measurement, TlsObservation) == []
    assert not measurement.reached


@pytest.mark.parametrize(
    ("peer", "failure", "alert"),
    [
        (Peer(tls=reset_by_peer(), chain=()), "connection_reset", False),
        (Peer(tls=closed_by_peer(), chain=()), "eof_error", False),
        (Peer(tls=tls_alert(), chain=()), "ssl_failed_handshake", True),
        (Peer(tls=HANG, chain=()), "generic_timeout_error", False),
        (Peer(tls=bad_certificate(20, "no issuer")), "ssl_unknown_authority", False),
        (Peer(tls=bad_certificate(18, "self-signed")), "ssl_unknown_authority", False),
        (Peer(tls=bad_certificate(62, "another name")), "ssl_invalid_hostname", False),
        (Peer(tls=bad_certificate(10, "expired")), "ssl_invalid_certificate", False),
    ],
)
async def test_a_handshake_fails_on_the_tls_layer(peer: Peer, failure: str, alert: bool) -> None:
    """A failed handshake is a TLS failure; a bad certificate is kept, and no request is sent."""
    network = scripted(V4)
    network.peer(V4, 443, peer)
    measurement = await measure(network)
    assert failures(measurement, TcpObservation) == [None]
    (tls,) = seen(measurement, TlsObservation)
    assert (tls.failure, tls.alert) == (failure, alert)
    assert tls.chain == peer.chain
    assert bool(tls.verify_error) == bool(peer.chain)
    assert not measurement.reached
    assert network.streams[0].sent == b""


async def test_both_families_are_seen_separately() -> None:
    """Each family has its own connection and handshake; one that works is enough."""
    network = scripted(V4, V6)
    network.peer(V4, 443, WEB)
    network.peer(V6, 443, Peer(tls=reset_by_peer()))
    measurement = await measure(network)
    assert measurement.reached
    found = {o.family: o.failure for o in seen(measurement, TlsObservation)}
    assert found == {"ipv4": None, "ipv6": "connection_reset"}
    assert {o.family for o in seen(measurement, TcpObservation)} == {"ipv4", "ipv6"}
    assert len(seen(measurement, HttpObservation)) == 1


async def test_ipv4_carries_the_request_when_both_work() -> None:
    """With two working families the request always uses the same one."""
    network = scripted(V4, V6)
    network.peer(V4, 443, replaced(WEB, connect_delay=0.02))
    network.peer(V6, 443, WEB)
    (http,) = seen(await measure(network), HttpObservation)
    assert http.address == V4


@pytest.mark.parametrize("dead", [V4, V6])
async def test_a_dead_family_does_not_hold_up_the_other(dead: str) -> None:
    """The request does not wait for the failing family, whose timeout is still on record."""
    network = scripted(V4, V6)
    alive = V6 if dead == V4 else V4
    network.peer(alive, 443, WEB)
    network.peer(dead, 443, Peer(connect=HANG))
    settings = replaced(FAST, tcp_timeout=1.5)
    measurement = await measure(network, settings=settings)
    (http,) = seen(measurement, HttpObservation)
    assert http.address == alive
    assert http.start < settings.tcp_timeout
    assert measurement.reached
    assert measurement.duration >= settings.tcp_timeout
    by_address = {o.address: o.failure for o in seen(measurement, TcpObservation)}
    assert by_address == {alive: None, dead: "generic_timeout_error"}


async def test_a_family_the_vantage_lacks_is_not_dialled() -> None:
    """A vantage bound to an IPv4 source dials no IPv6 address."""
    network = scripted(V4, V6, families=("ipv4",))
    network.peer(V4, 443, WEB)
    measurement = await measure(network)
    assert network.connects == [(V4, 443)]
    assert {o.rtype for o in seen(measurement, DnsObservation)} == {"A", "AAAA"}


async def test_every_address_is_tried_up_to_the_limit() -> None:
    """At most `max_addresses` addresses of a family get a connection."""
    several = tuple(f"203.0.113.{n}" for n in range(1, 7))
    network = scripted(*several)
    for address in several:
        network.peer(address, 443, Peer(connect=refused()))
    measurement = await measure(network)
    assert [o.address for o in seen(measurement, TcpObservation)] == list(several[:4])


async def test_the_first_address_that_works_is_used() -> None:
    """One working handshake is enough, at the first address that accepts a connection."""
    network = scripted(V4, V4_OTHER, "203.0.113.12")
    network.peer(V4, 443, Peer(connect=refused()))
    network.peer(V4_OTHER, 443, WEB)
    network.peer("203.0.113.12", 443, WEB)
    measurement = await measure(network)
    assert [o.address for o in seen(measurement, TlsObservation)] == [V4_OTHER]
    assert measurement.reached


async def test_after_a_failed_handshake_the_others_are_tried_at_once() -> None:
    """The other addresses make their handshakes in parallel, so none stays idle."""
    several = (V4, V4_OTHER, "203.0.113.12", "203.0.113.13")
    network = scripted(*several)
    for address in several:
        network.peer(address, 443, Peer(tls=HANG, chain=()))
    measurement = await measure(network)
    assert failures(measurement, TlsObservation) == ["generic_timeout_error"] * 4
    assert measurement.duration < 3 * FAST.tls_timeout


@pytest.mark.parametrize(("usual", "longest"), [(0.04, 15.0), (0.7, 21.0)])
async def test_a_silent_handshake_holds_up_no_other_where_the_line_is_fast(
    usual: float, longest: float
) -> None:
    """Two silent addresses took twenty seconds, three times in a row. On a slow line they still
    come one after the other: two handshakes would slow each other down."""
    network = scripted(V4, V4_OTHER)
    for address in (V4, V4_OTHER):
        network.peer(address, 443, Peer(connect_delay=0.01, tls=HANG, chain=()))
    made = prober(network, settings=replaced(FAST, tls_timeout=10.0))
    for _ in range(FEWEST):
        made.line.worked(usual)
    measurement = await made.measure(
        Target(platform="x", function="web", endpoint=parse_endpoint(X))
    )
    tried = seen(measurement, TlsObservation)
    assert [(o.address, round(o.duration)) for o in tried] == [(V4, 10), (V4_OTHER, 10)]
    assert longest - 2.0 < measurement.duration < longest


async def test_a_late_handshake_counts_though_another_began_beside_it() -> None:
    """The first address is the one that is reached, as if none had been tried beside it."""
    network = scripted(V4, V4_OTHER)
    network.peer(V4, 443, replaced(WEB, tls_delay=6.0))
    network.peer(V4_OTHER, 443, Peer(connect_delay=0.01, tls=HANG, chain=()))
    made = prober(network, settings=replaced(FAST, tls_timeout=10.0))
    for _ in range(FEWEST):
        made.line.worked(0.04)
    measurement = await made.measure(
        Target(platform="x", function="web", endpoint=parse_endpoint(X))
    )
    assert measurement.reached
    assert failures(measurement, TlsObservation) == [None, "generic_timeout_error"]


async def test_retransmits_are_recorded() -> None:
    """Retransmitted segments are recorded."""
    network = scripted(V4)
    network.peer(V4, 443, replaced(WEB, retransmits=2))
    assert seen(await measure(network), TcpObservation)[0].retransmits == 2


async def test_a_tcp_endpoint_needs_only_a_connection() -> None:
    """A tcp endpoint is reached by a connection, and nothing is sent."""
    network = ScriptedNetwork()
    network.peer("149.154.175.50", 5222, Peer())
    measurement = await measure(network, "tcp://149.154.175.50:5222")
    assert measurement.reached
    assert [type(o) for o in measurement.observations] == [TcpObservation]
    assert network.streams[0].sent == b""


async def test_a_tls_endpoint_needs_a_verified_handshake() -> None:
    """A tls endpoint is reached by a verified handshake, not by one with a forged certificate."""
    network = scripted(V4)
    network.peer(V4, 443, Peer(), Peer(tls=bad_certificate(20, "no issuer")))
    assert (await measure(network, "tls://x.com:443")).reached
    assert not (await measure(network, "tls://x.com:443")).reached


async def test_a_service_with_its_own_authority_is_recorded_and_sent_nothing() -> None:
    """Without verification any handshake reaches, its chain is on record, and nothing is sent."""
    network = scripted(V4)
    network.peer(V4, 443, Peer(tls=bad_certificate(20, "no issuer"), chain=(b"own", b"root")))
    endpoint = Endpoint(kind=EndpointKind.HTTPS, host="x.com", port=443, verify=False)
    measurement = await measure(network, endpoint)
    assert measurement.reached
    (tls,) = seen(measurement, TlsObservation)
    assert tls.failure is None
    assert tls.chain_sha256
    assert network.streams[0].sent == b""
    assert seen(measurement, HttpObservation) == []


async def test_the_final_dot_is_not_part_of_the_server_name() -> None:
    """The final dot of an absolute name is omitted in TLS."""
    network = scripted(V4, name="x.com")
    network.peer(V4, 443, WEB)
    endpoint = Endpoint(kind=EndpointKind.HTTPS, host="x.com.", port=443)
    assert (await measure(network, endpoint)).reached
    assert network.streams[0].server_names == ["x.com"]


# -- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "failure"),
    [
        ((reset_by_peer(),), "connection_reset"),
        ((), "eof_error"),
        ((HANG,), "generic_timeout_error"),
        ((PAGE[:-5], HANG), "generic_timeout_error"),
        ((PAGE[:-5],), "eof_error"),
        (
            (b"SSH-2.0-OpenSSH_9.9\r\n",),
            "unknown_failure: MalformedReplyError: response is not HTTP",
        ),
    ],
)
async def test_a_request_fails_on_the_http_layer(says: tuple[PeerReply, ...], failure: str) -> None:
    """A failure after the handshake is an HTTP failure."""
    network = scripted(V4)
    network.peer(V4, 443, Peer(replies=says))
    measurement = await measure(network)
    assert failures(measurement, TlsObservation) == [None]
    assert failures(measurement, HttpObservation) == [failure]
    assert not measurement.reached


async def test_redirects_are_followed_and_the_last_hop_decides() -> None:
    """Each hop of a redirect is resolved, dialled and verified."""
    network = scripted(V4, name="twitter.com")
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(addresses=(V4_OTHER,)))
    network.peer(V4, 443, Peer(replies=(redirect("https://x.com/home#top", 301),)))
    network.peer(V4_OTHER, 443, WEB)
    measurement = await measure(network, "https://twitter.com/")
    assert measurement.reached
    hops = seen(measurement, HttpObservation)
    assert [(h.hop, h.status, h.url) for h in hops] == [
        (0, 301, "https://twitter.com/"),
        (1, 200, "https://x.com/home"),
    ]
    assert hops[0].location == "https://x.com/home#top"
    assert [o.name for o in seen(measurement, DnsObservation)] == ["twitter.com"] * 2 + [
        "x.com"
    ] * 2
    assert network.streams[1].server_names == ["x.com"]


@pytest.mark.parametrize(
    ("peer", "kind", "failure"),
    [
        (Peer(connect=refused()), TcpObservation, "connection_refused"),
        (Peer(connect=HANG), TcpObservation, "generic_timeout_error"),
        (Peer(tls=reset_by_peer(), chain=()), TlsObservation, "connection_reset"),
        (Peer(replies=()), HttpObservation, "eof_error"),
    ],
)
async def test_a_redirect_to_a_host_that_fails_is_not_reached(
    peer: Peer, kind: type[Observation], failure: str
) -> None:
    """The last host of a redirect chain decides."""
    network = scripted(V4, name="twitter.com")
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(addresses=(V4_OTHER,)))
    network.peer(V4, 443, Peer(replies=(redirect("https://x.com/"),)))
    network.peer(V4_OTHER, 443, peer)
    measurement = await measure(network, "https://twitter.com/")
    assert not measurement.reached
    assert failures(measurement, kind)[-1] == failure


async def test_a_redirect_to_a_name_that_does_not_exist_is_not_reached() -> None:
    """NXDOMAIN at the end of a chain is recorded for that name."""
    network = scripted(V4, name="twitter.com")
    network.peer(V4, 443, Peer(replies=(redirect("https://gone.example/"),)))
    measurement = await measure(network, "https://twitter.com/")
    assert not measurement.reached
    assert [o.failure for o in seen(measurement, DnsObservation) if o.name == "gone.example"] == [
        "dns_nxdomain_error"
    ] * 2


async def test_no_redirect_breaks_the_dialogue_with_a_proxy() -> None:
    """What a page names goes into a request to the proxy: a host with a space ends no cycle."""
    network = ScriptedNetwork()
    answer = b"HTTP/1.1 200 Connected\r\n\r\n"
    network.peer(CONNECT.proxy_host, CONNECT.proxy_port, Peer(replies=(answer, redirect("// .a/"))))
    measurement = await measure(network, "http://x.com/", egress=CONNECT)
    (http,) = seen(measurement, HttpObservation)
    assert http.failure == "http_invalid_redirect_location_host"


@pytest.mark.parametrize(
    ("first", "location", "url", "reached"),
    [
        ("http://x.com/", "HTTPS://x.com/Home", "https://x.com/Home", True),
        ("https://x.com/", "Http://x.com/Home", "http://x.com/Home", False),
    ],
)
async def test_a_scheme_in_capitals_is_the_same(
    first: str, location: str, url: str, *, reached: bool
) -> None:
    """What is verified proves the endpoint, and what is not may be a block page."""
    network = scripted(V4)
    before, after = (80, 443) if reached else (443, 80)
    network.peer(V4, before, Peer(replies=(redirect(location),)))
    network.peer(V4, after, WEB)
    measurement = await measure(network, first)
    assert [o.url for o in seen(measurement, HttpObservation)] == [first, url]
    assert measurement.reached is reached


async def test_ten_redirects_are_followed_and_no_more() -> None:
    """An endless chain stops after ten redirects, that is eleven requests."""
    network = scripted(V4)
    network.peer(V4, 443, Peer(replies=(redirect("/again"),)))
    measurement = await measure(network)
    assert [o.hop for o in seen(measurement, HttpObservation)] == list(range(MAX_REDIRECTS + 1))
    assert len(network.connects) == MAX_REDIRECTS + 1
    assert network.resolver(RESOLVER).queries == [("x.com", "A"), ("x.com", "AAAA")]


@pytest.mark.parametrize(
    "location",
    [
        "https://",
        "https:///path",
        "https://a..b/",
        f"https://{'a' * 64}.com/",
        f"https://{'a.' * 130}com/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://x.com:99999/",
        "https://x.com:0/",
        "ftp://x.com/",
        "tls://x.com/",
        "javascript:alert(1)",
        "https://\xe9.com/",
        "https://a b.com/",
        "//",
    ],
)
async def test_a_broken_redirect_is_a_failure_of_its_own(location: str) -> None:
    """An invalid Location is a failure, recorded with the status of its answer."""
    network = scripted(V4)
    network.peer(V4, 443, Peer(replies=(redirect(location),)))
    measurement = await measure(network)
    (http,) = seen(measurement, HttpObservation)
    assert (http.status, http.failure) == (302, "http_invalid_redirect_location_host")
    assert not measurement.reached
    assert len(network.connects) == 1


@given(
    st.text(
        st.characters(max_codepoint=255, exclude_categories=["Cc"]), min_size=1, max_size=40
    ).flatmap(
        lambda tail: st.sampled_from(
            ["https://", "http://", "//", "", "https:", "https://x.com"]
        ).map(lambda start: start + tail)
    )
)
def test_no_redirect_makes_a_measurement_raise(location: str) -> None:
    """Any Location ends in a measurement and no exception."""

    async def through() -> Measurement:
        network = scripted(V4)
        network.peer(V4, 443, Peer(replies=(redirect(location),)))
        settings = replaced(FAST, tcp_timeout=0.005, dns_timeout=0.005)
        return await measure(network, settings=settings)

    assert asyncio.run(through()).observations


async def test_a_redirect_does_not_send_us_round_the_vantages_own_network() -> None:
    """A private address in a Location is recorded and not dialled."""
    network = scripted(V4)
    network.peer(V4, 443, Peer(replies=(redirect("http://192.168.1.1/admin"),)))
    measurement = await measure(network)
    assert network.connects == [(V4, 443)]
    assert not measurement.reached
    assert seen(measurement, HttpObservation)[0].location == "http://192.168.1.1/admin"


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Long: " + b"a" * 16_000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 16_000),
        (
            b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"", mtime=0)[:10],
            b"\0\0\0\xff\xff" * 3200,
        ),
    ],
)
async def test_bytes_that_add_nothing_to_a_body_count_for_the_day(
    begins: bytes, goes_on: bytes
) -> None:
    """A portal could have megabytes of framing read in each cycle. They counted as two thousand
    bytes, so the host's line carried many times what it was promised."""
    network, came = scripted(V4), [0]

    def more(_: bytes) -> bytes:
        came[0] += len(goes_on)
        return goes_on

    network.peer(V4, 80, Peer(replies=(begins, *[more] * 500)))
    measurement = await measure(network, "http://x.com/")
    assert not measurement.reached
    assert came[0] > 60_000
    assert bytes_of(measurement) > came[0]


async def test_an_ordinary_head_is_not_counted_apart() -> None:
    """Stored measurements stay small."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    (http,) = seen(await measure(network), HttpObservation)
    assert (http.status, http.bytes_besides) == (200, 0)


async def test_a_private_address_the_catalogue_names_is_dialled() -> None:
    """An endpoint given by address is measured, public or not."""
    network = ScriptedNetwork()
    network.peer("10.0.0.1", 443, Peer())
    assert (await measure(network, "tcp://10.0.0.1:443")).reached


async def test_a_block_page_is_kept_with_its_headers() -> None:
    """The page of a cleartext answer is kept as evidence."""
    page = (
        b"HTTP/1.1 403 Forbidden\r\nX-Filter: yes\r\nSet-Cookie: id=7\r\n\r\n<title>Blocked</title>"
    )
    network = scripted(V4)
    network.peer(V4, 80, Peer(replies=(page,)))
    measurement = await measure(network, "http://x.com/")
    (http,) = seen(measurement, HttpObservation)
    assert (http.status, http.title, http.body) == (403, "Blocked", "<title>Blocked</title>")
    assert http.headers == (("x-filter", "yes"), ("set-cookie", ""))
    assert not measurement.reached


async def test_a_long_page_does_not_hold_up_other_measurements() -> None:
    """Attack: each hop of a chain is half a megabyte that takes long to search for addresses. Other
    measurements' deadlines passed meanwhile, and what they test looked silent."""
    loop, turns = asyncio.get_running_loop(), [0]

    def turn() -> None:
        turns[0] += 1
        loop.call_soon(turn)

    def page(_: bytes) -> bytes:
        turn()
        return b"HTTP/1.1 200 OK\r\n\r\n" + b"1<b>" * 120_000

    network = scripted(V4)
    network.peer(V4, 80, Peer(replies=(page,)))
    (http,) = seen(await measure(network, "http://x.com/"), HttpObservation)
    assert http.body_length == 480_000
    assert turns[0] > 200


async def test_only_ordinary_headers_of_a_healthy_answer_are_kept() -> None:
    """Of a healthy page neither the body nor unusual headers are kept."""
    page = b"HTTP/1.1 200 OK\r\nX-Trace: 1\r\nServer: s\r\nContent-Length: 2\r\n\r\nok"
    network = scripted(V4)
    network.peer(V4, 443, Peer(replies=(page,)))
    (http,) = seen(await measure(network), HttpObservation)
    assert (http.body, http.headers) == ("", (("server", "s"), ("content-length", "2")))


@pytest.mark.parametrize(
    ("status", "reached"), [(200, True), (403, True), (404, True), (503, True), (451, False)]
)
async def test_over_verified_tls_any_status_but_451_is_reach(status: int, reached: bool) -> None:
    """Any status over verified TLS reaches, because nobody on the path can forge it."""
    head = f"HTTP/1.1 {status} Status\r\nContent-Length: 2\r\n\r\nno"
    network = scripted(V4)
    network.peer(V4, 443, Peer(replies=(head.encode(),)))
    measurement = await measure(network)
    assert measurement.reached is reached
    assert seen(measurement, HttpObservation)[0].failure is None


async def test_451_keeps_its_reasons() -> None:
    """A page with status 451 is kept even over TLS."""
    page = b"HTTP/1.1 451 Unavailable\r\nContent-Length: 9\r\n\r\ncourt 17/"
    network = scripted(V4)
    network.peer(V4, 443, Peer(replies=(page,)))
    assert seen(await measure(network), HttpObservation)[0].body == "court 17/"


@pytest.mark.parametrize(
    ("says", "reached"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nSuccess", True),
        (b"HTTP/1.1 200 OK\r\n\r\nPlease log in", False),
        (b"HTTP/1.1 500 Oops\r\n\r\nSuccess", False),
        (b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n", False),
    ],
)
async def test_a_stated_answer_must_be_given(says: bytes, reached: bool) -> None:
    """A captive-portal check needs its stated status and text, at the end of any chain."""
    network = scripted(V4, name="captive.example")
    network.resolver(RESOLVER).answers("portal.example", "A", DnsReply(addresses=(V4_OTHER,)))
    network.peer(V4, 80, Peer(replies=(says,)))
    network.peer(V4_OTHER, 80, Peer(replies=(b"HTTP/1.1 200 OK\r\n\r\nlog in",)))
    endpoint = Endpoint(
        kind=EndpointKind.HTTP,
        host="captive.example",
        port=80,
        expect_status=(200,),
        expect_body="Success",
    )
    measurement = await measure(network, endpoint)
    assert measurement.reached is reached
    assert seen(measurement, HttpObservation)[-1].expected is reached


# -- through a proxy -----------------------------------------------------------------------------

SOCKS = Egress(kind=EgressKind.SOCKS5, proxy_host="192.0.2.1", proxy_port=1080)
CONNECT = Egress(kind=EgressKind.CONNECT, proxy_host="192.0.2.1", proxy_port=3128)
HELLO, GRANTED = b"\x05\x00", b"\x05\x00\x00\x01" + b"\0" * 6


def proxy(*says: PeerReply, **changes: object) -> Peer:
    """A SOCKS5 proxy that allows everything and then acts as the endpoint."""
    return Peer(replies=(HELLO, GRANTED, *says), **changes)  # type: ignore[arg-type]


async def test_through_a_proxy_that_resolves_dns_and_tcp_are_not_observed() -> None:
    """The layers a proxy hides are recorded as not observed, and the proxy resolves the name."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", 1080, proxy(PAGE))
    measurement = await measure(network, egress=SOCKS)
    assert measurement.reached
    assert measurement.not_observed == (Layer.DNS, Layer.TCP)
    assert [type(o) for o in measurement.observations] == [TlsObservation, HttpObservation]
    assert seen(measurement, TlsObservation)[0].address == ""
    assert b"\x03\x05x.com\x01\xbb" in network.streams[0].sent


@pytest.mark.parametrize(
    "inside",
    [
        "http://127.0.0.1:8080/",
        "http://192.168.77.1/",
        "http://[::1]/",
        "http://[fd00::1]/",
        "http://localhost/",
        "http://router/",
        "http://nas.home.arpa/",
        "http://Printer.LOCAL./",
        "http://localhost.localdomain/",
        "http://nas.home/",
        "http://127.1/",
        "http://0x7f.0x0.0x0.0x1/",
    ],
)
@pytest.mark.parametrize("egress", [SOCKS, CONNECT])
async def test_attack_no_redirect_leads_into_the_network_of_the_proxy(
    inside: str, egress: Egress
) -> None:
    """A proxy that resolves names connects to any of them from inside the host's network, and reads
    127.1 as its own machine. A forged cleartext redirect led to that machine and its neighbours,
    and the page was kept as evidence."""
    network = ScriptedNetwork()
    granted = (HELLO, GRANTED) if egress is SOCKS else (b"HTTP/1.1 200 OK\r\n\r\n",)
    first = Peer(replies=(*granted, redirect(inside)))
    network.peer("192.0.2.1", egress.proxy_port, first, Peer(replies=(*granted, PAGE)))
    measurement = await measure(network, "http://x.com/", egress=egress)
    assert not measurement.reached
    assert len(network.connects) == 1
    (hop,) = seen(measurement, HttpObservation)
    assert hop.location == inside


# -- addresses besides those that the name leads to --------------------------------------------


def besides(measurement: Measurement) -> list[tuple[str, str | None]]:
    """Addresses that a control was sent to, and what their handshakes came to."""
    return [
        (o.address, o.failure)
        for o in seen(measurement, TlsObservation)
        if o.reason == Reason.SAME_ADDRESS
    ]


async def dialled(
    network: ScriptedNetwork, *addresses: str, times: int = 1, egress: Egress | None = None
) -> Measurement:
    """A measurement that tries these addresses too."""
    also = Dial(host="x.com", port=443, addresses=addresses, times=times)
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    measurement = await prober(network, egress=egress).measure(target, also=also)
    assert network.left_open == 0
    return measurement


async def test_addresses_that_failed_elsewhere_are_tried_and_change_nothing_else() -> None:
    """The endpoint is reached at its own address, whatever is at the other."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    network.peer(V4_OTHER, 443, Peer(tls=reset_by_peer()))
    measurement = await dialled(network, V4_OTHER, V4)
    assert measurement.reached
    assert besides(measurement) == [(V4_OTHER, "connection_reset")]
    assert {path.address for path in summarise(measurement).paths if path.address} == {V4}


async def test_a_proxy_is_given_the_address_itself() -> None:
    """It resolves names, so nothing else shows which family or address it reached."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", 1080, proxy(PAGE))
    measurement = await dialled(network, V4_OTHER, egress=SOCKS)
    assert besides(measurement) == [(V4_OTHER, None)]
    asked = bytes([1, *map(int, V4_OTHER.split("."))]) + (443).to_bytes(2, "big")
    assert [asked in bytes(stream.sent) for stream in network.streams] == [False, True]


async def test_attack_no_control_is_led_into_a_private_network() -> None:
    """An address that a lying resolver gave at the field vantage is nobody's public service."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    measurement = await dialled(network, "10.0.0.1", "169.254.169.254", "::1")
    assert besides(measurement) == []
    assert {address for address, _ in network.connects} == {V4}


async def test_an_address_is_tried_as_often_as_asked() -> None:
    """To compare how many connections are cut off here and there."""
    network = scripted(V4)
    network.peer(V4, 443, WEB)
    assert besides(await dialled(network, V4, times=5)) == [(V4, None)] * 5


def dns_through_proxy(reply: DnsReply) -> Peer:
    """A connection through the proxy to a resolver."""
    greeting = len(b"\x05\x01\x00") + len(b"\x05\x01\x00\x01" + b"\0" * 6)
    return proxy(lambda sent: over_tcp(sent[greeting:], reply))


@pytest.mark.parametrize(
    ("a", "aaaa", "failures_"),
    [
        (DnsReply(addresses=(V4,)), DnsReply(), [None, None]),
        (DnsReply(), DnsReply(addresses=(V6,)), [None, None]),
        (DnsReply(), DnsReply(), ["dns_no_answer"] * 2),
        (DnsReply(rcode="NXDOMAIN"), DnsReply(rcode="NXDOMAIN"), ["dns_nxdomain_error"] * 2),
        (DnsReply(addresses=("10.0.0.1",)), DnsReply(), ["dns_bogon_error", None]),
        (
            DnsReply(raw=b"?"),
            DnsReply(),
            ["unknown_failure: MalformedReplyError: DNS reply cut short", None],
        ),
    ],
)
async def test_through_a_proxy_a_given_resolver_is_asked_over_tcp(
    a: DnsReply, aaaa: DnsReply, failures_: list[str | None]
) -> None:
    """With a resolver of its own the vantage records DNS, labelled as through the proxy."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", 1080, dns_through_proxy(a), dns_through_proxy(aaaa), proxy(PAGE))
    measurement = await measure(network, egress=SOCKS, resolver=Resolver(address=RESOLVER))
    assert measurement.not_observed == (Layer.TCP,)
    found = seen(measurement, DnsObservation)
    assert [(o.rtype, o.transport) for o in found] == [("A", "tcp"), ("AAAA", "tcp")]
    assert [o.failure for o in found] == failures_
    assert {o.resolver for o in found} == {f"{RESOLVER}:53 through proxy"}
    assert measurement.reached is (failures_ == [None, None])
    if measurement.reached:
        assert seen(measurement, TlsObservation)[0].address == (*a.addresses, *aaaa.addresses)[0]


async def test_a_dns_endpoint_cannot_be_seen_through_a_proxy_that_resolves() -> None:
    """A dns endpoint behind a proxy that resolves is not observed, and nothing is sent."""
    network = ScriptedNetwork()
    measurement = await measure(network, "dns:x.com", egress=SOCKS)
    assert (measurement.observations, measurement.reached) == ((), False)
    assert measurement.not_observed == (Layer.DNS,)
    assert network.connects == []


@pytest.mark.parametrize(
    ("peer", "failure", "reply"),
    [
        (Peer(connect=refused()), "connection_refused", ""),
        (Peer(connect=HANG), "generic_timeout_error", ""),
        (Peer(replies=(reset_by_peer(),)), "connection_reset", ""),
        (Peer(replies=()), "connection_aborted", "the proxy hung up or spoke another protocol"),
        (
            Peer(replies=(b"\x05\xff",)),
            "connection_aborted",
            "the proxy accepts none of our ways to log in",
        ),
        (
            Peer(replies=(b"HTTP/1.1 400 Bad Request\r\n\r\n",)),
            "connection_aborted",
            "the proxy does not speak SOCKS5",
        ),
    ],
)
async def test_trouble_with_the_proxy_is_no_failure_of_the_endpoint(
    peer: Peer, failure: str, reply: str
) -> None:
    """A failure of our own proxy is recorded as such and not as one of the endpoint."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", 1080, peer)
    measurement = await measure(network, egress=SOCKS)
    (observation,) = measurement.observations
    assert isinstance(observation, EgressObservation)
    assert (observation.failure, observation.reply) == (failure, reply)
    assert not measurement.reached


@pytest.mark.parametrize(
    ("egress", "says", "failure"),
    [
        (SOCKS, (HELLO, b"\x05\x05\x00\x01" + b"\0" * 6), "connection_refused"),
        (SOCKS, (HELLO, b"\x05\x04\x00\x01" + b"\0" * 6), "host_unreachable"),
        (SOCKS, (HELLO, HANG), "generic_timeout_error"),
        (CONNECT, (b"HTTP/1.1 504 Gateway Timeout\r\n\r\n",), "generic_timeout_error"),
        (CONNECT, (b"HTTP/1.1 502 Bad Gateway\r\n\r\n",), "unknown_failure: proxy: status 502"),
    ],
)
async def test_what_a_proxy_claims_of_the_far_side_is_tcp_hearsay(
    egress: Egress, says: tuple[PeerReply, ...], failure: str
) -> None:
    """A failure that the proxy reports is a TCP failure on a layer marked as not observed."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", egress.proxy_port, Peer(replies=says))
    measurement = await measure(network, egress=egress)
    assert failures(measurement, TcpObservation) == [failure]
    assert Layer.TCP in measurement.not_observed
    assert seen(measurement, EgressObservation) == []


async def test_through_a_proxy_the_handshake_is_still_ours() -> None:
    """TLS is end to end through the proxy, so a forged certificate is recorded."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", 1080, proxy(tls=bad_certificate(20, "no issuer")))
    measurement = await measure(network, egress=SOCKS)
    assert failures(measurement, TlsObservation) == ["ssl_unknown_authority"]
    assert Layer.TLS not in measurement.not_observed


async def test_an_address_dialled_through_a_proxy_stays_in_the_record() -> None:
    """The address of an endpoint given by address stays."""
    network = ScriptedNetwork()
    network.peer("192.0.2.1", 1080, proxy(PAGE))
    measurement = await measure(network, f"https://{V4}/", egress=SOCKS)
    assert seen(measurement, HttpObservation)[0].url == f"https://{V4}/"
    assert b"\x01" + bytes([203, 0, 113, 10]) + b"\x01\xbb" in network.streams[0].sent


# -- the vantage's own address -------------------------------------------------------------------

OWN, OWN_V6, OUTSIDE = "198.51.100.7", "2001:db8:7::7", "192.0.2.200"
"""The vantage's own addresses: those of its sockets and that of its provider."""
ECHO = (
    f"HTTP/1.1 403 Forbidden\r\nX-Client: {OWN}\r\nX-{OWN}: yes\r\n"
    f"X-Forwarded-For: {OUTSIDE}, {OWN_V6}\r\n\r\n"
    f"<title>{'x' * 190} {OUTSIDE} is banned</title><p>{OWN} = 3325256711 = c6336407</p>"
    f"<p>MTk4LjUxLjEwMC43 198%2E51%2E100%2E7 {OWN_V6}</p>"
)
LEAKS = (
    OWN,
    OWN_V6,
    OUTSIDE,
    "3325256711",
    "c6336407",
    "MTk4LjUxLjEwMC43",
    "198%2E51",
    "192.0.2.2",
)


def text_of(measurement: Measurement) -> str:
    """Everything in a measurement, as it would be stored."""
    return msgspec.json.encode(measurement.observations).decode()


async def test_a_block_page_that_prints_our_address_does_not_store_it() -> None:
    """Title, headers and body lose our address in every spelling; tested addresses stay."""
    network = scripted(V4)
    network.peer(V4, 80, Peer(replies=(ECHO.encode(),)))
    measurement = await measure(network, "http://x.com/")
    assert [leak for leak in LEAKS if leak in text_of(measurement)] == []
    (http,) = seen(measurement, HttpObservation)
    assert http.address == V4
    assert http.title.startswith("x" * 190 + " [addre")
    assert ("x-client", "[address]") in http.headers


async def test_a_redirect_that_carries_our_address_does_not_store_it() -> None:
    """Location, URL, resolved name and TLS server name lose our address."""
    to = "https://198-51-100-7.stop.example/?ip=198.51.100.7&from=192.0.2.200"
    network = scripted(V4)
    cname = DnsReply(addresses=(V4_OTHER,), cnames=("c6336407.stop.example",))
    network.resolver(RESOLVER).answers("198-51-100-7.stop.example", "A", cname)
    network.peer(V4, 443, Peer(replies=(redirect(to),)))
    network.peer(V4_OTHER, 443, WEB)
    measurement = await measure(network)
    assert measurement.reached
    text = text_of(measurement)
    assert [leak for leak in (*LEAKS, "198-51-100-7") if leak in text] == []
    assert network.streams[1].server_names == ["198-51-100-7.stop.example"]
    assert [h.url for h in seen(measurement, HttpObservation)] == [
        X,
        "https://[address].stop.example/?ip=[address]&from=[address]",
    ]


async def test_a_name_that_leads_to_ourselves_does_not_store_our_address() -> None:
    """An answer with our own address is recorded without the address."""
    network = scripted(OWN)
    network.peer(OWN, 443, Peer(tls=reset_by_peer(), chain=()))
    settings = replaced(FAST, bogon_allow=(*FAST.bogon_allow, "198.51.100.0/24"))
    measurement = await measure(network, settings=settings)
    assert OWN not in text_of(measurement)
    assert seen(measurement, TcpObservation)[0].address == "0.0.0.0"
    assert failures(measurement, TlsObservation) == ["connection_reset"]


async def test_a_certificate_with_our_address_is_not_stored() -> None:
    """A forged certificate that contains our address keeps its digest and loses its bytes."""
    network = scripted(V4)
    chain = (b"leaf", b"names " + OWN.encode())
    network.peer(V4, 443, Peer(tls=bad_certificate(20, f"no issuer for {OWN}"), chain=chain))
    (tls,) = seen(await measure(network), TlsObservation)
    assert tls.chain == ()
    assert tls.chain_sha256
    assert OWN not in tls.verify_error


async def test_a_resolver_on_the_vantage_itself_is_not_named() -> None:
    """The address of a resolver on this machine is removed."""
    network = ScriptedNetwork(own={"ipv4": RESOLVER})
    network.resolver(RESOLVER).stays_silent("x.com")
    assert RESOLVER not in text_of(await measure(network))


async def test_the_digest_of_a_healthy_page_does_not_depend_on_our_address() -> None:
    """A page that shows each visitor's address has the same digest for two vantages."""
    digests = set()
    for own in ("198.51.100.7", "198.51.100.8"):
        network = scripted(V4)
        network.own["ipv4"] = own
        body = f"Hello {own}!"
        page = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        network.peer(V4, 443, Peer(replies=(page.encode(),)))
        digests.add(seen(await measure(network), HttpObservation)[0].body_sha256)
    assert len(digests) == 1


# -- cancelling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["dns", "tcp", "tls", "http", "window"])
async def test_a_cancelled_measurement_lets_go_of_everything(stage: str) -> None:
    """A measurement cancelled at any stage leaves no socket and no task."""
    network = scripted(V4, V6)
    hanging = {
        "dns": Peer(),
        "tcp": Peer(connect=HANG),
        "tls": Peer(tls=HANG),
        "http": Peer(replies=(HANG,)),
        "window": WEB,
    }[stage]
    if stage == "dns":
        network.resolver(RESOLVER).stays_silent("x.com")
    network.peer(V4, 443, hanging)
    network.peer(V6, 443, Peer(tls=HANG))
    slow = ProbeSettings(dns_window=60.0, bogon_allow=FAST.bogon_allow)
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    task = asyncio.create_task(prober(network, settings=slow).measure(target))
    await asyncio.sleep(0.03)
    assert network.left_open > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert network.left_open == 0
    assert len(asyncio.all_tasks()) == 1


async def test_a_bug_is_raised_and_lets_go_of_everything() -> None:
    """An error that is no network failure is raised, and nothing stays open."""
    network = scripted(V4, V6)
    network.peer(V4, 443, Peer(tls=HANG))
    network.peer(V6, 443, Peer(tls="not what a peer does"))  # type: ignore[arg-type]
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    with pytest.raises(AssertionError):
        await prober(network).measure(target)
    assert network.left_open == 0
    assert len(asyncio.all_tasks()) == 1


SLOW_DNS = replaced(FAST, dns_timeout=4.0)


async def test_a_record_type_that_is_dropped_does_not_hold_the_measurement_up() -> None:
    """When a resolver drops AAAA, the measurement soon goes on over IPv4, and the whole timeout is
    recorded."""
    network = scripted(V4)
    network.resolver(RESOLVER).answers("x.com", "AAAA")
    network.peer(V4, 443, WEB)
    measurement = await measure(network, settings=SLOW_DNS)
    assert measurement.reached
    (connected,) = seen(measurement, TcpObservation)
    assert connected.start == pytest.approx(0.001 + RESOLUTION_DELAY)
    kept = {o.rtype: o for o in seen(measurement, DnsObservation)}
    assert kept["A"].failure is None
    assert kept["AAAA"].failure == "generic_timeout_error"
    assert kept["AAAA"].duration == pytest.approx(4.0)
    assert kept["AAAA"].tries == 3


async def test_an_answer_that_comes_late_is_kept_and_judges_nothing() -> None:
    """A late answer has the reason LATE_ANSWER, because its addresses were not tried."""
    network = scripted(V4)
    network.resolver(RESOLVER).answers(
        "x.com", "AAAA", DnsReply(addresses=(V6,), delay=RESOLUTION_DELAY + 0.2)
    )
    network.peer(V4, 443, WEB)
    measurement = await measure(network, settings=SLOW_DNS)
    late = next(o for o in seen(measurement, DnsObservation) if o.rtype == "AAAA")
    assert (late.reason, late.addresses, late.failure) == (LATE_ANSWER, (V6,), None)
    assert not [o for o in seen(measurement, TcpObservation) if o.address == V6]
    assert measurement.reached
    assert [o.family for o in summarise(measurement).outcomes] == ["ipv4"]


@pytest.mark.parametrize("failing", [HANG, reset_by_peer()])
async def test_addresses_that_come_late_are_tried_where_nothing_is_connected(
    failing: Hang | OSError,
) -> None:
    """Applications do so, too: a lost answer with IPv4 addresses is no reason to judge by IPv6."""
    network = scripted(V6)
    network.resolver(RESOLVER).answers(
        "x.com", "A", DnsReply(addresses=(V4,), delay=RESOLUTION_DELAY + 0.2)
    )
    network.peer(V6, 443, Peer(tls=failing))
    network.peer(V4, 443, WEB)
    measurement = await measure(network, settings=SLOW_DNS)
    assert measurement.reached
    assert {o.rtype: (o.reason, o.addresses) for o in seen(measurement, DnsObservation)} == {
        "A": ("", (V4,)),
        "AAAA": ("", (V6,)),
    }
    (late,) = (o for o in seen(measurement, TcpObservation) if o.address == V4)
    assert late.start == pytest.approx(RESOLUTION_DELAY + 0.2)
    assert network.left_open == 0


async def test_late_addresses_are_tried_where_those_in_time_are_of_a_family_not_had() -> None:
    """A line without IPv6, whose resolver was quicker with IPv6 addresses."""
    network = ScriptedNetwork(families=("ipv4",))
    network.resolver(RESOLVER).answers("x.com", "AAAA", DnsReply(addresses=(V6,))).answers(
        "x.com", "A", DnsReply(addresses=(V4,), delay=RESOLUTION_DELAY + 0.2)
    )
    network.peer(V4, 443, WEB)
    measurement = await measure(network, settings=SLOW_DNS)
    assert measurement.reached
    assert [o.address for o in seen(measurement, TcpObservation)] == [V4]


async def test_a_connection_waits_for_no_late_answer() -> None:
    """Not even the grace of the other family."""
    network = scripted(V4)
    network.resolver(RESOLVER).answers("x.com", "AAAA")
    network.peer(V4, 443, WEB)
    measurement = await measure(network, settings=SLOW_DNS)
    (asked,) = seen(measurement, HttpObservation)
    assert asked.start == pytest.approx(RESOLUTION_DELAY, abs=0.01)


async def test_a_measurement_that_waits_for_a_late_answer_may_be_cancelled() -> None:
    """Nothing is left open, and no task."""
    network = scripted(V6)
    network.resolver(RESOLVER).answers("x.com", "A")
    network.peer(V6, 443, Peer(connect=HANG))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(RESOLUTION_DELAY + 0.2):
            await measure(network, settings=SLOW_DNS)
    assert network.left_open == 0
    assert len(asyncio.all_tasks()) == 1


async def test_a_type_without_addresses_is_no_reason_to_go_on() -> None:
    """After an empty answer the other type is awaited, however slow."""
    network = scripted(V6)
    network.resolver(RESOLVER).answers("x.com", "AAAA", DnsReply(addresses=(V6,), delay=1.2))
    network.peer(V6, 443, WEB)
    measurement = await measure(network, settings=SLOW_DNS)
    assert measurement.reached
    assert not any(o.reason for o in measurement.observations)


DOH_URL = "https://dns.example/dns-query"
DOH_ADDRESS = "203.0.113.53"


def doh_says(*replies: DnsReply) -> Peer:
    """A DNS-over-HTTPS server with its answers, all over one connection."""

    def answering(reply: DnsReply) -> Callable[[bytes], bytes]:
        def said(sent: bytes) -> bytes:
            text = sent.rpartition(b"?dns=")[2].split(b" ", 1)[0].decode()
            query = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            body = encode_reply(query, reply)
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

        return said

    return Peer(replies=tuple(map(answering, replies)))


async def test_a_resolver_over_https_is_asked_and_labelled_as_itself() -> None:
    """The machine's resolver is asked only for the DoH server's name; DoH answers the rest."""
    network = scripted(DOH_ADDRESS, name="dns.example")
    network.peer(DOH_ADDRESS, 443, doh_says(DnsReply(addresses=(V4,)), DnsReply()))
    network.peer(V4, 443, WEB)
    measurement = await measure(network, resolver=Resolver(url=DOH_URL))
    assert measurement.reached
    assert network.connects.count((DOH_ADDRESS, 443)) == 1
    assert {name for name, _ in network.resolver(RESOLVER).queries} == {"dns.example"}
    found = seen(measurement, DnsObservation)
    assert {(o.name, o.resolver, o.transport, o.failure) for o in found} == {
        ("x.com", DOH_URL, "doh", None)
    }
    assert seen(measurement, TcpObservation)[0].address == V4


async def test_a_resolver_over_https_answers_the_question_that_was_asked() -> None:
    """The answer to another question, as from a cache on the way, gives no address."""
    network = scripted(DOH_ADDRESS, name="dns.example")
    stale = encode_reply(encode_query(0, "y.com", "A"), DnsReply(addresses=(V4,)))
    network.peer(DOH_ADDRESS, 443, doh_says(DnsReply(raw=stale), DnsReply()))
    network.peer(V4, 443, WEB)
    measurement = await measure(network, resolver=Resolver(url=DOH_URL))
    assert network.connects == [(DOH_ADDRESS, 443)]
    found = {o.rtype: (o.failure, o.answers) for o in seen(measurement, DnsObservation)}
    assert found["A"] == ("dns_server_misbehaving", ())


async def test_a_resolver_over_https_that_hangs_up_is_asked_again() -> None:
    """The next question goes over a new connection where the server closes after each answer."""
    network = scripted(DOH_ADDRESS, name="dns.example")
    network.peer(DOH_ADDRESS, 443, doh_says(DnsReply()), doh_says(DnsReply(addresses=(V6,))))
    network.peer(V6, 443, WEB)
    measurement = await measure(network, resolver=Resolver(url=DOH_URL))
    assert measurement.reached
    assert network.connects.count((DOH_ADDRESS, 443)) == 2


async def test_a_resolver_over_https_that_cannot_be_reached_gives_no_address() -> None:
    """When the DoH server fails, no other resolver is asked."""
    network = scripted(DOH_ADDRESS, name="dns.example")
    network.peer(DOH_ADDRESS, 443, Peer(tls=reset_by_peer()))
    measurement = await measure(network, resolver=Resolver(url=DOH_URL))
    assert not measurement.reached
    found = seen(measurement, DnsObservation)
    assert [o.failure for o in found] == ["dns_non_recoverable_failure"] * 2
    assert {name for name, _ in network.resolver(RESOLVER).queries} == {"dns.example"}
    assert not seen(measurement, TcpObservation)


async def test_a_resolver_over_https_is_reached_by_name_through_the_proxy() -> None:
    """The proxy resolves the DoH server's name, and the endpoint is dialled by address."""
    network = ScriptedNetwork()
    says = doh_says(DnsReply(addresses=(V4,)), DnsReply())
    opened = b"\x05\x00\x00\x01" + b"\0" * 6
    network.peer(
        "192.0.2.1",
        1080,
        Peer(replies=(HELLO, opened, *says.replies)),
        Peer(replies=(HELLO, opened, PAGE)),
    )
    measurement = await measure(network, egress=SOCKS, resolver=Resolver(url=DOH_URL))
    asked = [stream.sent for stream in network.streams]
    assert b"\x03\x0bdns.example\x01\xbb" in asked[0]
    assert {o.resolver for o in seen(measurement, DnsObservation)} == {f"{DOH_URL} through proxy"}
    assert measurement.not_observed == (Layer.TCP,)


async def test_an_ipv4_endpoint_is_reached_through_a_learnt_nat64() -> None:
    """The prefix is learnt from ipv4only.arpa. Then an IPv4 address is dialled behind it, and an
    answer under a local prefix is no bogon."""
    network = ScriptedNetwork(families=("ipv6",))
    resolver = network.resolver(RESOLVER)
    prefix = "fd00:64::"
    resolver.answers("ipv4only.arpa", "AAAA", DnsReply(addresses=(f"{prefix}c000:aa",)))
    resolver.answers("x.com", "AAAA", DnsReply(addresses=(f"{prefix}cb00:710a",)))
    network.peer(f"{prefix}cb00:710a", 443, WEB)
    one = prober(network)
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    bogon = await one.measure(target)
    assert {o.failure for o in seen(bogon, DnsObservation) if o.rtype == "AAAA"} == {
        "dns_bogon_error"
    }
    assert await one.learn_nat64(alone=True) == ("fd00:64::/96",)
    assert (await one.measure(target)).reached
    by_address = replaced(target, endpoint=parse_endpoint(f"tcp://{V4}:443"))
    literal = await one.measure(by_address)
    assert [o.address for o in seen(literal, TcpObservation)] == [f"{prefix}cb00:710a"]
    assert literal.reached
    assert network.left_open == 0


async def test_a_resolver_over_https_is_reached_through_a_learnt_nat64() -> None:
    """Its address may be IPv4, and the answer for its name may be made up, like any other."""
    prefix = "64:ff9b:1::"
    for url in (DOH_URL, f"https://{DOH_ADDRESS}/dns-query"):
        network = ScriptedNetwork(families=("ipv6",))
        resolver = network.resolver(RESOLVER)
        resolver.answers("ipv4only.arpa", "AAAA", DnsReply(addresses=(f"{prefix}c000:aa",)))
        resolver.answers("dns.example", "AAAA", DnsReply(addresses=(f"{prefix}cb00:7135",)))
        network.peer(f"{prefix}cb00:7135", 443, doh_says(DnsReply(addresses=(V4,)), DnsReply()))
        network.peer(f"{prefix}cb00:710a", 443, WEB)
        one = prober(network, resolver=Resolver(url=url))
        target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
        assert not (await one.measure(target)).reached
        assert await one.learn_nat64(alone=True) == ("64:ff9b:1::/96",)
        assert (await one.measure(target)).reached, url


async def test_a_nat64_is_learnt_from_the_resolver_that_answers() -> None:
    """The first resolver may be dead, and the other one gives every made-up address. Each of them
    was taken for a lie: the prefix was asked of the first alone."""
    network = ScriptedNetwork(families=("ipv6",))
    network.resolver(RESOLVER).stays_silent("ipv4only.arpa").stays_silent("x.com")
    prefix, other = "64:ff9b:1::", "192.0.2.54"
    answers = network.resolver(other).answers
    answers("ipv4only.arpa", "AAAA", DnsReply(addresses=(f"{prefix}c000:aa",)))
    answers("x.com", "AAAA", DnsReply(addresses=(f"{prefix}cb00:710a",)))
    network.peer(f"{prefix}cb00:710a", 443, WEB)
    one = prober(network, resolvers=(RESOLVER, other))
    assert await one.learn_nat64(alone=True) == ("64:ff9b:1::/96",)
    target = Target(platform="x", function="web", endpoint=parse_endpoint(X))
    assert (await one.measure(target)).reached


async def test_a_nat64_is_not_forgotten_over_lost_questions() -> None:
    """Where no resolver answers this time, the network may well be the same."""
    network = ScriptedNetwork(families=("ipv6",))
    answers = network.resolver(RESOLVER).answers
    answers("ipv4only.arpa", "AAAA", DnsReply(addresses=("64:ff9b:1::c000:aa",)))
    one = prober(network)
    assert await one.learn_nat64(alone=True) == ("64:ff9b:1::/96",)
    network.resolver(RESOLVER).stays_silent("ipv4only.arpa")
    assert await one.learn_nat64(alone=True) == ("64:ff9b:1::/96",)
    # An answer without a prefix counts: it is another network.
    network = ScriptedNetwork(families=("ipv6",))
    network.resolver(RESOLVER).answers("ipv4only.arpa", "AAAA", DnsReply())
    one.network = network
    assert await one.learn_nat64(alone=True) == ()


async def test_a_nat64_prefix_beside_our_own_address_is_withheld() -> None:
    """A prefix inside the vantage's own network is withheld."""
    network = ScriptedNetwork(own={"ipv4": "2001:db8:64:1::7"})
    network.resolver(RESOLVER).answers(
        "ipv4only.arpa", "AAAA", DnsReply(addresses=("2001:db8:64:ff::c000:aa",))
    )
    assert await prober(network).learn_nat64(alone=True) == ("withheld",)
