"""Serve an ASGI application with uvicorn inside the running event loop."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from monitor import descriptors
from monitor.server.connection_limits import LimitedConnection
from monitor.server.crowd import Crowd
from monitor.server.listener import Listener
from monitor.server.turns import Turns
from monitor.wording.listening import REASONS

DRAIN = 1
"""Whole seconds for unfinished responses after a cancellation."""
_CHECK = 10
"""Ticks of uvicorn, a tenth of a second each, between two checks of all connections."""

NOT_THIS_FAMILY = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class ListenError(Exception):
    """Listening failed. The message names the address, the reason and what to change."""

    @property
    def in_use(self) -> bool:
        """Whether another program listens there."""
        return isinstance(self.__cause__, OSError) and self.__cause__.errno == errno.EADDRINUSE


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, since the program handles signals itself, and with our
    own listeners, since its own take whatever comes."""

    def __init__(
        self,
        config: uvicorn.Config,
        started: Callable[[], None],
        connection: type[LimitedConnection],
        tls: ssl.SSLContext | None,
        trusted: Callable[[str], bool],
    ) -> None:
        super().__init__(config)
        self._started = started
        self._kind = connection
        self._tls = tls
        self._trusted = trusted
        rate = connection.requests_per_second
        self._turns = Turns.of_loop(rate) if rate else None
        self._crowd = Crowd()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        most = min(self._kind.most_connections, descriptors.share())
        state = self.server_state
        # uvicorn only closes them and waits until they are closed.
        self.servers = [
            Listener(  # type: ignore[misc]
                one,
                self._connection,
                lambda: state.connections,
                self._crowd,
                most,
                self._tls,
                self._trusted,
            )
            for one in sockets or []
        ]
        self.started = True
        self._started()

    async def on_tick(self, counter: int) -> bool:
        if counter % _CHECK == 0:
            now = asyncio.get_running_loop().time()
            for one in list(self.server_state.connections):
                if isinstance(one, LimitedConnection):
                    one.check(now)
        return await super().on_tick(counter)

    def _connection(self) -> LimitedConnection:
        made = self._kind(config=self.config, server_state=self.server_state, app_state={})
        made.turns, made.crowd = self._turns, self._crowd
        return made


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    listening: Callable[[str, int], None] | None = None,
    connection: type[LimitedConnection] = LimitedConnection,
    tls: ssl.SSLContext | None = None,
    trusted: Callable[[str], bool] = lambda _: False,
) -> None:
    """Serve until cancelled, then stop within two seconds, even with open connections.

    `listening` is called with the address and port once connections are accepted; port 0 takes a
    free one. `connection` is the protocol class of a connection; `tls` encrypts it. `trusted` says
    whether an address is that of a proxy in front. Raises ListenError when it cannot listen on the
    address.
    """
    sockets = await bind(host, port)
    config = uvicorn.Config(
        app,
        http=connection,
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN,
    )

    def started() -> None:
        if listening:
            listening(*sockets[0].getsockname()[:2])

    server = _Server(config, started, connection, tls, trusted)
    task = asyncio.create_task(server.serve(sockets))
    try:
        await asyncio.shield(task)
    finally:
        server.should_exit = True
        await _finish(task)
        for one in list(server.server_state.connections):
            # A client that does not read would keep its connection open.
            if one.transport is not None:
                one.transport.abort()
        for listener in sockets:
            listener.close()


async def _finish(task: "asyncio.Task[None]") -> None:
    done, _ = await asyncio.wait({task}, timeout=DRAIN + 0.8)
    if not done:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, which the caller closes. Raises ListenError."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise ListenError(
            f"cannot listen on {host}: no such address ({error.strerror}); "
            "listen takes an address of this machine, such as 127.0.0.1:10100"
        ) from error
    sockets: list[socket.socket] = []
    refused: list[OSError] = []
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(socket.create_server(address, family=family))
        except OSError as error:
            refused.append(error)
    # `localhost` has two addresses, and many machines support only one of them.
    fatal = [e for e in refused if e.errno not in NOT_THIS_FAMILY] or (not sockets and refused)
    if fatal:
        for one in sockets:
            one.close()
        reason = REASONS.get(fatal[0].errno or 0, fatal[0].strerror or str(fatal[0]))
        raise ListenError(f"cannot listen on {host} port {port}: {reason}") from fatal[0]
    return sockets
