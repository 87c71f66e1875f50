"""How a prober resolves names, on a scripted network."""

import errno

import pytest

from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.follow_up_reasons import Reason
from probes.measure.resolution import RESOLVER_FALLBACK
from probes.measurement import DnsObservation, Layer
from probes.target import Dial, Target
from probes.testing import DnsReply, Peer, ScriptedNetwork, VirtualClockLoop, os_error, refused
from tests.unit.probes.measure.scripted_prober import (
    FAST,
    RESOLVER,
    SECOND,
    V4,
    V4_OTHER,
    V6,
    WEB,
    X,
    failures,
    measure,
    prober,
    replaced,
    scripted,
    seen,
)

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""


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
