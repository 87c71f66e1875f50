"""Ends TCP connections as ordinary programs do: our end first, then what the peer still says.

A socket that is closed with unread data, or that gets more after it, answers with a reset. A TLS
1.3 server always says more: its session tickets come a round trip after the handshake, and its own
*close notify* after ours. So whoever closes at once ends nearly every healthy connection by a
reset. Browsers go on reading, and so does this, in the background.
"""

import asyncio
import contextlib
import socket

from probes.sockets.readiness import WatchedSocket

PATIENCE = 2.0
"""Seconds that the peer gets to end its side."""
MOST = 20 * 1024
"""Bytes that are still read, about what is under way in any case. A page of which only the start
was wanted ends by a reset, as one does whose loading is stopped."""

_by_loop: dict[asyncio.AbstractEventLoop, set["_Parting"]] = {}


def part(sock: WatchedSocket) -> None:
    """End our side of a connection, and close it once the peer has ended its own. Returns at
    once."""
    try:
        sock.shutdown(socket.SHUT_WR)
        loop = asyncio.get_running_loop()
    except (OSError, RuntimeError):  # it is over already, or nothing runs that could wait
        sock.close()
        return
    _of(loop).add(_Parting(sock, loop))


async def parted() -> None:
    """Wait until every connection of this loop has ended."""
    while own := _by_loop.get(asyncio.get_running_loop()):
        await asyncio.wait([one.over for one in own])


def _of(loop: asyncio.AbstractEventLoop) -> set["_Parting"]:
    if loop not in _by_loop:
        for over in [one for one in _by_loop if one.is_closed()]:
            for left in _by_loop.pop(over):
                left.give_up()
    return _by_loop.setdefault(loop, set())


class _Parting:
    def __init__(self, sock: WatchedSocket, loop: asyncio.AbstractEventLoop) -> None:
        self.over: asyncio.Future[None] = loop.create_future()
        self._sock = sock
        self._left = MOST
        self._timer = loop.call_later(PATIENCE, self._end)
        # A first look, in case everything is there: what has come makes no further edge.
        sock.rewatch(self._read)
        loop.call_soon(self._read, 0)

    def give_up(self) -> None:
        """Close the socket of a loop that has ended."""
        with contextlib.suppress(RuntimeError):
            self._sock.close()

    def _read(self, _events: int) -> None:
        try:
            while data := self._sock.recv(16 * 1024):
                self._left -= len(data)
                if self._left < 0:
                    break
        except BlockingIOError:
            return
        except OSError:
            pass  # a reset ends it as well
        self._end()

    def _end(self) -> None:
        if self.over.done():
            return
        self._timer.cancel()
        self._sock.close()
        self.over.set_result(None)
        loop = self.over.get_loop()
        _by_loop[loop].discard(self)
        if not _by_loop[loop]:
            del _by_loop[loop]
