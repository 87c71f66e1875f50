"""Addresses that a control tries besides those that the name leads to."""

from monitor.analysis.measurement_summary import summarise
from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Measurement, TlsObservation
from probes.target import Dial, Target
from probes.testing import Peer, ScriptedNetwork, VirtualClockLoop, reset_by_peer
from probes.vantage import Egress
from tests.unit.probes.measure.scripted_prober import (
    PAGE,
    SOCKS,
    V4,
    V4_OTHER,
    WEB,
    X,
    prober,
    proxy,
    scripted,
    seen,
)

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""


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
