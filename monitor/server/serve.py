"""Run an ASGI application inside the event loop that is already running."""

import asyncio
import errno
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

DRAIN = 1
"""Whole seconds that answers under way get to finish once we are asked to stop."""

REASONS = {
    errno.EADDRINUSE: "another program already listens there",
    errno.EACCES: "this user may not listen there; ports below 1024 need more rights",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}

NOT_THIS_FAMILY = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class ListenError(Exception):
    """The address could not be listened on; the message says which, why and what to change."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals belong to the program, not to its server."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started = started

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell_started()


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    listening: Callable[[str, int], None] | None = None,
) -> None:
    """Serve until cancelled, then stop within two seconds whatever connections are open.

    `listening` is called with the address and port once connections are accepted; port 0 takes
    a free one. Raises ListenError before that, when the address cannot be had.
    """
    sockets = await _bind(host, port)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        loop="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN,
    )

    def started() -> None:
        if listening:
            listening(*sockets[0].getsockname()[:2])

    server = _Server(config, started)
    task = asyncio.create_task(server.serve(sockets))
    try:
        await asyncio.shield(task)
    finally:
        server.should_exit = True
        await _finish(task)
        for connection in list(server.server_state.connections):
            # A reader too slow for what is already written would keep its connection open.
            if connection.transport is not None:
                connection.transport.abort()
        for one in sockets:
            one.close()


async def _finish(task: "asyncio.Task[None]") -> None:
    done, _ = await asyncio.wait({task}, timeout=DRAIN + 0.8)
    if not done:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address `host` means."""
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
    # `localhost` means two addresses, and many machines have only one of them.
    fatal = [e for e in refused if e.errno not in NOT_THIS_FAMILY] or (not sockets and refused)
    if fatal:
        for one in sockets:
            one.close()
        reason = REASONS.get(fatal[0].errno or 0, fatal[0].strerror or str(fatal[0]))
        raise ListenError(f"cannot listen on {host} port {port}: {reason}") from fatal[0]
    return sockets
