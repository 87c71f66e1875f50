"""Rate, concurrency and order of measurements: one dispatcher for the whole process.

Every measurement and follow-up of every vantage passes through here, so that the configured rate
and concurrency hold for the process. One task takes the next job, waits for the throttler (which
polls, so only one task may wait on it) and for a free place, and starts the job.
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
from probes.sockets.parting import parted

T = TypeVar("T")
Start = Callable[[], Coroutine[Any, Any, Measurement]]
"""Makes the coroutine of one measurement; called when it may start."""
_Start = Callable[[], Coroutine[Any, Any, Any]]


class Urgency(IntEnum):
    """The order of jobs when the rate is the bottleneck."""

    CONTROL = 0
    """A field measurement waits for it."""
    RETRY = 1
    SCHEDULED = 2


class Runner:
    """Runs jobs at a bounded rate and concurrency. Use as an async context manager."""

    def __init__(self, *, rate: float, concurrency: int) -> None:
        """`rate` in starts per second, `concurrency` in jobs that run at the same time."""
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
        self._running: set[asyncio.Task[None]] = set()
        self._dispatcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Runner":
        self._dispatcher = asyncio.create_task(self._dispatch(), name="measurement dispatcher")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        tasks = [*self._running, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while not self._waiting.empty():
            self._waiting.get_nowait()[3].cancel()
        await parted()

    async def run(
        self, start: Callable[[], Coroutine[Any, Any, T]], urgency: Urgency = Urgency.SCHEDULED
    ) -> T:
        """Run one job and return its result. Cancelling this cancels the job."""
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
            task = asyncio.create_task(self._run_job(start, done))
            self._running.add(task)
            task.add_done_callback(self._finished)
            done.add_done_callback(partial(_cancel_with, task))

    async def _next(self) -> tuple[Urgency, int, _Start, "asyncio.Future[Any]"]:
        while True:
            entry = await self._waiting.get()
            if not entry[3].cancelled():
                return entry

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._places.release()

    @staticmethod
    async def _run_job(start: _Start, done: "asyncio.Future[Any]") -> None:
        if done.cancelled():
            return
        try:
            result = await start()
        except asyncio.CancelledError:
            done.cancel()
            raise
        except Exception as error:  # noqa: BLE001 # passed to the caller of run
            if not done.done():
                done.set_exception(error)
            return
        if not done.done():
            done.set_result(result)


def _cancel_with(task: "asyncio.Task[None]", done: "asyncio.Future[Any]") -> None:
    """End a job whose caller was cancelled."""
    if done.cancelled():
        task.cancel()
