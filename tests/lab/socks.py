"""The controls: SOCKS5 proxies with a password (RFC 1928, RFC 1929) in an uncensored network."""

import asyncio
import contextlib
import dataclasses
import errno
import ipaddress
import socket
from typing import Any

from tests.lab import listener
from tests.lab.listener import Listener
from tests.lab.name_server import Names

GRANTED, FAILURE, UNREACHABLE_NET, UNREACHABLE_HOST, REFUSED, EXPIRED = 0, 1, 3, 4, 5, 6
REPLIES = {
    errno.ECONNREFUSED: REFUSED,
    errno.EHOSTUNREACH: UNREACHABLE_HOST,
    errno.ENETUNREACH: UNREACHABLE_NET,
    errno.ETIMEDOUT: EXPIRED,
}
PATIENCE = 10.0
"""Seconds until a connection attempt is given up."""


class MachineNames:
    """What the machine's own resolver answers."""

    def lookup(self, name: str, _: str) -> tuple[str, ...]:
        """IPv4 addresses; none for a name that it does not know."""
        with contextlib.suppress(OSError):
            found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
            return tuple(str(one[4][0]) for one in found)
        return ()


@dataclasses.dataclass
class Control:
    """One proxy. `troubles` maps a host name or address to what goes wrong with it there."""

    names: "Names | MachineNames"
    address4: str
    address6: str
    port: int
    username: str
    password: str
    resolver: str
    """Which resolver's answers it believes."""
    troubles: dict[str, str] = dataclasses.field(default_factory=dict)
    """refused, unreachable, silent (never answers), reset (after the client's first bytes), hello
    (the same where these name the host)."""
    visits: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    listens: str = ""
    """Address that it listens at, where that is not the one it goes out by."""

    def __post_init__(self) -> None:
        self._live: set[asyncio.StreamWriter] = set()
        self._listener = Listener(self.listens or self.address4, self.port, self._protocol)

    async def open(self) -> None:
        """Serve."""
        await self._listener.open()

    def kill(self, how: str) -> None:
        """Stop: `refuse` resets everything, `silence` goes quiet."""
        if how == "refuse":
            self._listener.refuse()
        else:
            self._listener.silence()
        for writer in list(self._live):
            if how == "refuse":
                listener.reset(writer.transport)  # type: ignore[arg-type]
            else:
                listener.silence(writer.get_extra_info("socket"))

    def _protocol(self) -> asyncio.Protocol:
        reader = asyncio.StreamReader()
        return asyncio.StreamReaderProtocol(reader, self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._live.add(writer)
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            # Python 3.11 complains of a connection that is cancelled when the worker ends.
            pass
        finally:
            self._live.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._greeted(reader, writer):
            return
        host, port = await _asked(reader)
        self.visits.append({"host": host, "port": port})
        trouble = self.troubles.get(host, "")
        if trouble == "silent":
            await reader.read()
            return
        if trouble in ("refused", "unreachable"):
            _reply(writer, REFUSED if trouble == "refused" else UNREACHABLE_HOST)
            return
        try:
            far_reader, far_writer = await asyncio.wait_for(self._dial(host, port), PATIENCE)
        except TimeoutError:
            _reply(writer, EXPIRED)
            return
        except OSError as error:
            _reply(writer, REPLIES.get(error.errno or 0, FAILURE))
            return
        _reply(writer, GRANTED)
        if trouble == "reset":
            await reader.read(1)
            listener.reset(writer.transport)  # type: ignore[arg-type]
            far_writer.close()
            return
        self._live.add(far_writer)
        try:
            if trouble == "hello":
                first = await reader.read(65536)
                if host.encode() in first:
                    listener.reset(writer.transport)  # type: ignore[arg-type]
                    return
                far_writer.write(first)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            self._live.discard(far_writer)
            far_writer.close()

    async def _greeted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if version != 5 or 2 not in methods:
            writer.write(b"\x05\xff")
            return False
        writer.write(b"\x05\x02")
        await reader.readexactly(1)
        username = await _counted(reader)
        password = await _counted(reader)
        right = (username, password) == (self.username.encode(), self.password.encode())
        writer.write(b"\x01\x00" if right else b"\x01\x01")
        return right

    async def _dial(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        addresses = self._addresses(host)
        if not addresses:
            raise OSError(errno.EHOSTUNREACH, "name not known")
        error: OSError | None = None
        for address in addresses:
            here = self.address6 if ":" in address else self.address4
            try:
                return await asyncio.open_connection(address, port, local_addr=(here, 0))
            except OSError as failed:
                error = failed
        assert error is not None
        raise error

    def _addresses(self, host: str) -> tuple[str, ...]:
        try:
            return (str(ipaddress.ip_address(host)),)
        except ValueError:
            return self.names.lookup(host.lower().rstrip("."), self.resolver)


async def _asked(reader: asyncio.StreamReader) -> tuple[str, int]:
    version, command, _, kind = await reader.readexactly(4)
    if version != 5 or command != 1:
        raise ValueError("only CONNECT")
    if kind == 3:
        host = (await _counted(reader)).decode("ascii")
    elif kind == 1:
        host = socket.inet_ntop(socket.AF_INET, await reader.readexactly(4))
    elif kind == 4:
        host = socket.inet_ntop(socket.AF_INET6, await reader.readexactly(16))
    else:
        raise ValueError("unknown address type")
    return host, int.from_bytes(await reader.readexactly(2), "big")


async def _counted(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly((await reader.readexactly(1))[0])


def _reply(writer: asyncio.StreamWriter, code: int) -> None:
    writer.write(bytes([5, code, 0, 1]) + bytes(6))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way; an end is passed on as an end, a reset as a reset."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
    except ConnectionResetError:
        listener.reset(writer.transport)  # type: ignore[arg-type]
