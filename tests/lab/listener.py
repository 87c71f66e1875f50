"""A listening address that can be open, closed, or silent; over TCP, and for datagrams."""

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
_DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0), 8)


class Listener:
    """One address and port."""

    def __init__(self, address: str, port: int, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._where = (address, port)
        self._protocol = protocol
        self._server: asyncio.Server | None = None
        self._socket: socket.socket | None = None

    async def open(self) -> None:
        """Accept connections; also ends silence."""
        if self._server is not None:
            assert self._socket is not None
            _unsilence(self._socket)
            return
        family = socket.AF_INET6 if ":" in self._where[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(self._where)
        self._socket.setblocking(False)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=self._socket, backlog=128)

    def refuse(self) -> None:
        """Answer connections with a reset."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def silence(self) -> None:
        """Answer nothing at all, as if the machine were gone."""
        if self._socket is not None and self._server is not None:
            silence(self._socket)


Receive = Callable[["Datagrams", bytes, Any], None]
"""What takes a datagram: where it came to, what it holds, and the sender's address."""


class Datagrams(asyncio.DatagramProtocol):
    """One address and port for datagrams."""

    def __init__(self, address: str, port: int, receive: Receive) -> None:
        self._where = (address, port)
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        """Take datagrams; also ends silence."""
        if self._transport is not None:
            _unsilence(self._transport.get_extra_info("socket"))
            return
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=self._where)

    def refuse(self) -> None:
        """Close, so that the machine says that nobody listens."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def silence(self) -> None:
        """Take nothing at all, as if the machine were gone."""
        if self._transport is not None:
            silence(self._transport.get_extra_info("socket"))

    def send(self, data: bytes, to: Any) -> None:
        """Send from this address; nothing happens once it is closed."""
        if self._transport is not None:
            self._transport.sendto(data, to)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open now."""
        # The loop's own class is no subclass of DatagramTransport before Python 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Hand it on."""
        self._receive(self, data, addr)


def _unsilence(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # there is no filter to take off
        sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def silence(sock: socket.socket) -> None:
    """Let the kernel drop whatever arrives for a socket."""
    program = struct.pack("HP", 1, ctypes.addressof(_DROP_ALL))
    with contextlib.suppress(OSError):  # it was closed meanwhile
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a reset."""
    sock = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
