"""What every long-running program does: it runs its tasks until a signal stops it."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from monitor.descriptors import raise_limit
from monitor.logs import logger

log = logger(__name__)

_AGAIN = 60.0
"""Seconds after which a task that ended, or failed by our own fault, starts again."""
_SWITCH = 0.001
"""Seconds after which a thread that computes lets others run. The event loop lets go of the
interpreter with each packet, and by default waits 5 ms to get it back."""
_OBJECTS = 20_000
"""Objects made and not dropped until Python next searches for garbage: a few MB at most."""


def spare_searches() -> None:
    """Search seldom for garbage that reference counting leaves. Call it once the long-lived objects
    exist: they are not searched again.

    A measurement makes and drops some thousand objects, and reference counting frees nearly all of
    them. By default Python searches every 700 objects, and each time also what was made at the
    start, modules and catalogue: a twentieth of a measurement's CPU time, for nothing found.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])


async def run_until_stopped(
    reload: Callable[[], None], *tasks: Coroutine[Any, Any, object]
) -> None:
    """Run all `tasks` until SIGTERM or SIGINT, or until one of them ends; then cancel the others
    and wait for them. SIGHUP calls `reload`. Raises what ended a task."""
    raise_limit()
    sys.setswitchinterval(_SWITCH)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    running = [asyncio.create_task(task) for task in (stop.wait(), *tasks)]
    spare_searches()
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        log.info("stopping")
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def keep_running(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until cancelled, again and again: a bug in it must not end what measures."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("task failed, our own fault")
        await asyncio.sleep(_AGAIN)
