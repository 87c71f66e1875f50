"""When each vantage measures: one job for each, and one more where the detector cannot decide.

A cycle that takes longer than the interval makes the next one be missed, which is counted and
logged.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.app.cycle_job import CycleJobs
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.fast_lane import FastLane
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle
from storage.values.times import utc_now

log = logger(__name__)


class Schedule:
    """Has every vantage run its cycles from `start` until `stop`."""

    def __init__(self, settings: Settings, jobs: CycleJobs) -> None:
        self.jobs = jobs
        self._settings = settings
        self._fast_lane = FastLane(settings, jobs.ledger)
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._scheduler.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    @property
    def vantages(self) -> tuple[VantagePoint, ...]:
        """Those that run cycles."""
        return self._settings.vantages

    def start(self) -> None:
        """Add the jobs, spread over a moment so that they do not all start at once."""
        for vantage in self._settings.vantages:
            self._add(vantage)
        self._scheduler.start()

    async def run(self) -> None:
        """From `start` until cancelled, then `stop`."""
        self.start()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """No new cycles; those under way end."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        await self.jobs.stop()

    async def remove(self, vantages: Iterable[str]) -> None:
        """No further cycles of these vantages. One under way is given up, unless it is being
        stored: then it is waited for."""
        gone = frozenset(vantages)
        for vantage in gone:
            for job in (vantage, _out_of_turn(vantage)):
                if self._scheduler.get_job(job) is not None:
                    self._scheduler.remove_job(job)
        await self.jobs.give_up(gone)

    def use(self, settings: Settings, runner: CycleRunner) -> None:
        """Use other settings from now on. Vantages that stay keep their next cycle, or have it
        sooner where the interval became shorter."""
        before = self._pace()
        self._settings = settings
        self.jobs.runner = runner
        self._fast_lane.use(settings)
        if not self._scheduler.running:
            return
        latest = utc_now() + timedelta(seconds=settings.interval)
        for vantage in settings.vantages:
            job = self._scheduler.get_job(vantage.id)
            if job is None:
                self._add(vantage)
            elif self._pace() != before:
                due = min(job.next_run_time, latest)
                self._scheduler.reschedule_job(vantage.id, trigger="interval", **self._pace())
                grace = max(1, int(settings.interval))
                self._scheduler.modify_job(vantage.id, next_run_time=due, misfire_grace_time=grace)

    def clock_was_set(self) -> None:
        """No vantage waits for longer than its interval, wherever the machine's clock went."""
        latest = utc_now() + timedelta(seconds=self._settings.interval)
        for vantage in self._settings.vantages:
            for name in (vantage.id, _out_of_turn(vantage.id)):
                job = self._scheduler.get_job(name)
                if job is not None and job.next_run_time > latest:
                    self._scheduler.modify_job(name, next_run_time=latest)

    def _add(self, vantage: VantagePoint) -> None:
        interval = self._settings.interval
        vantages = self._settings.vantages
        spread = min(interval, 2.0) * vantages.index(vantage) / len(vantages)
        self._scheduler.add_job(
            self._cycle,
            "interval",
            args=[vantage],
            id=vantage.id,
            **self._pace(),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=max(1, int(interval)),
            next_run_time=utc_now() + timedelta(seconds=spread),
        )

    def _pace(self) -> dict[str, float | None]:
        interval, jitter = self._settings.interval, self._settings.jitter
        return {"seconds": interval, "jitter": (jitter if jitter >= 0 else interval / 10) or None}

    async def _cycle(self, vantage: VantagePoint) -> None:
        self._repeat_soon(vantage, await self.jobs.run_scheduled(vantage))

    async def _cycle_out_of_turn(self, vantage: VantagePoint, platforms: frozenset[str]) -> None:
        self._repeat_soon(vantage, await self.jobs.run_out_of_turn(vantage, platforms))

    def _repeat_soon(self, vantage: VantagePoint, cycle: Cycle | None) -> None:
        """Measure again soon where the detector could not decide."""
        if cycle is None or vantage not in self._settings.vantages:
            return
        platforms = self._fast_lane.wanted(vantage, cycle, self.jobs.recorder.book)
        if platforms and self._scheduler.running:
            self._scheduler.add_job(
                self._cycle_out_of_turn,
                "date",
                args=[vantage, platforms],
                id=_out_of_turn(vantage.id),
                replace_existing=True,
                run_date=utc_now() + timedelta(seconds=self._fast_lane.pace),
                misfire_grace_time=None,
            )

    def _missed(self, event: JobEvent) -> None:
        self.jobs.counter.cycle_missed(event.job_id)
        log.warning("cycle missed, the one before is still under way", vantage=event.job_id)


def _out_of_turn(vantage: str) -> str:
    """Id of the job that measures again soon."""
    return f"{vantage} out of turn"
