"""What a prober sees through a proxy, and what it doesn't claim to."""

import pytest

from probes.measurement import (
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Layer,
    TcpObservation,
    TlsObservation,
)
from probes.testing import (
    HANG,
    DnsReply,
    Peer,
    PeerReply,
    ScriptedNetwork,
    VirtualClockLoop,
    bad_certificate,
    refused,
    reset_by_peer,
)
from probes.vantage import Egress, Resolver
from tests.unit.probes.measure.scripted_prober import (
    CONNECT,
    GRANTED,
    HELLO,
    PAGE,
    RESOLVER,
    SOCKS,
    V4,
    V6,
    dns_through_proxy,
    failures,
    measure,
    proxy,
    redirect,
    seen,
)

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""


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
