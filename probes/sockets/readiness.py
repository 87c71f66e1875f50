"""Sockets that wait for the kernel through one epoll object, which the running loop watches.

A measurement waits for its connection, for the peer's hello and for the answer. With the loop's
own calls, each wait costs a registration and its removal, through several layers of Python. Here a
socket is registered once, edge-triggered. A task that waits has just met EAGAIN, so anything that
happens from then on is an edge, and a wait that ends too early meets EAGAIN again.
"""

import asyncio
import select
import socket
from collections.abc import Callable
from weakref import WeakKeyDictionary, ref

ANY_EDGE = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
INPUT = select.EPOLLIN
_CONNECTED = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP


class _Readiness:
    """The watched sockets of one event loop; it exists while there is at least one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._dispatch)

    def watch(self, descriptor: int, events: int, on_event: Callable[[int], None]) -> None:
        self._epoll.register(descriptor, events)
        self._callbacks[descriptor] = on_event

    def rewatch(self, descriptor: int, on_event: Callable[[int], None]) -> None:
        self._callbacks[descriptor] = on_event

    def unwatch(self, descriptor: int) -> None:
        self._epoll.unregister(descriptor)
        del self._callbacks[descriptor]
        if self._callbacks:
            return
        loop = self._loop()
        if loop is not None:
            del _by_loop[loop]
            loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _dispatch(self) -> None:
        for descriptor, events in self._epoll.poll(0):
            on_event = self._callbacks.get(descriptor)
            if on_event is None:
                continue  # closed by an earlier callback
            try:
                on_event(events)
            except Exception as error:  # noqa: BLE001 # a bug in one callback must not stop others
                loop = asyncio.get_running_loop()
                loop.call_exception_handler(
                    {"message": "a socket's callback failed", "exception": error}
                )


_by_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Readiness]" = WeakKeyDictionary()


def _of_running_loop() -> _Readiness:
    loop = asyncio.get_running_loop()
    readiness = _by_loop.get(loop)
    if readiness is None:
        readiness = _by_loop[loop] = _Readiness(loop)
    return readiness


class WatchedSocket(socket.socket):
    """A non-blocking socket, bound to the loop it first waits on. One task may wait at a time."""

    __slots__ = ("_readiness", "_waiter")

    def __init__(self, family: int, kind: int) -> None:
        super().__init__(family, kind | socket.SOCK_NONBLOCK)
        self._readiness: _Readiness | None = None
        self._waiter: asyncio.Future[int] | None = None

    async def ready(self) -> int:
        """Wait, after EAGAIN, for any event; the epoll events."""
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiter = waiter
        try:
            if self._readiness is None:
                # An edge before this is not lost: registering reports the present state.
                self.watch(ANY_EDGE, self._woken)
            return await waiter
        finally:
            self._waiter = None

    async def connected(self) -> None:
        """Wait, after EINPROGRESS, for the connection. Raises OSError when it fails."""
        while not await self.ready() & _CONNECTED:
            pass
        error = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "connect failed")

    async def receive(self, limit: int) -> bytes:
        """At least one byte and at most `limit`; b"" at the end of a stream."""
        while True:
            try:
                return self.recv(limit)
            except BlockingIOError:
                await self.ready()

    async def send_all(self, data: bytes) -> None:
        """Pass all of `data` to the kernel."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.send(view) :]
            except BlockingIOError:
                await self.ready()

    def watch(self, events: int, on_event: Callable[[int], None]) -> None:
        """Call `on_event` with epoll `events` until the socket is closed."""
        readiness = _of_running_loop()
        readiness.watch(self.fileno(), events, on_event)
        self._readiness = readiness

    def rewatch(self, on_event: Callable[[int], None]) -> None:
        """Call `on_event` from now on, at every edge; no task may wait any more."""
        if self._readiness is None:
            self.watch(ANY_EDGE, on_event)
        else:
            self._readiness.rewatch(self.fileno(), on_event)

    def close(self) -> None:
        """Close; safe to call again."""
        readiness, self._readiness = self._readiness, None
        if readiness is not None:
            # The kernel would keep the registration while a forked process holds the socket.
            readiness.unwatch(self.fileno())
        super().close()

    def _woken(self, events: int) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(events)
