"""One client of the exit: its login, and where it wants to go, by SOCKS5 or HTTP CONNECT.

RFC 1928 and 1929, and RFC 9110 section 9.3.6. Which of the two it speaks shows in its first byte.
"""

import asyncio
import base64
import ipaddress
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from enum import Enum

import h11
import msgspec

from probes.catalog.endpoint_text import split_host_port

WRONG = 1.0
"""Seconds until a wrong password is answered."""
_VERSION, _LOGIN, _CONNECT = 5, 2, 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_MOST_HEADERS = 8 * 1024
_HTTPS = 443

Login = Callable[[str, str], bool]
"""Whether user and password are right."""


class Outcome(Enum):
    """What became of a request: the code of SOCKS5, and the status of HTTP."""

    OPEN = (0, 200)
    FAILED = (1, 502)
    NOT_ADMITTED = (2, 403)
    NETWORK_UNREACHABLE = (3, 502)
    HOST_UNREACHABLE = (4, 502)
    REFUSED = (5, 502)
    SILENT = (6, 504)


class TurnedAwayError(Exception):
    """No request to answer: a wrong password, or another protocol. It has its answer, if any."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client wants to go, once it has logged in."""

    host: str
    """Lower case, without a final dot."""
    port: int
    socks: bool

    def answer(self, outcome: Outcome) -> bytes:
        """As its protocol has it."""
        code, status = outcome.value
        if self.socks:
            return bytes([_VERSION, code, 0, _IPV4, 0, 0, 0, 0, 0, 0])
        return f"HTTP/1.1 {status} {outcome.name.title()}\r\n\r\n".encode()


async def read_wanted(reader: StreamReader, writer: StreamWriter, login: Login) -> Wanted:
    """What the client asks for. Raises TurnedAwayError, EOFError or OSError."""
    first = await reader.readexactly(1)
    if first[0] == _VERSION:
        return await _socks(reader, writer, login)
    return await _http(first, reader, writer, login)


async def _socks(reader: StreamReader, writer: StreamWriter, login: Login) -> Wanted:
    methods = await _counted(reader)
    if _LOGIN not in methods:
        writer.write(bytes([_VERSION, 0xFF]))
        raise TurnedAwayError
    writer.write(bytes([_VERSION, _LOGIN]))
    await reader.readexactly(1)
    user, password = await _counted(reader), await _counted(reader)
    if not login(user.decode("utf-8", "replace"), password.decode("utf-8", "replace")):
        await asyncio.sleep(WRONG)
        writer.write(b"\x01\x01")
        raise TurnedAwayError
    writer.write(b"\x01\x00")
    version, command, _, kind = await reader.readexactly(4)
    if version != _VERSION or kind not in (_IPV4, _NAME, _IPV6):
        raise TurnedAwayError
    if kind == _NAME:
        host = (await _counted(reader)).decode("ascii", "replace")
    else:
        host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == _IPV4 else 16)))
    port = int.from_bytes(await reader.readexactly(2), "big")
    if command != _CONNECT:
        writer.write(bytes([_VERSION, 7, 0, _IPV4, 0, 0, 0, 0, 0, 0]))
        raise TurnedAwayError
    return Wanted(host=_plain(host), port=port, socks=True)


async def _counted(reader: StreamReader) -> bytes:
    """Bytes whose number stands before them."""
    (count,) = await reader.readexactly(1)
    return await reader.readexactly(count)


async def _http(first: bytes, reader: StreamReader, writer: StreamWriter, login: Login) -> Wanted:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEADERS)
    connection.receive_data(first)
    try:
        while (event := connection.next_event()) is h11.NEED_DATA:
            # Byte by byte would be right; until it is answered, no client sends more than this.
            data = await reader.read(_MOST_HEADERS)
            if not data:
                raise TurnedAwayError
            connection.receive_data(data)
        if not isinstance(event, h11.Request) or event.method != b"CONNECT":
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: CONNECT\r\n\r\n")
            raise TurnedAwayError
        host, port = split_host_port(event.target.decode("ascii"), _HTTPS)
    except (h11.RemoteProtocolError, ValueError):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        raise TurnedAwayError from None
    if not login(*_basic(dict(event.headers).get(b"proxy-authorization", b""))):
        await asyncio.sleep(WRONG)
        writer.write(
            b"HTTP/1.1 407 Proxy Authentication Required\r\n"
            b'Proxy-Authenticate: Basic realm="control"\r\n\r\n'
        )
        raise TurnedAwayError
    return Wanted(host=_plain(host), port=port, socks=False)


def _basic(value: bytes) -> tuple[str, str]:
    """User and password of RFC 7617; empty where there are none."""
    scheme, _, token = value.partition(b" ")
    try:
        text = base64.b64decode(token, validate=True).decode("utf-8")
    except ValueError:
        text = ""
    user, _, password = text.partition(":") if scheme.lower() == b"basic" else ("", "", "")
    return user, password


def _plain(host: str) -> str:
    return host.rstrip(".").lower()
