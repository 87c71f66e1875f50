"""The lab's resolvers: one truth, told over UDP, TCP and HTTPS, unless one is told to lie."""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import Callable
from typing import Any, cast

from tests.lab import dns_wire
from tests.lab.overload import Overload


@dataclasses.dataclass
class Record:
    """What is known about one name."""

    addresses: tuple[str, ...]
    cname: str = ""
    rotate: int = 0
    """Addresses of each family per answer, the next ones every time; 0: always all."""
    _turns: dict[int, int] = dataclasses.field(default_factory=dict)

    def now(self, version: int) -> tuple[str, ...]:
        """Addresses of one IP version that this answer holds."""
        known = tuple(a for a in self.addresses if (":" in a) == (version == 6))
        if not self.rotate or not known:
            return known
        turn = self._turns[version] = self._turns.get(version, -1) + 1
        start = turn * self.rotate
        return tuple(known[(start + i) % len(known)] for i in range(min(self.rotate, len(known))))


class Names:
    """All names and every resolver's own deviations."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._told: dict[tuple[str, str], dict[str, Any]] = {}
        self._struggling: dict[str, Overload] = {}

    def know(self, name: str, record: Record) -> None:
        """The truth about a name."""
        self._records[name] = record

    def tell(self, resolver: str, name: str, lie: dict[str, Any] | None) -> None:
        """Make a resolver (empty: all of them) answer as `lie` says; None ends it.

        A lie has `how` (nxdomain, refused, servfail, empty, address, truncate, drop), and
        `addresses` for address.
        """
        if lie is None:
            self._told.pop((resolver, name), None)
        else:
            self._told[resolver, name] = lie

    def repent(self) -> None:
        """Every resolver tells the truth again, and at once."""
        self._told.clear()
        self._struggling.clear()

    def struggle(self, resolver: str, overload: Overload | None) -> None:
        """Give a resolver too much to do; None: no more."""
        if overload is None:
            self._struggling.pop(resolver, None)
        else:
            self._struggling[resolver] = overload

    def reply(self, message: bytes, resolver: str, send: Callable[[bytes], None]) -> None:
        """Answer a question that came by UDP, as soon as the resolver can, if it can."""
        overload = self._struggling.get(resolver)
        lost, late = overload.fate() if overload else ("", 0.0)
        reply = None if lost else self.answer(message, resolver)
        if reply is not None and late:
            asyncio.get_running_loop().call_later(late, send, reply)
        elif reply is not None:
            send(reply)

    def lookup(self, name: str, resolver: str = "") -> tuple[str, ...]:
        """Addresses of a name as that resolver would give them."""
        lie = self._lie(resolver, name)
        if lie is not None:
            return tuple(lie.get("addresses", ()))
        record = self._records.get(name)
        return (*record.now(4), *record.now(6)) if record else ()

    def answer(self, message: bytes, resolver: str, *, stream: bool = False) -> bytes | None:
        """The answer to a question, or None for silence."""
        try:
            query = dns_wire.parse_query(message)
        except dns_wire.MalformedError:
            return None
        lie = self._lie(resolver, query.name)
        if lie is None:
            return self._truth(query)
        how = lie["how"]
        if how == "drop":
            return None
        if how == "truncate":
            return self._truth(query) if stream else dns_wire.answer(query, truncated=True)
        if how == "address":
            return dns_wire.answer(query, addresses=tuple(lie["addresses"]))
        return dns_wire.answer(query, rcode=dns_wire.RCODES[how])

    def _lie(self, resolver: str, name: str) -> dict[str, Any] | None:
        return self._told.get((resolver, name)) or self._told.get(("", name))

    def _truth(self, query: dns_wire.Query) -> bytes:
        record = self._records.get(query.name)
        if record is None:
            return dns_wire.answer(query, rcode=dns_wire.NXDOMAIN)
        version = {dns_wire.A: 4, dns_wire.AAAA: 6}.get(query.qtype)
        addresses = record.now(version) if version else ()
        return dns_wire.answer(query, addresses=addresses, cname=record.cname)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, names: Names, resolver: str) -> None:
        self._names = names
        self._resolver = resolver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The loop's own class is no subclass of DatagramTransport before Python 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._names.reply(data, self._resolver, lambda reply: self._transport.sendto(reply, addr))


class _Tcp(asyncio.Protocol):
    def __init__(self, names: Names, resolver: str) -> None:
        self._names = names
        self._resolver = resolver
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= 2:
            size = int.from_bytes(self._rest[:2], "big")
            if len(self._rest) < 2 + size:
                return
            message, self._rest = self._rest[2 : 2 + size], self._rest[2 + size :]
            reply = self._names.answer(message, self._resolver, stream=True)
            if reply is not None:
                self._transport.write(len(reply).to_bytes(2, "big") + reply)


async def serve(names: Names, resolver: str) -> None:
    """Answer on port 53 of one address, over UDP and TCP, for as long as the loop runs."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(
        lambda: _Udp(names, resolver), sock=_bound(resolver, socket.SOCK_DGRAM)
    )
    await loop.create_server(
        lambda: _Tcp(names, resolver), sock=_bound(resolver, socket.SOCK_STREAM)
    )


def _bound(address: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind((address, 53))
    return sock
