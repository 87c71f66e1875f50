"""Accepts connections, and decides which ones stay.

asyncio's own servers accept whatever comes, and where descriptors run out they log it two thousand
times a second. This one accepts few at once, refuses a place that connects far too often, closes
the connection that matters least when there are too many, and waits when nothing is left.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress

from monitor.logs import logger
from monitor.server.allowance import Allowance
from monitor.server.connection_limits import LimitedConnection, source_of
from monitor.server.crowd import Crowd

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
_PER_SECOND, _BURST = 10.0, 100.0
"""Connections of one source; trusted proxies may have as many as they like."""
_REST = 2.0
"""How much longer accepting rests than it took, when more than `_AT_ONCE` wait."""
_CLOSINGS, _CLOSINGS_BURST = 20.0, 100.0
"""Connections a second that are closed for another of a source that has its share."""
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
        crowd: Crowd,
        most: int,
        tls: ssl.SSLContext | None,
        trusted: Callable[[str], bool],
    ) -> None:
        """`make` makes the protocol of a connection, `connections` gives those that are open,
        `crowd` knows where they come from, `most` is how many there may be, and `trusted` says
        whether an address is that of a proxy in front."""
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._make = make
        self._connections = connections
        self._most = most
        self._tls = tls
        self._trusted = trusted
        self._entering: set[asyncio.Task[None]] = set()
        self._crowd = crowd
        self._closings = Allowance(_CLOSINGS, _CLOSINGS_BURST, self._loop.time)
        self._sources: dict[str, Allowance] = {}
        self._failures = 0
        self._logged_at = -_LOG_EVERY
        self._again: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        self._start()

    def close(self) -> None:
        """Stop accepting connections."""
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
        began = self._loop.time()
        for _ in range(_AT_ONCE):
            try:
                accepted, address = self._socket.accept()
            except _GONE:
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._fail(error)
                return
            source = source_of(address[0])
            if not (self._trusted(source) or self._may_enter(source)) or not self._room(source):
                accepted.close()
                continue
            accepted.setblocking(False)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            task = self._loop.create_task(self._enter(accepted))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)
        # What measures gets its part of the time, however many wait.
        self._pause(_REST * (self._loop.time() - began))

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
        bucket = self._sources.pop(source, None) or Allowance(_PER_SECOND, _BURST, self._loop.time)
        if len(self._sources) >= _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        self._sources[source] = bucket
        return bool(bucket.take())

    def _room(self, source: str) -> bool:
        """Whether there is room for one more, if need be by closing another: of the source that has
        most of the idle ones, the one idle for longest; then the one whose client has taken nothing
        of its answer for longest. A source with more than its share has others closed seldom."""
        if self._crowd.count + len(self._entering) < self._most:
            return True
        share = self._crowd.fair_share(self._most)
        if self._crowd.of_source[source] >= share and not self._closings.take():
            return False
        least = self._crowd.longest_idle() or self._stalled()
        if least is None:
            return False
        least.close_now()
        return True

    def _stalled(self) -> LimitedConnection | None:
        stalled = [
            (one.stalled_since, one)
            for one in self._connections()
            if isinstance(one, LimitedConnection)
            and one.stalled_since
            and not one.transport.is_closing()
        ]
        return min(stalled, key=lambda pair: pair[0], default=(0.0, None))[1]

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._again = self._loop.call_later(seconds, self._start)

    def _fail(self, error: OSError) -> None:
        self._failures += 1
        self._pause(_PAUSE)
        if self._loop.time() - self._logged_at >= _LOG_EVERY:
            log.error("cannot accept connections", reason=error.strerror, number=self._failures)
            self._failures, self._logged_at = 0, self._loop.time()
