"""Limits on connections of agents and strangers: none stays slow for ever, and they do not pile up.

A connection that sends nothing, or sends too slowly, is closed after a time limit. The size of a
request's headers is limited. When there are too many connections, the one that is idle for longest
is closed. Bodies have a time limit of their own, see `monitor.collector.request_body`.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_QUIET = logging.getLogger("monitor.collector.connection_limits")
_QUIET.setLevel(logging.ERROR)  # what strangers send must not fill the log


class AgentConnection(HttpToolsProtocol):
    """One connection over HTTP/1.1."""

    headers_within = 15.0
    """Seconds from a connection, or its first byte after an answer, to the end of the headers."""
    most_header_bytes = 16 * 1024
    """Of one request, its path included."""
    most_connections = 512
    """Descriptors are few, and each connection holds buffers."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.logger = _QUIET
        self._deadline: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self.silent_since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()
        if len(self.connections) > self.most_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes; the first of a request start its time."""
        if self._deadline is None and not self._under_way():
            self._expect_headers()
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._header_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._weigh(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._weigh(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body has a time limit of its own."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The connection is idle from now on."""
        self.silent_since = self.loop.time()
        super().on_response_complete()

    def _under_way(self) -> bool:
        # The type that uvicorn states leaves out that there is none at first.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(self.headers_within, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.transport is not None:
            self.transport.abort()

    def _weigh(self, *parts: bytes) -> None:
        self._header_bytes += sum(map(len, parts))
        if self._header_bytes > self.most_header_bytes:
            raise ValueError("headers of a request are too long")

    def _make_room(self) -> None:
        idle = [
            one
            for one in self.connections
            if isinstance(one, AgentConnection) and one is not self and not one._under_way()
        ]
        longest = min(idle, key=lambda one: one.silent_since, default=self)
        if longest.transport is not None:
            longest.transport.abort()
