"""Connections through a proxy, against real proxies on loopback."""

import asyncio
import base64
import ipaddress

import pytest

from probes.failure_strings import Failure
from probes.layers.socks5_and_http_connect import FarSideError, ProxyError, open_through
from probes.sockets.network import SocketStream, receive_exactly
from probes.vantage import Egress, EgressKind
from tests.worlds.loopback import (
    NAME,
    Conversation,
    Handler,
    honest_context,
    network,
    serving,
)

USER, PASSWORD = "khi", "s3cret:ü"
GRANTED = b"\x05\x00\x00\x01" + b"\0" * 6
Asked = list[tuple[str, int]]


def socks_proxy(
    asked: Asked, *, login: bool = False, reply: bytes = GRANTED, tls: bool = False
) -> Handler:
    """A SOCKS5 proxy that notes the request and then acts as the endpoint."""

    async def serve(peer: Conversation) -> None:
        version, count = await peer.exactly(2)
        methods = await peer.exactly(count)
        assert version == 5
        wanted = 2 if login else 0
        if wanted not in methods:
            await peer.send(b"\x05\xff")
            return
        await peer.send(bytes([5, wanted]))
        if login:
            assert (await peer.exactly(1)) == b"\x01"
            user = await peer.exactly((await peer.exactly(1))[0])
            password = await peer.exactly((await peer.exactly(1))[0])
            right = (user.decode(), password.decode()) == (USER, PASSWORD)
            await peer.send(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        assert await peer.exactly(3) == b"\x05\x01\x00"
        kind = (await peer.exactly(1))[0]
        if kind == 3:
            host = (await peer.exactly((await peer.exactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await peer.exactly({1: 4, 4: 16}[kind])))
        asked.append((host, int.from_bytes(await peer.exactly(2), "big")))
        await peer.send(reply)
        await endpoint(peer, tls)

    return serve


def connect_proxy(
    asked: list[bytes], reply: bytes = b"HTTP/1.1 200 OK\r\n\r\n", *, tls: bool = False
) -> Handler:
    """An HTTP proxy that notes the request and then acts as the endpoint."""

    async def serve(peer: Conversation) -> None:
        asked.append(await peer.request())
        await peer.send(reply)
        await endpoint(peer, tls)

    return serve


async def endpoint(peer: Conversation, tls: bool) -> None:
    """Answer any request with one word."""
    if tls:
        await peer.start_tls(honest_context())
    if await peer.receive():
        await peer.send(b"reached")


def egress(kind: EgressKind, port: int, *, user: str = "", password: str = "") -> Egress:
    """The egress through the proxy on this port."""
    return Egress(
        kind=kind, proxy_host="127.0.0.1", proxy_port=port, username=user, password=password
    )


async def opened(way: Egress, host: str = NAME, port: int = 443) -> SocketStream:
    """A stream through the proxy, closed if that fails."""
    stream = await network().connect(way.proxy_host, way.proxy_port)
    try:
        async with asyncio.timeout(0.5):
            await open_through(stream, way, host, port)
    except BaseException:
        stream.close()
        raise
    return stream


@pytest.mark.parametrize(
    "host",
    [NAME, "203.0.113.10", "2001:db8:113::10", "a" * 63 + ".example"],
)
@pytest.mark.parametrize("login", [False, True])
async def test_socks_asks_for_names_and_addresses(host: str, login: bool) -> None:
    """Names, IPv4 and IPv6 addresses reach the proxy unchanged, with or without a login."""
    asked: Asked = []
    async with serving(socks_proxy(asked, login=login)) as port:
        user, password = (USER, PASSWORD) if login else ("", "")
        way = egress(EgressKind.SOCKS5, port, user=user, password=password)
        stream = await opened(way, host, 8443)
        await stream.send(b"hello")
        assert await receive_exactly(stream, 7) == b"reached"
        stream.close()
    assert asked == [(host, 8443)]


async def test_a_login_that_is_not_asked_for_is_not_sent() -> None:
    """A proxy that needs no login never gets the password."""
    async with serving(socks_proxy([])) as port:
        way = egress(EgressKind.SOCKS5, port, user=USER, password=PASSWORD)
        (await opened(way)).close()


@pytest.mark.parametrize("kind", [EgressKind.SOCKS5, EgressKind.CONNECT])
async def test_tls_goes_end_to_end(kind: EgressKind) -> None:
    """After the proxy's answer every byte of the stream is the endpoint's, including TLS."""
    handler = (
        socks_proxy([], tls=True) if kind is EgressKind.SOCKS5 else connect_proxy([], tls=True)
    )
    async with serving(handler) as port:
        stream = await opened(egress(kind, port))
        await stream.start_tls(NAME, verify=True)
        await stream.send(b"hello")
        assert await receive_exactly(stream, 7) == b"reached"
        stream.close()


@pytest.mark.parametrize(
    "bound",
    [
        b"\x05\x00\x00\x01" + b"\0" * 6,
        b"\x05\x00\x00\x04" + b"\0" * 18,
        b"\x05\x00\x00\x03\x05proxy\x00\x00",
    ],
)
async def test_however_the_proxy_names_itself(bound: bytes) -> None:
    """The address in a proxy's answer may be of any kind; none of it leaks into the stream."""
    async with serving(socks_proxy([], reply=bound)) as port:
        stream = await opened(egress(EgressKind.SOCKS5, port))
        await stream.send(b"hello")
        assert await receive_exactly(stream, 7) == b"reached"
        stream.close()


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (1, "unknown_failure: proxy: general failure"),
        (2, Failure.PERMISSION_DENIED),
        (3, Failure.NETWORK_UNREACHABLE),
        (4, Failure.HOST_UNREACHABLE),
        (5, Failure.CONNECTION_REFUSED),
        (6, Failure.GENERIC_TIMEOUT),
        (7, "unknown_failure: proxy: command not supported"),
        (8, Failure.ADDRESS_FAMILY_NOT_SUPPORTED),
        (99, "unknown_failure: proxy: code 99"),
    ],
)
async def test_every_socks_code_is_the_far_sides(code: int, failure: str) -> None:
    """Each reply code of the proxy becomes a failure of the endpoint."""
    reply = bytes([5, code]) + GRANTED[2:]
    async with serving(socks_proxy([], reply=reply)) as port:
        with pytest.raises(FarSideError) as caught:
            await opened(egress(EgressKind.SOCKS5, port))
    assert caught.value.failure == failure


