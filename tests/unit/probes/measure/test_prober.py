"""One measurement on a scripted network: what is recorded, and that nothing is left open."""

import asyncio

import pytest

from probes.catalog.endpoint_text import parse_endpoint
from probes.measurement import (
    DnsObservation,
    HttpObservation,
    Purpose,
    TcpObservation,
    TlsObservation,
)
from probes.settings import ProbeSettings
from probes.target import Target
from probes.testing import HANG, Peer, VirtualClockLoop
from tests.unit.probes.measure.scripted_prober import (
    FAST,
    RESOLVER,
    V4,
    V6,
    WEB,
    X,
    measure,
    prober,
    replaced,
    scripted,
    seen,
)

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""


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
