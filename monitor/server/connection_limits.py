"""Limits on connections of readers, agents and strangers: none stays slow for ever, and they do not
pile up.

A connection that sends nothing, or sends too slowly, is closed after a time limit, and so is one
that takes nothing of its answer. The size of a request's headers is limited. Requests take turns,
see `monitor.server.turns`. Which connection makes room for another one is decided in
`monitor.server.listener`.
"""

import asyncio
import logging
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from monitor.server.crowd import Crowd
from monitor.server.turns import Turns

_QUIET = logging.getLogger("monitor.server.connection_limits")
_QUIET.setLevel(logging.ERROR)  # what strangers send must not fill the log
_IPV6_NETWORK = 64
"""Bits of an IPv6 address that tell one host or site from another."""


@lru_cache(4096)
def source_of(address: str) -> str:
    """Where a connection comes from, for fairness between such places: kept in memory alone, for as
    long as it is connected or its wrong passwords count. Of an IPv6 address its /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> _IPV6_NETWORK << _IPV6_NETWORK))


class LimitedConnection(HttpToolsProtocol):
    """One connection over HTTP/1.1. Requests in it come one after the other, not pipelined."""

    headers_within = 15.0
    """Seconds from a connection, or its first byte after an answer, to the end of the headers."""
    most_header_bytes = 16 * 1024
    """Of one request, its path included."""
    most_connections = 512
    """Descriptors are few, and each connection holds buffers."""
    stalled_after = 30.0
    """Seconds for which a client may take nothing of its answer."""
    longest_answer = 3600.0
    """Seconds that an answer may take in all."""
    requests_per_second = 100.0
    """Of all connections together; 0 for no limit."""

    turns: Turns | None = None
    crowd: Crowd
    """Both are shared by all connections of a listener."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.logger = _QUIET
        self._deadline: asyncio.TimerHandle | None = None
        self._header_bytes = self._raw_bytes = 0
        self._in_headers = False
        self._admitted = False
        self._held = b""
        self._unsent = 0
        self.source = ""
        self.requests = 0
        """How many it made so far."""
        self._began = self._progressed = self.loop.time()

    @property
    def under_way(self) -> bool:
        """Whether a request is being answered."""
        # The type that uvicorn states leaves out that there is none at first.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def stalled_since(self) -> float | None:
        """Since when the client takes nothing of its answer; None while all was sent."""
        return self._progressed if self._unsent else None

    def close_now(self) -> None:
        """Close it, whatever is under way."""
        self.crowd.busy(self)
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.source = source_of((transport.get_extra_info("peername") or ("",))[0])
        self.crowd.came(self)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.crowd.left(self)
        if self.turns is not None:
            self.turns.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes; the first of a request start its time, and wait for its turn."""
        if self._admitted or self.under_way:
            self._parse(data)
            return
        if self._deadline is None:
            self._expect_headers()
        if self.turns is not None and not self.turns.may_go(self):
            self._unset_keepalive_if_required()
            self._held += data
            self.flow.pause_reading()
            return
        self._admitted = True
        self._parse(data)

    def go(self) -> None:
        """Its turn has come."""
        self._admitted = True
        held, self._held = self._held, b""
        self.flow.resume_reading()
        self._parse(held)

    def _parse(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_headers:
            return
        # One that does not end is weighed nowhere else: the parser keeps it until it does.
        self._raw_bytes += len(data)
        if self._raw_bytes > 2 * self.most_header_bytes:
            self._in_headers = False
            self.send_400_response("headers of a request are too long")

    def on_message_begin(self) -> None:
        if self.under_way:
            raise ValueError("a request before the answer to the one before it")
        self._header_bytes = self._raw_bytes = 0
        self._in_headers = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._weigh(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._weigh(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The body has a time limit of its own."""
        self._in_headers = False
        self._stop_waiting()
        self.requests += 1
        self._began = self.loop.time()
        self.crowd.busy(self)
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The connection is idle from now on."""
        self._admitted = False
        self.crowd.idle(self)
        super().on_response_complete()

    def resume_writing(self) -> None:
        """The client took something."""
        self._progressed = self.loop.time()
        super().resume_writing()

    def check(self, now: float) -> None:
        """Close the connection if its client takes nothing, or its answer takes too long. Called
        every few seconds."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._progressed = now
        self._unsent = unsent
        stalled = unsent and now - self._progressed > self.stalled_after
        if stalled or (self.under_way and now - self._began > self.longest_answer):
            self.close_now()

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(self.headers_within, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.close_now()

    def _weigh(self, *parts: bytes) -> None:
        self._header_bytes += sum(map(len, parts))
        if self._header_bytes > self.most_header_bytes:
            raise ValueError("headers of a request are too long")