def saying(*replies: bytes, hang: bool = False) -> Handler:
    """A proxy that answers each message with the next of these, then closes."""

    async def serve(peer: Conversation) -> None:
        for reply in replies:
            await peer.receive()
            await peer.send(reply)
        if hang:
            await peer.receive()
            await peer.receive()

    return serve


@pytest.mark.parametrize(
    ("handler", "user"),
    [
        pytest.param(socks_proxy([], login=True), "", id="wants a login we do not have"),
        pytest.param(socks_proxy([], login=True), "wrong", id="refuses the login"),
        pytest.param(saying(b"\x05\x01"), USER, id="picks a method we did not offer"),
        pytest.param(saying(b"\x05\x02"), "", id="wants a login we did not offer"),
        pytest.param(saying(b"\x04\x5a"), "", id="speaks SOCKS4"),
        pytest.param(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "", id="speaks HTTP"),
        pytest.param(saying(b"\x05\x00", b"\x01\x00\x00\x01"), "", id="answers nonsense"),
        pytest.param(saying(b"\x05\x00", b"\x05\x00\x00\x09"), "", id="answers of an odd kind"),
        pytest.param(saying(b"\x05\x00", b"\x05\x00"), "", id="hangs up in its answer"),
        pytest.param(saying(b"\x05"), "", id="hangs up at once"),
    ],
)
async def test_a_socks_proxy_that_refuses_us_is_at_fault_itself(
    handler: Handler, user: str
) -> None:
    """A failure of the proxy is never reported as a failure of the endpoint."""
    async with serving(handler) as port:
        way = egress(EgressKind.SOCKS5, port, user=user, password="x" if user else "")
        with pytest.raises(ProxyError) as caught:
            await opened(way)
    assert "x.com" not in str(caught.value)


