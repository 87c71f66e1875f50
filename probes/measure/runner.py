"""Rate, concurrency and order of looks: one dispatcher for a whole process.

Every look, and whatever else is asked, from whichever vantage and for whatever reason, passes
through here, so that the configured rate and concurrency hold for the process. One task takes
work, waits for the throttle (which polls, so only one may wait on it) and for a free place, and
starts the look.
"""

import asyncio
import itertools
import math
from collections.abc import Callable, Coroutine
from enum import IntEnum
from functools import partial
from typing import Any, TypeVar

from asyncio_throttle.throttler import Throttler

from probes.measurement import Measurement

T = TypeVar("T")
Start = Callable[[], Coroutine[Any, Any, Measurement]]
"""Makes the coroutine of one look, called when its turn has come."""
_Start = Callable[[], Coroutine[Any, Any, Any]]


class Urgency(IntEnum):
    """What goes first when the rate is the bottleneck."""

    CONTROL = 0
    """A field look waits for it."""
    RETRY = 1
    SCHEDULED = 2


class Runner:
    """Runs looks at a bounded rate and number. Use as an async context manager."""

    def __init__(self, *, rate: float, concurrency: int) -> None:
        """`rate` in starts per second, `concurrency` in looks under way at once."""
        # A small bucket spreads the starts: a burst of a second's worth would look like a scan.
        bucket = max(1, math.ceil(rate / 20))
        period = bucket / rate
        self._throttler = Throttler(
            rate_limit=bucket, period=period, retry_interval=max(0.001, period / 5)
        )
        self._places = asyncio.Semaphore(concurrency)
        self._waiting: asyncio.PriorityQueue[tuple[Urgency, int, _Start, asyncio.Future[Any]]] = (
            asyncio.PriorityQueue()
        )
        self._order = itertools.count()
        self._under_way: set[asyncio.Task[None]] = set()
        self._dispatcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Runner":
        self._dispatcher = asyncio.create_task(self._dispatch(), name="look dispatcher")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        tasks = [*self._under_way, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while not self._waiting.empty():
            self._waiting.get_nowait()[3].cancel()

    async def run(
        self, start: Callable[[], Coroutine[Any, Any, T]], urgency: Urgency = Urgency.SCHEDULED
    ) -> T:
        """Have one look made and return it. Cancelling this cancels the look."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((urgency, next(self._order), start, done))
        return await done

    async def _dispatch(self) -> None:
        while True:
            await self._places.acquire()
            _, _, start, done = await self._next()
            try:
                await self._throttler.acquire()  # type: ignore[no-untyped-call] # untyped library
            except asyncio.CancelledError:
                done.cancel()
                raise
            task = asyncio.create_task(self._look(start, done))
            self._under_way.add(task)
            task.add_done_callback(self._finished)
            done.add_done_callback(partial(_cancel_with, task))

    async def _next(self) -> tuple[Urgency, int, _Start, "asyncio.Future[Any]"]:
        while True:
            entry = await self._waiting.get()
            if not entry[3].cancelled():
                return entry

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._places.release()

    @staticmethod
    async def _look(start: _Start, done: "asyncio.Future[Any]") -> None:
        if done.cancelled():
            return
        try:
            made = await start()
        except asyncio.CancelledError:
            done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 # handed to whoever asked for the look
            if not done.done():
                done.set_exception(error)
            return
        if not done.done():
            done.set_result(made)


def _cancel_with(task: "asyncio.Task[None]", done: "asyncio.Future[Any]") -> None:
    """Nobody wants the look any more: end it."""
    if done.cancelled():
        task.cancel()
