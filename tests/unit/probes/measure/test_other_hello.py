"""A second greeting to the same endpoint: in another form after one that worked, in small packets
after silence."""

from datetime import UTC, datetime

import pytest

from probes.catalog.endpoint_text import parse_endpoint
from probes.layers.http import HttpClient
from probes.measure.follow_up_reasons import Reason
from probes.measure.prober import Prober
from probes.measure.small_segments import SMALL_SEGMENT
from probes.measurement import Hello, Layer, Measurement, TlsObservation
from probes.settings import ProbeSettings
from probes.sockets.network import TlsFacts
from probes.sockets.system_resolvers import ResolverAddress
from probes.target import Target
from probes.testing import (
    HANG,
    TLS_1_3,
    DnsReply,
    Hang,
    Peer,
    ScriptedNetwork,
    VirtualClockLoop,
    reset_by_peer,
)
from probes.vantage import Egress, EgressKind, VantagePoint

LOOP = VirtualClockLoop
RESOLVER, SITE, PROXY = "192.0.2.53", "203.0.113.10", "192.0.2.1"
SITE_V6 = "2001:db8:113::10"
SETTINGS = ProbeSettings(
    innocuous="innocuous.example", bogon_allow=("203.0.113.0/24", "2001:db8:113::/48")
)
SOCKS = (b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6))


async def measured(
    peer: Peer,
    *over_ipv6: Peer,
    egress: Egress | None = None,
    segments: list[int] | None = None,
) -> Measurement:
    """x.com, greeted again as it allows, at a site like this; nothing is left open. `segments` gets
    what each connection to it asked for."""
    network = ScriptedNetwork(families=("ipv4", "ipv6") if over_ipv6 else ("ipv4",))
    network.resolver(RESOLVER).answers("x.com", "AAAA", DnsReply(addresses=(SITE_V6,)))
    network.peer(SITE_V6, 443, *over_ipv6 or (Peer(),))
    if segments is not None:
        network.segments[SITE, 443] = segments
    network.resolver(RESOLVER).answers("x.com", "A", DnsReply(addresses=(SITE,)))
    network.peer(SITE, 443, peer)
    network.peer(PROXY, 1080, Peer(replies=SOCKS))
    prober = Prober(
        VantagePoint(id="khi-ptcl", country="PK", egress=egress or Egress()),
        network,
        SETTINGS,
        HttpClient(),
        resolvers=lambda: [ResolverAddress(address=RESOLVER)],
        now=lambda: datetime(2024, 2, 17, 12, tzinfo=UTC),
    )
    target = Target(platform="x", function="web", endpoint=parse_endpoint("tls://x.com"))
    measurement = await prober.measure(target, otherwise=True, smaller=True)
    assert network.left_open == 0
    return measurement


def greetings(measurement: Measurement) -> list[tuple[str, str, Hello, str | None]]:
    """Reason, name, form and failure of each handshake, in order."""
    return [
        (o.reason, o.server_name, o.hello, o.failure)
        for o in measurement.observations
        if isinstance(o, TlsObservation)
    ]


async def test_the_other_form_is_greeted_once_where_it_works() -> None:
    """One handshake more, which is no observation of the measurement itself."""
    measurement = await measured(Peer())
    assert greetings(measurement) == [
        ("", "x.com", Hello.USUAL, None),
        (Reason.OTHER_HELLO, "x.com", Hello.SHORT, None),
    ]
    assert measurement.reached
    assert len(measurement.of(Layer.TLS)) == len(measurement.of(Layer.TCP)) == 1


@pytest.mark.parametrize(
    ("short", "failure"),
    [(reset_by_peer(), "connection_reset"), (HANG, "generic_timeout_error")],
)
async def test_where_it_is_cut_off_an_innocuous_name_tells_whether_the_server_takes_it(
    short: object, failure: str
) -> None:
    """The endpoint stays reached: the usual form worked."""
    peer = Peer(short={"x.com": short, "innocuous.example": TLS_1_3})  # type: ignore[dict-item]
    measurement = await measured(peer)
    assert greetings(measurement)[1:] == [
        (Reason.OTHER_HELLO, "x.com", Hello.SHORT, failure),
        (Reason.OTHER_HELLO_INNOCUOUS, "innocuous.example", Hello.SHORT, None),
    ]
    assert measurement.reached


async def test_a_family_that_fails_meanwhile_is_told_by_the_measurement_itself() -> None:
    """On a lossy line the other greeting may take longer than a dropped connection."""
    slow = Peer(connect_delay=SETTINGS.tcp_timeout - 0.1)
    measurement = await measured(Peer(connect=HANG), Peer(), slow)
    (silent,) = (o for o in measurement.of(Layer.TCP) if o.failure)
    assert (silent.reason, silent.failure) == ("", "generic_timeout_error")
    assert [reason for reason, *_ in greetings(measurement)] == ["", Reason.OTHER_HELLO]


async def test_nothing_is_greeted_again_where_the_usual_form_failed() -> None:
    """Follow-ups ask that, once retries have shown that it lasts."""
    measurement = await measured(Peer(tls=reset_by_peer()))
    assert [reason for reason, *_ in greetings(measurement)] == [""]


@pytest.mark.parametrize("small", [TLS_1_3, HANG])
async def test_what_fell_silent_is_greeted_in_small_packets(small: TlsFacts | Hang) -> None:
    """The greeting fits into one packet, and the answer comes in several; that is no way in which
    anybody reaches it."""
    segments: list[int] = []
    measurement = await measured(Peer(tls=HANG, short={"x.com": small}), segments=segments)
    failure = None if small is TLS_1_3 else "generic_timeout_error"
    assert greetings(measurement) == [
        ("", "x.com", Hello.USUAL, "generic_timeout_error"),
        (Reason.SMALL_SEGMENTS, "x.com", Hello.SHORT, failure),
    ]
    assert segments == [0, SMALL_SEGMENT]
    assert not measurement.reached
    assert len(measurement.of(Layer.TLS)) == len(measurement.of(Layer.TCP)) == 1


@pytest.mark.parametrize("peer", [Peer(), Peer(tls=HANG)])
async def test_behind_a_proxy_nothing_is_greeted_again(peer: Peer) -> None:
    """The address is not known there."""
    egress = Egress(kind=EgressKind.SOCKS5, proxy_host=PROXY, proxy_port=1080)
    measurement = await measured(peer, egress=egress)
    assert [reason for reason, *_ in greetings(measurement)] == [""]