async def test_no_error_repeats_the_password() -> None:
    """The representation for records and logs holds no credential."""
    word = "hunter2"
    async with serving(socks_proxy([], login=True)) as port:
        way = egress(EgressKind.SOCKS5, port, user="khi", password=word)
        with pytest.raises(ProxyError) as caught:
            await opened(way)
    assert word not in f"{caught.value!r} {way!r}"


@pytest.mark.parametrize(
    ("host", "target"),
    [
        (NAME, "x.com:443"),
        ("203.0.113.10", "203.0.113.10:443"),
        ("2001:db8::10", "[2001:db8::10]:443"),
    ],
)
async def test_connect_asks_for_names_and_addresses(host: str, target: str) -> None:
    """A CONNECT names host and port, with brackets for IPv6, and logs in if configured."""
    asked: list[bytes] = []
    async with serving(connect_proxy(asked)) as port:
        way = egress(EgressKind.CONNECT, port, user=USER, password=PASSWORD)
        (await opened(way, host)).close()
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == f"CONNECT {target} HTTP/1.1"
    assert f"Host: {target}" in lines
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert f"Proxy-Authorization: Basic {token}" in lines


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.0 200 Connection established\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nProxy-Agent: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ],
)
async def test_any_success_of_connect_opens_the_tunnel(reply: bytes) -> None:
    """Every 2xx opens the tunnel, whatever headers or interim answers precede it."""
    async with serving(connect_proxy([], reply)) as port:
        stream = await opened(egress(EgressKind.CONNECT, port))
        await stream.send(b"hello")
        assert await receive_exactly(stream, 7) == b"reached"
        stream.close()


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        ("502 Bad Gateway", "unknown_failure: proxy: status 502"),
        ("503 Service Unavailable", "unknown_failure: proxy: status 503"),
        ("504 Gateway Timeout", Failure.GENERIC_TIMEOUT),
        ("404 Not Found", "unknown_failure: proxy: status 404"),
    ],
)
async def test_what_connect_says_of_the_far_side(status: str, failure: str) -> None:
    """A gateway error is a failure of the endpoint, as the proxy reports it."""
    async with serving(connect_proxy([], f"HTTP/1.1 {status}\r\n\r\n".encode())) as port:
        with pytest.raises(FarSideError) as caught:
            await opened(egress(EgressKind.CONNECT, port))
    assert caught.value.failure == failure


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 100_000,
    ],
    ids=lambda reply: repr(reply[:20]),
)
async def test_a_connect_proxy_that_refuses_us_is_at_fault_itself(reply: bytes) -> None:
    """A refused login, another protocol or half an answer is a failure of the proxy."""
    async with serving(saying(reply)) as port:
        with pytest.raises(ProxyError):
            await opened(egress(EgressKind.CONNECT, port))


@pytest.mark.parametrize("kind", [EgressKind.SOCKS5, EgressKind.CONNECT])
async def test_a_proxy_that_resets_or_hangs_shows_as_such(kind: EgressKind) -> None:
    """A reset by the proxy is an OSError, and its silence ends with our own deadline."""

    async def cut(peer: Conversation) -> None:
        await peer.receive()
        peer.reset()

    async with serving(cut) as port:
        with pytest.raises(ConnectionResetError):
            await opened(egress(kind, port))
    async with serving(saying(b"", hang=True)) as port:
        with pytest.raises(TimeoutError):
            await opened(egress(kind, port))
