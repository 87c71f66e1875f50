"""Accepts connections, and decides which ones stay.

asyncio's own servers accept whatever comes, and where descriptors run out they log it two thousand
times a second. This one accepts few at once, refuses a place that connects far too often, closes
the connection that matters least when there are too many, and waits when nothing is left.
"""

import asyncio
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from monitor.logs import logger
from monitor.server.connection_limits import LimitedConnection, source_of

log = logger(__name__)

HANDSHAKE = 10.0
"""Seconds for a TLS handshake; no other timeout covers a connection until it is done."""
TLS_SHUTDOWN = 5.0
"""Seconds for the end of a TLS connection."""
SEND_BUFFER = 128 * 1024
"""Bytes of an answer that the kernel holds for a client that does not read."""

_BACKLOG = 1024
"""Connections that wait in the kernel."""
_AT_ONCE = 32
"""Connections accepted before anything else is done."""
_PER_SECOND, _BURST = 200.0, 400.0
"""Connections of one source."""
_MOST_SOURCES = 4096
_PAUSE = 0.5
"""Seconds until the next try where there is no descriptor, or no memory, for a connection."""
_LOG_EVERY = 60.0
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_GONE = (BlockingIOError, InterruptedError, ConnectionAbortedError)


class Listener:
    """Takes the connections of one listening socket."""

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[], LimitedConnection],
        connections: Callable[[], Iterable[object]],
        most: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        """`make` makes the protocol of a connection, `connections` gives those that are open, and
        `most` is how many there may be."""
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._make = make
        self._connections = connections
        self._most = most
        self._tls = tls
        self._entering: set[asyncio.Task[None]] = set()
        self._sources: dict[str, float] = {}
        self._failures = 0
        self._logged_at = -_LOG_EVERY
        self._again: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        self._start()

    def close(self) -> None:
        """Accept no more."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._socket.fileno())
        for task in self._entering:
            task.cancel()

    async def wait_closed(self) -> None:
        """Until nobody is entering any more."""
        await asyncio.gather(*self._entering, return_exceptions=True)

    def _start(self) -> None:
        self._again = None
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, address = self._socket.accept()
            except _GONE:
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._pause(error)
                return
            if not self._may_enter(source_of(address[0])) or not self._room():
                accepted.close()
                continue
            accepted.setblocking(False)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            task = self._loop.create_task(self._enter(accepted))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, accepted: socket.socket) -> None:
        encrypted = self._tls is not None
        # A client that goes away, or speaks no TLS, is no fault of ours.
        with suppress(OSError, asyncio.TimeoutError):
            await self._loop.connect_accepted_socket(
                self._make,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE if encrypted else None,
                ssl_shutdown_timeout=TLS_SHUTDOWN if encrypted else None,
            )

    def _may_enter(self, source: str) -> bool:
        """Whether it connects no more often than it may."""
        now = self._loop.time()
        free_at = max(now, self._sources.pop(source, now)) + 1 / _PER_SECOND
        if len(self._sources) >= _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        allowed = free_at - now <= _BURST / _PER_SECOND
        self._sources[source] = free_at if allowed else free_at - 1 / _PER_SECOND
        return allowed

    def _room(self) -> bool:
        """Whether there is room for one more, if need be by closing another: of those of the source
        that has most of the idle ones, the one idle for longest; then the one whose client has
        taken nothing of its answer for longest."""
        open_ones = [one for one in self._connections() if isinstance(one, LimitedConnection)]
        if len(open_ones) + len(self._entering) < self._most:
            return True
        idle = [one for one in open_ones if not one.under_way]
        of_source = Counter(one.source for one in idle)
        if idle:
            least = min(idle, key=lambda one: (-of_source[one.source], one.silent_since))
        else:
            stalled = [(one.stalled_since, one) for one in open_ones if one.stalled_since]
            if not stalled:
                return False
            _, least = min(stalled, key=lambda pair: pair[0])
        least.transport.abort()
        # Its descriptor is free once the event loop comes round.
        return len(open_ones) + len(self._entering) < self._most + _AT_ONCE

    def _pause(self, error: OSError) -> None:
        self._failures += 1
        self._loop.remove_reader(self._socket.fileno())
        self._again = self._loop.call_later(_PAUSE, self._start)
        if self._loop.time() - self._logged_at >= _LOG_EVERY:
            log.error("cannot accept connections", reason=error.strerror, number=self._failures)
            self._failures, self._logged_at = 0, self._loop.time()
