"""DNS answers that come late or never."""

import asyncio

import pytest

from monitor.analysis.measurement_summary import summarise
from probes.layers.dns import RESOLUTION_DELAY
from probes.measurement import LATE_ANSWER, DnsObservation, HttpObservation, TcpObservation
from probes.testing import (
    HANG,
    DnsReply,
    Hang,
    Peer,
    ScriptedNetwork,
    VirtualClockLoop,
    reset_by_peer,
)
from tests.unit.probes.measure.scripted_prober import (
    FAST,
    RESOLVER,
    V4,
    V6,
    WEB,
    measure,
    replaced,
    scripted,
    seen,
)

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""

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
