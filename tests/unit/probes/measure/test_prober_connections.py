"""What a prober connects to, and how far, on a scripted network."""

import errno

import pytest

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.line_pace import FEWEST
from probes.measurement import DnsObservation, HttpObservation, TcpObservation, TlsObservation
from probes.target import Target
from probes.testing import (
    HANG,
    Peer,
    ScriptedNetwork,
    VirtualClockLoop,
    bad_certificate,
    closed_by_peer,
    os_error,
    refused,
    reset_by_peer,
    tls_alert,
)
from tests.unit.probes.measure.scripted_prober import (
    FAST,
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
