"""When each vantage measures: at a steady pace, and once more where the detector cannot decide.

Everything here goes by the event loop's time, which no change of the machine's clock moves. A cycle
that takes longer than the interval makes the next one be missed, which is counted and logged.
"""

import asyncio
import random
from collections.abc import Coroutine, Iterable
from typing import Any

from monitor.app.cycle_job import CycleJobs
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.fast_lane import FastLane
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle

log = logger(__name__)


class Schedule:
    """Has every vantage run its cycles from `start` until `stop`."""

    def __init__(self, settings: Settings, jobs: CycleJobs) -> None:
        self.jobs = jobs
        self._settings = settings
        self._fast_lane = FastLane(settings, jobs.ledger)
        self._rng = random.Random()  # noqa: S311 # spreads cycles, guards nothing
        self._running = False
        self._turns: dict[str, _Turns] = {}
        """Of each vantage, by id."""
        self._soon: dict[str, asyncio.TimerHandle] = {}
        """The next cycle out of turn of each vantage."""
        self._cycles: set[asyncio.Task[None]] = set()

    @property
    def vantages(self) -> tuple[VantagePoint, ...]:
        """Those that run cycles."""
        return self._settings.vantages

    def start(self) -> None:
        """Begin, spread over a moment so that not all start at once."""
        self._running = True
        for vantage in self._settings.vantages:
            self._add(vantage)

    async def run(self) -> None:
        """From `start` until cancelled, then `stop`."""
        self.start()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """No new cycles; those under way end."""
        self._running = False
        self._forget(tuple(self._turns))
        await self.jobs.stop()
        for task in self._cycles:
            task.cancel()
        await asyncio.gather(*self._cycles, return_exceptions=True)

    async def remove(self, vantages: Iterable[str]) -> None:
        """No further cycles of these vantages. One under way is given up, unless it is being
        stored: then it is waited for."""
        gone = frozenset(vantages)
        self._forget(gone)
        await self.jobs.give_up(gone)

    def use(self, settings: Settings, runner: CycleRunner) -> None:
        """Use other settings from now on. Vantages that stay keep their next cycle, or have it
        sooner where the interval became shorter."""
        self._settings = settings
        self.jobs.runner = runner
        self._fast_lane.use(settings)
        if not self._running:
            return
        for vantage in settings.vantages:
            if vantage.id in self._turns:
                self._turns[vantage.id].use(vantage, settings)
            else:
                self._add(vantage)

    def _add(self, vantage: VantagePoint) -> None:
        vantages = self._settings.vantages
        spread = min(self._settings.interval, 2.0) * vantages.index(vantage) / len(vantages)
        self._turns[vantage.id] = _Turns(self, vantage, self._settings, self._rng, spread)

    def _forget(self, vantages: Iterable[str]) -> None:
        for vantage in vantages:
            if vantage in self._turns:
                self._turns.pop(vantage).stop()
            if vantage in self._soon:
                self._soon.pop(vantage).cancel()

    def begin(self, vantage: VantagePoint) -> asyncio.Task[None]:
        """A scheduled cycle, now."""
        return self._begin(self._follow_up(vantage, self.jobs.run_scheduled(vantage)))

    def missed(self, vantage: VantagePoint) -> None:
        """A cycle was due while the one before is still under way."""
        self.jobs.counter.cycle_missed(vantage.id)
        log.warning("cycle missed, the one before is still under way", vantage=vantage.id)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._cycles.add(task)
        task.add_done_callback(self._cycles.discard)
        return task

    async def _follow_up(
        self, vantage: VantagePoint, cycle: Coroutine[Any, Any, Cycle | None]
    ) -> None:
        """Measure again soon where the detector could not decide."""
        try:
            made = await cycle
        except Exception:
            log.exception("cycle failed, our own fault", vantage=vantage.id)
            return
        if made is None or vantage not in self._settings.vantages or not self._running:
            return
        platforms = self._fast_lane.wanted(vantage, made, self.jobs.recorder.book)
        if platforms:
            if vantage.id in self._soon:
                self._soon[vantage.id].cancel()
            loop = asyncio.get_running_loop()
            self._soon[vantage.id] = loop.call_later(
                self._fast_lane.pace, self._out_of_turn, vantage, platforms
            )

    def _out_of_turn(self, vantage: VantagePoint, platforms: frozenset[str]) -> None:
        self._soon.pop(vantage.id, None)
        self._begin(self._follow_up(vantage, self.jobs.run_out_of_turn(vantage, platforms)))


class _Turns:
    """The turns of one vantage: one each interval, moved at random by the jitter and no more, so
    that the pace stays what it is."""

    def __init__(
        self,
        schedule: Schedule,
        vantage: VantagePoint,
        settings: Settings,
        rng: random.Random,
        wait: float,
    ) -> None:
        """The first comes after `wait` seconds."""
        self._schedule = schedule
        self._vantage = vantage
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._cycle: asyncio.Task[None] | None = None
        self._interval, self._jitter = _pace(settings)
        self._due = self._at = self._loop.time() + wait
        """When the next turn is due, and when it comes."""
        self._timer = self._loop.call_at(self._at, self._turn)

    def use(self, vantage: VantagePoint, settings: Settings) -> None:
        """Keep the next turn, or have it sooner where the interval became shorter."""
        self._vantage = vantage
        if _pace(settings) != (self._interval, self._jitter):
            self._interval, self._jitter = _pace(settings)
            self._due = min(self._at, self._loop.time() + self._interval)
            self._wait(self._due)

    def stop(self) -> None:
        """No more turns."""
        self._timer.cancel()

    def _turn(self) -> None:
        if self._cycle is None or self._cycle.done():
            self._cycle = self._schedule.begin(self._vantage)
        else:
            self._schedule.missed(self._vantage)
        # Turns that passed while the process stood still are not made up for.
        late = max(0.0, self._loop.time() - self._due)
        self._due += self._interval * max(1.0, late // self._interval)
        self._wait(self._due + self._rng.uniform(-self._jitter, self._jitter))

    def _wait(self, until: float) -> None:
        self._timer.cancel()
        self._at = until
        self._timer = self._loop.call_at(until, self._turn)


def _pace(settings: Settings) -> tuple[float, float]:
    """Seconds from one turn to the next, and by how many each is moved at most."""
    interval, jitter = settings.interval, settings.jitter
    return interval, jitter if jitter >= 0 else interval / 10
