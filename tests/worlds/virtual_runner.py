"""The runner of measurements by virtual time: the real one's throttler goes by the machine's clock.

The same limits: rate and places of each vantage, at most `VANTAGES_AT_ONCE` times as much in all,
vantages in turn.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from probes.measure.runner import VANTAGES_AT_ONCE, Runner, Urgency
from probes.sockets.parting import parted

T = TypeVar("T")
_Start = Callable[[], Coroutine[Any, Any, Any]]
LATE = 0.01
"""Seconds of starts that are made up for when the dispatcher comes late."""


class _Pace:
    """A rate and a number of places."""

    def __init__(self, rate: float, places: int) -> None:
        self._rest = 1 / rate
        self._places = places
        self.running = 0
        self.due = 0.0
        """The event loop's time at which the next job may start."""

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return self.running >= self._places

    def begin(self, now: float) -> None:
        """A job starts."""
        self.running += 1
        self.due = max(self.due, now - LATE) + self._rest


class _Lane(_Pace):
    """What one vantage waits for and does."""

    def __init__(self, rate: float, places: int) -> None:
        super().__init__(rate, places)
        self.waiting: list[tuple[Urgency, int, _Start, asyncio.Future[Any]]] = []
        self.served = 0
        """Number of the last job started, so that vantages take turns."""

    def drop_cancelled(self) -> None:
        """Forget jobs at the head whose callers gave up."""
        while self.waiting and self.waiting[0][3].cancelled():
            heapq.heappop(self.waiting)


class VirtualRunner(Runner):
    """Runs jobs at a bounded rate and concurrency, by the event loop's time."""

    def __init__(self, *, rate: float, concurrency: int) -> None:
        """`rate` in starts per second, `concurrency` in jobs that run at the same time, both of
        each vantage."""
        self._limits_of_each = (rate, concurrency)
        self._in_all = _Pace(rate * VANTAGES_AT_ONCE, concurrency * VANTAGES_AT_ONCE)
        self._by_vantage: dict[str, _Lane] = {}
        self._order = itertools.count(1)
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "VirtualRunner":
        self._dispatcher = asyncio.create_task(self._dispatch(), name="measurement dispatcher")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        tasks = [*self._running, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self._by_vantage.values():
            for *_, done in lane.waiting:
                done.cancel()
        await parted()

    async def run(
        self,
        start: Callable[[], Coroutine[Any, Any, T]],
        urgency: Urgency = Urgency.SCHEDULED,
        vantage: str = "",
    ) -> T:
        """Run one job of this vantage and return its result. Cancelling this cancels the job."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        lane = self._by_vantage.setdefault(vantage, _Lane(*self._limits_of_each))
        heapq.heappush(lane.waiting, (urgency, next(self._order), start, done))
        self._changed.set()
        return await done

    async def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            now = loop.time()
            ready = [] if self._in_all.full else self._can_start()
            # Of those whose rate lets them, the one that waited longest for its turn.
            lane = min(ready, key=lambda one: (max(one.due, now), one.served), default=None)
            due = 0.0 if lane is None else max(lane.due, self._in_all.due)
            if lane is not None and due <= now:
                self._start(lane, now)
                continue
            try:
                async with asyncio.timeout(None if lane is None else due - now):
                    await self._changed.wait()
            except TimeoutError:
                pass  # the rate lets the next one start

    def _can_start(self) -> list[_Lane]:
        """Vantages that wait for something and have a place for it."""
        for lane in self._by_vantage.values():
            lane.drop_cancelled()
        return [lane for lane in self._by_vantage.values() if lane.waiting and not lane.full]

    def _start(self, lane: _Lane, now: float) -> None:
        _, _, start, done = heapq.heappop(lane.waiting)
        lane.served = next(self._order)
        for pace in (lane, self._in_all):
            pace.begin(now)
        task = asyncio.create_task(_run_job(start, done))
        self._running.add(task)
        task.add_done_callback(partial(self._ended, lane))
        done.add_done_callback(partial(_cancel_with, task))

    def _ended(self, lane: _Lane, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        for pace in (lane, self._in_all):
            pace.running -= 1
        self._changed.set()


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
