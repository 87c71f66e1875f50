"""The real server over a real publisher, kept current from a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app, serve
from tests.prometheus import world


def utc_now() -> datetime:
    """The current time."""
    return datetime.now(UTC)


@contextmanager
def serving(
    publisher: Publisher, each_second: Callable[[Publisher], None] | None = None
) -> Iterator[str]:
    """Serve on a free loopback port, calling `each_second` in the loop; gives `host:port`."""
    started = threading.Event()
    state: dict[str, object] = {}

    async def run() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        state["stop"] = lambda: loop.call_soon_threadsafe(task.cancel) if task else None

        def listening(host: str, port: int) -> None:
            state["address"] = f"{host}:{port}"
            started.set()

        async def keep_current() -> None:
            while each_second:
                each_second(publisher)
                await asyncio.sleep(1)

        keeping = asyncio.create_task(keep_current())
        try:
            app = create_app(publisher, create_registry(publisher))
            await serve(app, "127.0.0.1", 0, listening=listening)
        finally:
            keeping.cancel()

    def thread() -> None:
        try:
            asyncio.run(run())
        except asyncio.CancelledError:
            pass
        finally:
            started.set()

    running = threading.Thread(target=thread, daemon=True)
    running.start()
    started.wait(60)
    try:
        yield str(state["address"])
    finally:
        stop = state["stop"]
        assert callable(stop)
        stop()
        running.join(60)
        assert not running.is_alive()


@contextmanager
def x_blocked() -> Iterator[tuple[str, Publisher]]:
    """X blocked on two of three networks, again each second: address and publisher."""
    publisher = world.publisher(now=utc_now)
    with serving(publisher, world.publish_x_blocked) as address:
        yield address, publisher
