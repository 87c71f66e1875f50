"""The exit itself: TLS in front, a login, the catalogue's hosts by name, and limits on everything.

It resolves names itself and connects to the very addresses it found, none of which may be private,
loopback or otherwise reserved: so nobody reaches the network that the server stands in. It keeps
no list of who asked for what, and logs counts alone.
"""

import asyncio
import errno
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec

from monitor.control.admitted import Place
from monitor.control.limits import Limits
from monitor.control.proxy_requests import Login, Outcome, TurnedAwayError, Wanted, read_wanted
from monitor.logs import logger
from probes.layers.bogon import BogonList

log = logger(__name__)

ENTERING = 64
"""Connections that have not logged in yet, at once."""
GREETING = 10.0
"""Seconds for TLS, login and request."""
DIAL = 10.0
"""Seconds for a connection to one host, all its addresses together."""
PARTING = 2.0
"""Seconds for the end of a connection."""
IDLE = 60.0
"""Seconds for which a connection may be silent."""
LONGEST = 300.0
"""Seconds for which it may last."""
MOST_BYTES = 16 * 2**20
"""Bytes of one connection, both ways."""
_DAY = 86_400.0
_TOLD = 3600.0
"""Seconds between two lines of counts in the log."""
_PAUSE = 0.2
"""Seconds until the next try where no connection can be taken."""
_READ = 64 * 1024
_OUTCOMES = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ENETUNREACH: Outcome.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: Outcome.HOST_UNREACHABLE,
    errno.ETIMEDOUT: Outcome.SILENT,
}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host. Raises OSError."""


class Counts(msgspec.Struct, kw_only=True):
    """What happened since the last line in the log."""

    carried: int = 0
    """Connections."""
    megabytes: float = 0.0
    refused: int = 0
    """Connections that were turned away, for whatever reason."""


class ExitServer:
    """Serves clients on one listening socket, until cancelled."""

    def __init__(
        self,
        admitted: frozenset[Place],
        login: Login,
        tls: ssl.SSLContext,
        limits: Limits,
        *,
        resolve: Resolve | None = None,
        reserved: BogonList | frozenset[str] = BogonList(),  # noqa: B008 # never changes
    ) -> None:
        """`admitted` may be reached, except at addresses in `reserved`; `resolve` is the machine's
        own resolver unless given."""
        self._admitted = admitted
        self._login = login
        self._tls = tls
        self._limits = limits
        self._resolve = resolve or _by_machine
        self._reserved = reserved
        self._inside = 0
        self._entering: dict[asyncio.Task[None], None] = {}
        """Those that have not logged in yet, the oldest first."""
        self._left = limits.daily_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts = Counts()

    async def serve(self, listening: socket.socket) -> None:
        """Take connections until cancelled, then end them all."""
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        listening.listen()
        timers = [loop.create_task(self._refill()), loop.create_task(self._tell())]
        try:
            while True:
                try:
                    accepted, _ = await loop.sock_accept(listening)
                except OSError:  # no descriptor is left, or the client is gone
                    await asyncio.sleep(_PAUSE)
                    continue
                if len(self._entering) >= ENTERING:
                    # Strangers who are silent keep nobody out: the oldest makes room.
                    next(iter(self._entering)).cancel()
                task = loop.create_task(self._client(accepted))
                self._entering[task] = None
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                task.add_done_callback(self._enter)
                await asyncio.sleep(0)  # so that each has begun, and can be ended
        finally:
            ending = [*self._tasks, *timers]
            for one in ending:
                one.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    # -- one client ----------------------------------------------------------------------------

    async def _client(self, accepted: socket.socket) -> None:
        # Whoever goes away, speaks something else or is too slow is no fault of ours.
        with suppress(OSError, EOFError, TimeoutError, TurnedAwayError, asyncio.LimitOverrunError):
            writer: StreamWriter | None = None
            try:
                async with asyncio.timeout(GREETING):
                    reader, writer = await self._encrypted(accepted)
                    wanted = await read_wanted(reader, writer, self._login)
            except BaseException:
                self.counts.refused += 1
                await _close(writer)
                raise
            self._enter(asyncio.current_task())
            try:
                await self._carry(wanted, reader, writer)
            finally:
                await _close(writer)

    def _enter(self, task: asyncio.Task[None] | None) -> None:
        """It has logged in, or is over."""
        if task is not None:
            self._entering.pop(task, None)

    async def _encrypted(self, accepted: socket.socket) -> tuple[StreamReader, StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = StreamReader(limit=_READ)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            accepted,
            ssl=self._tls,
            ssl_handshake_timeout=GREETING,
            ssl_shutdown_timeout=PARTING,
        )
        return reader, StreamWriter(transport, protocol, reader, loop)

    async def _carry(self, wanted: Wanted, reader: StreamReader, writer: StreamWriter) -> None:
        if self._inside >= self._limits.connections or self._left <= 0:
            # To hang up says that the exit is at fault; any answer would be about the host.
            self.counts.refused += 1
            return
        self._inside += 1
        try:
            outcome, far = await self._reach(wanted)
            writer.write(wanted.answer(outcome))
            if far is None:
                self.counts.refused += 1
                await writer.drain()
                return
            self.counts.carried += 1
            try:
                await self._relay((reader, writer), far)
            finally:
                await _close(far[1])
        finally:
            self._inside -= 1

    async def _reach(
        self, wanted: Wanted
    ) -> tuple[Outcome, tuple[StreamReader, StreamWriter] | None]:
        if (wanted.host, wanted.port) not in self._admitted:
            return Outcome.NOT_ADMITTED, None
        outcome = Outcome.HOST_UNREACHABLE
        try:
            async with asyncio.timeout(DIAL):
                found = await self._resolve(wanted.host, wanted.port)
                public = [one for one in found if one not in self._reserved]
                if found and not public:
                    return Outcome.NOT_ADMITTED, None
                for address in public:
                    try:
                        return Outcome.OPEN, await asyncio.open_connection(address, wanted.port)
                    except OSError as error:
                        outcome = _OUTCOMES.get(error.errno or 0, Outcome.FAILED)
        except TimeoutError:
            outcome = Outcome.SILENT
        except OSError:
            pass  # no such name
        return outcome, None

    # -- bytes ---------------------------------------------------------------------------------

    async def _relay(
        self, near: tuple[StreamReader, StreamWriter], far: tuple[StreamReader, StreamWriter]
    ) -> None:
        """Carry bytes both ways until one side ends, or a limit is met."""
        left = [MOST_BYTES]
        ways = [
            asyncio.create_task(self._pump(near[0], far[1], left)),
            asyncio.create_task(self._pump(far[0], near[1], left)),
        ]
        try:
            await asyncio.wait(ways, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(self, source: StreamReader, sink: StreamWriter, left: list[int]) -> None:
        while left[0] > 0 and self._left > 0:
            async with asyncio.timeout(IDLE):
                data = await source.read(_READ)
                if not data:
                    return
                sink.write(data)
                await sink.drain()
            left[0] -= len(data)
            self._left -= len(data)
            self.counts.megabytes += len(data) / 1e6

    async def _refill(self) -> None:
        while True:
            await asyncio.sleep(_DAY)
            self._left = self._limits.daily_bytes

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TOLD)
            told, self.counts = self.counts, Counts()
            log.info(
                "control served",
                connections=told.carried,
                refused=told.refused,
                megabytes=round(told.megabytes, 1),
            )


async def _by_machine(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]).partition("%")[0] for *_, address in found]


async def _close(writer: StreamWriter | None) -> None:
    if writer is None:
        return
    with suppress(OSError, TimeoutError):
        writer.close()
        async with asyncio.timeout(PARTING):
            await writer.wait_closed()
