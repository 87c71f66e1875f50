"""Connections through a proxy: SOCKS5 (RFC 1928, 1929), HTTP CONNECT (RFC 9110 section 9.3.6), each
also inside TLS.

A failure that the proxy reports about the endpoint (FarSideError) is kept apart from a failure of
the proxy itself (ProxyError). Only the former can say something about an endpoint, and even that
is hearsay.
"""

import base64
import ipaddress

import h11

from probes.failure_strings import Failure, unknown_failure
from probes.sockets.failure_mapping import MalformedReplyError, PeerClosedError, ReportedError
from probes.sockets.network import Stream, chain_digest, receive_exactly
from probes.vantage import Egress, EgressKind

_SOCKS_VERSION = 5
_NO_AUTH, _USER_PASS = 0x00, 0x02
_IPV4, _NAME, _IPV6 = 0x01, 0x03, 0x04
_SOCKS_REPLIES = {
    0x01: ("general failure", unknown_failure("proxy: general failure")),
    0x02: ("not allowed by ruleset", Failure.PERMISSION_DENIED),
    0x03: ("network unreachable", Failure.NETWORK_UNREACHABLE),
    0x04: ("host unreachable", Failure.HOST_UNREACHABLE),
    0x05: ("connection refused", Failure.CONNECTION_REFUSED),
    0x06: ("TTL expired", Failure.GENERIC_TIMEOUT),
    0x07: ("command not supported", unknown_failure("proxy: command not supported")),
    0x08: ("address type not supported", Failure.ADDRESS_FAMILY_NOT_SUPPORTED),
}
_GATEWAY_TIMEOUT = 504


class ProxyError(Exception):
    """The proxy itself refused us or broke its protocol."""


class FarSideError(ReportedError):
    """The proxy reports that it could not reach the endpoint."""


async def open_through(stream: Stream, egress: Egress, host: str, port: int) -> None:
    """Ask the proxy at the other end of `stream` to connect to `host`, a name or an address.

    Raises ProxyError, FarSideError, or as the stream does.
    """
    try:
        if egress.kind is EgressKind.SOCKS5:
            await _socks5(stream, egress, host, port)
        else:
            await _connect(stream, egress, host, port)
    except (PeerClosedError, MalformedReplyError) as error:
        raise ProxyError("the proxy hung up or spoke another protocol") from error


async def secure(stream: Stream, egress: Egress) -> None:
    """Encrypt the connection to the proxy, before it is sent a password.

    Raises ProxyError where it shows another certificate than the pinned one, or as the stream does.
    """
    await stream.start_tls(egress.proxy_host, verify=not egress.proxy_pin)
    shown = stream.peer_chain()[:1]
    if egress.proxy_pin and chain_digest(shown) != egress.proxy_pin:
        raise ProxyError("the proxy shows another certificate than the one in the configuration")


async def _socks5(stream: Stream, egress: Egress, host: str, port: int) -> None:
    methods = bytes([_NO_AUTH, _USER_PASS]) if egress.username else bytes([_NO_AUTH])
    await stream.send(bytes([_SOCKS_VERSION, len(methods)]) + methods)
    version, method = await receive_exactly(stream, 2)
    _check_version(version)
    if method not in methods:
        raise ProxyError("the proxy accepts none of our ways to log in")
    if method == _USER_PASS:
        user, password = egress.username.encode(), egress.password.encode()
        await stream.send(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if (await receive_exactly(stream, 2))[1] != 0:
            raise ProxyError("the proxy refused user name and password")
    await stream.send(b"\x05\x01\x00" + _socks_address(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = await receive_exactly(stream, 4)
    _check_version(version)
    if reply != 0:
        words, failure = _SOCKS_REPLIES.get(
            reply, (f"code {reply}", unknown_failure(f"proxy: code {reply}"))
        )
        raise FarSideError(words, failure)
    if kind not in (_IPV4, _IPV6, _NAME):
        raise ProxyError("the proxy's answer is not SOCKS5")
    length = {_IPV4: 4, _IPV6: 16}.get(kind)
    if length is None:
        length = (await receive_exactly(stream, 1))[0]
    await receive_exactly(stream, length + 2)


def _check_version(version: int) -> None:
    if version != _SOCKS_VERSION:
        raise ProxyError("the proxy does not speak SOCKS5")


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed


async def _connect(stream: Stream, egress: Egress, host: str, port: int) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", target)]
    if egress.username:
        token = base64.b64encode(f"{egress.username}:{egress.password}".encode()).decode()
        headers.append(("Proxy-Authorization", f"Basic {token}"))
    connection = h11.Connection(h11.CLIENT)
    await stream.send(
        connection.send(h11.Request(method="CONNECT", target=target, headers=headers)) or b""
    )
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                # A proxy sends nothing after its answer until we send, so a read of more than one
                # byte cannot swallow the endpoint's bytes.
                connection.receive_data(await _received(stream))
            elif isinstance(event, h11.Response):
                break
    except h11.RemoteProtocolError as error:
        raise ProxyError("the proxy's answer is not HTTP") from error
    if 200 <= event.status_code < 300:
        return
    words = f"status {event.status_code}"
    if event.status_code in (401, 403, 407):
        raise ProxyError(f"the proxy refused us with {words}")
    if event.status_code == _GATEWAY_TIMEOUT:
        raise FarSideError(words, Failure.GENERIC_TIMEOUT)
    raise FarSideError(words, unknown_failure(f"proxy: {words}"))


async def _received(stream: Stream) -> bytes:
    data = await stream.receive(4096)
    if not data:
        raise PeerClosedError
    return data
