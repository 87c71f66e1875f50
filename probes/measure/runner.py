"""Rate, concurrency and order of measurements: a dispatcher for each vantage.

Every measurement and follow-up of every vantage passes through here. The configured rate and
concurrency hold for each vantage, since what they limit is what its line shows. The whole process
does at most `VANTAGES_AT_ONCE` times as much, so that the machine keeps up. Vantages take turns:
one that has much to do, as when everything is met with silence, delays no other.
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
from probes.settings import VANTAGES_AT_ONCE
from probes.sockets.parting import parted

T = TypeVar("T")
Start = Callable[[], Coroutine[Any, Any, Measurement]]
"""Makes the coroutine of one measurement; called when it may start."""
_Start = Callable[[], Coroutine[Any, Any, Any]]
_Job = tuple["Urgency", int, _Start, "asyncio.Future[Any]"]


class Urgency(IntEnum):
    """The order of jobs of one vantage when the rate is the bottleneck."""

    CONTROL = 0
    """A field measurement waits for it."""
    RETRY = 1
    SCHEDULED = 2


class _Limits:
    """A rate and a number of places. Who asks first is let in first."""

    def __init__(self, rate: float, places: int, throttler: type[Throttler]) -> None:
        # A small bucket spreads the starts: a burst of a second's worth would look like a scan.
        bucket = max(1, math.ceil(rate / 20))
        period = bucket / rate
        self._throttler = throttler(
            rate_limit=bucket, period=period, retry_interval=max(0.001, period / 5)
        )
        # The throttler polls: of several that wait on it, any may come first.
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(places)

    async def enter(self) -> None:
        """Wait for a place, and until the rate allows another start."""
        await self._places.acquire()
        async with self._turn:
            await self._throttler.acquire()  # type: ignore[no-untyped-call] # untyped library

    def leave(self) -> None:
        """Give the place back."""
        self._places.release()


class _Lane:
    """What one vantage waits for."""

    def __init__(self, limits: _Limits) -> None:
        self.limits = limits
        self.waiting: asyncio.PriorityQueue[_Job] = asyncio.PriorityQueue()

    async def asked(self) -> None:
        """Wait for a job. It stays in line: a more urgent one may come before it starts."""
        job = await self.waiting.get()
        self.waiting.put_nowait(job)

    def next(self) -> _Job | None:
        """The most urgent job whose caller still waits."""
        while not self.waiting.empty():
            job = self.waiting.get_nowait()
            if not job[3].cancelled():
                return job
        return None


class Runner:
    """Runs jobs at a bounded rate and concurrency. Use as an async context manager."""

    def __init__(
        self, *, rate: float, concurrency: int, throttler: type[Throttler] = Throttler
    ) -> None:
        """`rate` in starts per second, `concurrency` in jobs that run at the same time, both of
        each vantage. The library's `throttler` goes by the machine's clock."""
        self._limits_of_one = partial(_Limits, rate, concurrency, throttler)
        self._process = _Limits(rate * VANTAGES_AT_ONCE, concurrency * VANTAGES_AT_ONCE, throttler)
        self._lanes: dict[str, _Lane] = {}
        self._order = itertools.count()
        self._running: set[asyncio.Task[None]] = set()
        self._dispatchers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Runner":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        tasks = [*self._running, *self._dispatchers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self._lanes.values():
            while not lane.waiting.empty():
                lane.waiting.get_nowait()[3].cancel()
        await parted()

    async def run(
        self,
        start: Callable[[], Coroutine[Any, Any, T]],
        urgency: Urgency = Urgency.SCHEDULED,
        vantage: str = "",
    ) -> T:
        """Run one job of this vantage and return its result. Cancelling this cancels the job."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._lane(vantage).waiting.put_nowait((urgency, next(self._order), start, done))
        return await done

    def _lane(self, vantage: str) -> _Lane:
        if vantage not in self._lanes:
            lane = self._lanes[vantage] = _Lane(self._limits_of_one())
            self._dispatchers.append(
                asyncio.create_task(self._dispatch(lane), name=f"measurement dispatcher {vantage}")
            )
        return self._lanes[vantage]

    async def _dispatch(self, lane: _Lane) -> None:
        while True:
            await lane.asked()
            await lane.limits.enter()
            await self._process.enter()
            job = lane.next()
            if job is None:
                self._leave(lane)
                continue
            _, _, start, done = job
            task = asyncio.create_task(self._run_job(start, done))
            self._running.add(task)
            task.add_done_callback(partial(self._finished, lane))
            done.add_done_callback(partial(_cancel_with, task))

    def _finished(self, lane: _Lane, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._leave(lane)

    def _leave(self, lane: _Lane) -> None:
        lane.limits.leave()
        self._process.leave()

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
