"""What a prober asks of sites, and what it keeps of their answers, on a scripted network."""

import asyncio
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.budget.bytes_used import bytes_of
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measure.redirect_chain import MAX_REDIRECTS
from probes.measurement import (
    DnsObservation,
    HttpObservation,
    Measurement,
    Observation,
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
    refused,
    reset_by_peer,
)
from tests.unit.probes.measure.scripted_prober import (
    CONNECT,
    FAST,
    PAGE,
    RESOLVER,
    V4,
    V4_OTHER,
    WEB,
    failures,
    measure,
    redirect,
    replaced,
    scripted,
    seen,
)

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""


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
