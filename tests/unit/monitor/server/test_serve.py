"""Serving on real loopback sockets, inside our own loop."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from monitor.metrics.scrapes import Scrapes, create_registry
from monitor.server import ListenError, create_app, serve
from tests.prometheus import world
from tests.worlds.http_client import httpx


def monitor_app() -> Starlette:
    """The real application over a small world."""
    publisher = world.x_blocked_on_two_of_three()
    return create_app(publisher, create_registry(publisher))


@asynccontextmanager
async def serving(
    app: Starlette, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[str, int, "asyncio.Task[None]"]]:
    """The application on a free port; its task is cancelled at the end."""
    where: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(app, host, 0, listening=lambda address, port: where.set_result((address, port)))
    )
    # A server that fails to start must fail the test at once, not hang it.
    task.add_done_callback(lambda _: where.cancel())
    address, port = await where
    try:
        yield address, port, task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def seconds_to_stop(task: "asyncio.Task[None]") -> float:
    """How long a cancelled server takes to end."""
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - began


async def test_serves_until_cancelled_and_frees_the_port() -> None:
    """It answers on the port it announced, and the port is free at once after the end."""
    async with serving(monitor_app()) as (host, port, task):
        async with httpx.AsyncClient(trust_env=False) as client:
            response = await client.get(f"http://{host}:{port}/-/healthy")
        assert response.text == "healthy\n"
        assert "server" not in response.headers
        assert await seconds_to_stop(task) < 2
        socket.create_server((host, port)).close()


async def test_stops_in_time_with_idle_connections_open() -> None:
    """Kept-alive connections with nothing going on do not hold it up."""
    async with (
        serving(monitor_app()) as (host, port, task),
        httpx.AsyncClient(trust_env=False) as client,
    ):
        assert (await client.get(f"http://{host}:{port}/metrics")).status_code == 200
        assert await seconds_to_stop(task) < 2


async def test_stops_in_time_with_half_a_request_sent() -> None:
    """A client that never finishes its request does not hold it up."""
    async with serving(monitor_app()) as (host, port, task):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: ")
        await writer.drain()
        await asyncio.sleep(0.05)
        assert await seconds_to_stop(task) < 2
        assert await reader.read() == b""
        writer.close()


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def endless(_: Request) -> StreamingResponse:
    """A response without end."""

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    return StreamingResponse(chunks())


async def test_stops_in_time_with_a_reader_that_does_not_read() -> None:
    """A client that asked for much and reads nothing is cut off, and its socket is not kept."""
    before = open_descriptors()
    async with serving(Starlette(routes=[Route("/", endless)])) as (host, port, task):
        _, writer = await asyncio.open_connection(host, port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: monitor\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)
        assert await seconds_to_stop(task) < 2
        await asyncio.sleep(0.05)
        assert open_descriptors() == before + 1, "only the client's own end is left"
        writer.transport.abort()


async def test_a_taken_port_is_said_in_words() -> None:
    """When another program has the port the error names the address, the port and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1 port {port}: another program"):
            await serve(monitor_app(), "127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "words"),
    [("192.0.2.1", "this machine has no such address"), ("not an address", "no such address")],
)
async def test_an_address_that_is_not_ours_is_said_in_words(host: str, words: str) -> None:
    """An address of another machine, or no address at all, fails with what is wrong."""
    with pytest.raises(ListenError, match=words):
        await serve(monitor_app(), host, 0)


async def test_a_failed_bind_leaves_no_socket_behind() -> None:
    """After a bind error on one of two addresses the other one is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError):
            await serve(monitor_app(), "localhost", port)
    socket.create_server(("127.0.0.1", port)).close()


async def test_signal_handlers_stay_the_programs_own() -> None:
    """Serving neither installs nor removes a signal handler."""
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    async with serving(monitor_app()):
        during = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    after = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    assert before == during == after


class ThreadNoter(Collector):
    """Notes the thread each scrape is rendered in."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def collect(self) -> Iterator[Metric]:
        """No families; only the note."""
        self.threads.append(threading.current_thread())
        return iter(())


async def test_scrapes_do_not_hold_up_the_loop() -> None:
    """A scrape is rendered outside the event loop's thread, where the probes run."""
    noter = ThreadNoter()
    publisher = world.publisher()
    async with serving(create_app(publisher, Scrapes(publisher, (noter,)))) as (host, port, _):
        noter.threads.clear()
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(f"http://{host}:{port}/metrics")
    assert len(noter.threads) == 1
    assert noter.threads[0] is not threading.current_thread()
