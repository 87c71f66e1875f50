"""When each vantage measures: one job for each, and one more where the detector cannot decide.

All vantages measure once as soon as they can. From then on those of a country come one after the
other, evenly spread over the interval: so a block shows soon at one of them, which has the others
measure at once (`monitor.measuring.fast_lane`), and they do not all need the machine together.
Half-way between two turns each platform is tested shortly (`monitor.measuring.between_turns`).

Everything here goes by the event loop's time, which no change of the machine's clock moves. A turn
waits for the vantage's cycle before it. One that is due while another waits is missed, which is
counted and logged.
"""

import asyncio
import math
import random
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from monitor.app.cycle_job import CycleJobs
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.fast_lane import FastLane
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle

log = logger(__name__)

_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 # no moment of any clock: the loop's time is added
_TICK = 1e-6
"""Seconds: what a datetime can tell apart."""
_SPREAD_FROM = 60.0
"""Seconds; with shorter intervals a cycle may take longer than what would be between vantages."""
BETWEEN_FROM = 120.0
"""Seconds; with shorter intervals the next turn comes soon enough."""
SHORT_TESTS = (1 / 3, 2 / 3)
"""Shares of the interval after a turn at which platforms are tested shortly."""
_FIRST_GAP = 0.25
"""Share of the interval between a vantage's first cycle and its second, at least."""
_GOLDEN = 0.618
"""Shares of the interval by which countries are apart, so that few meet."""
_BREATH = 1.0
"""Seconds between the end of a cycle and the next of the same vantage, at least."""
_AGAIN = 5.0
"""Seconds until a cycle out of turn is tried again while another measures."""
_PATIENCE = 1.0
"""Seconds for jobs to end once their cycles have."""


class Schedule:
    """Has every vantage run its cycles from `start` until `stop`."""

    def __init__(self, settings: Settings, jobs: CycleJobs) -> None:
        self.jobs = jobs
        self._settings = settings
        self._fast_lane = FastLane(settings, jobs.ledger)
        self._rng = random.Random()  # noqa: S311 # spreads cycles, guards nothing
        # A turn that comes late, as after the machine slept, is taken all the same, and once.
        self._scheduler = AsyncIOScheduler(
            timezone=_LoopTime(),
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._missed, EVENT_JOB_MAX_INSTANCES)
        self._under_way: set[asyncio.Task[Any]] = set()

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
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        await self.jobs.stop()
        # What APScheduler itself ends, it logs as an error.
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_PATIENCE)
        self._scheduler.shutdown(wait=False)

    async def remove(self, vantages: Iterable[str]) -> None:
        """No further cycles of these vantages. One under way is given up, unless it is being
        stored: then it is waited for."""
        gone = frozenset(vantages)
        for vantage in gone:
            for job in (vantage, *_between(vantage), _out_of_turn(vantage)):
                if self._scheduler.get_job(job) is not None:
                    self._scheduler.remove_job(job)
        await self.jobs.give_up(gone)

    def use(self, settings: Settings, runner: CycleRunner) -> None:
        """Use other settings from now on. Vantages that stay keep their next cycle, or have it
        sooner where the interval became shorter."""
        before = _pace(self._settings)
        tested = {one.id: self._fast_lane.measures(one) for one in self._settings.vantages}
        self._settings = settings
        self.jobs.runner = runner
        self._fast_lane.use(settings)
        if not self._scheduler.running:
            return
        for vantage in settings.vantages:
            job = self._scheduler.get_job(vantage.id)
            if job is None:
                self._add(vantage)
            elif _pace(settings) != before:
                due = min(job.next_run_time, self._in(settings.interval))
                self._scheduler.reschedule_job(vantage.id, trigger=self._turns(due))
                self._scheduler.modify_job(vantage.id, next_run_time=due)
                self._add_between(vantage, due)
            elif self._fast_lane.measures(vantage) != tested.get(vantage.id):
                self._add_between(vantage, job.next_run_time)

    def _add(self, vantage: VantagePoint) -> None:
        vantages = self._settings.vantages
        spread = min(self._settings.interval, 2.0) * vantages.index(vantage) / len(vantages)
        due = self._in(spread)
        interval = self._settings.interval
        after = offset(vantage, vantages) if interval >= _SPREAD_FROM else 1.0
        second = due + timedelta(seconds=after * interval)
        self._scheduler.add_job(
            self._cycle,
            self._turns(due, second),
            args=[vantage],
            id=vantage.id,
            next_run_time=due,
            max_instances=2,  # one that waits for another is no turn that was missed
        )
        self._add_between(vantage, second)

    def _add_between(self, vantage: VantagePoint, turn: datetime) -> None:
        """Short tests between this turn and the next one, and so on."""
        interval = self._settings.interval
        needed = interval >= BETWEEN_FROM and self._fast_lane.measures(vantage)
        for share, job in zip(SHORT_TESTS, _between(vantage.id), strict=True):
            if self._scheduler.get_job(job) is not None:
                self._scheduler.remove_job(job)
            if not needed:
                continue
            first = turn + timedelta(seconds=share * interval)
            self._scheduler.add_job(
                self._test_between,
                self._turns(first),
                args=[vantage],
                id=job,
                next_run_time=first,
                max_instances=2,  # one that is under way is no turn that was missed
            )

    def _turns(self, first: datetime, second: datetime | None = None) -> "_Turns":
        return _Turns(first, second or first, *_pace(self._settings), self._rng)

    def _in(self, seconds: float) -> datetime:
        return datetime.now(self._scheduler.timezone) + timedelta(seconds=seconds)

    async def _cycle(self, vantage: VantagePoint) -> None:
        await self._run(vantage, self.jobs.run_scheduled(vantage))

    async def _cycle_out_of_turn(self, vantage: VantagePoint, platforms: frozenset[str]) -> None:
        if self.jobs.measures(vantage):
            # A cycle in which speeds are measured may take a while after its tests.
            self._add_out_of_turn(vantage, platforms, self._in(_AGAIN))
            return
        await self._run(vantage, self.jobs.run_out_of_turn(vantage, platforms))

    async def _test_between(self, vantage: VantagePoint) -> None:
        platforms = self._fast_lane.short_tests(vantage, self.jobs.recorder.book)
        if not platforms:
            return
        self._note_under_way()
        found = await self.jobs.test_between_turns(vantage, platforms)
        if found is None or vantage not in self._settings.vantages:
            return
        silent = self._fast_lane.unanswered(vantage, found)
        if silent:
            log.info("no answer between two turns", vantage=vantage.id, platforms=sorted(silent))
        self._add_out_of_turn(vantage, silent, self._in(0.0))

    def _note_under_way(self) -> None:
        if (task := asyncio.current_task()) is not None:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _run(self, vantage: VantagePoint, cycle: Coroutine[None, None, Cycle | None]) -> None:
        self._note_under_way()
        begun = self._in(0.0)
        self._repeat_soon(vantage, await cycle, begun)

    def _repeat_soon(self, vantage: VantagePoint, cycle: Cycle | None, begun: datetime) -> None:
        """Measure again soon where the detector could not decide."""
        if cycle is None or vantage not in self._settings.vantages:
            return
        book = self.jobs.recorder.book
        platforms = self._fast_lane.wanted(vantage, cycle, book)
        # From one beginning to the next, as the settings say: a cycle takes some of that time.
        following = begun + timedelta(seconds=self._fast_lane.pace)
        self._add_out_of_turn(vantage, platforms, max(following, self._in(_BREATH)))
        for other, named in self._fast_lane.witnesses(vantage, cycle, book):
            self._add_out_of_turn(other, named, self._in(0.0))

    def _add_out_of_turn(
        self, vantage: VantagePoint, platforms: frozenset[str], due: datetime
    ) -> None:
        if not platforms or not self._scheduler.running:
            return
        job = _out_of_turn(vantage.id)
        waiting = self._scheduler.get_job(job)
        if waiting is not None:
            platforms, due = platforms | waiting.args[1], min(due, waiting.next_run_time)
        self._scheduler.add_job(
            self._cycle_out_of_turn,
            "date",
            args=[vantage, platforms],
            id=job,
            replace_existing=True,
            run_date=due,
            max_instances=2,  # one that waits for another is no turn that was missed
        )

    def _missed(self, event: JobEvent) -> None:
        self.jobs.counter.cycle_missed(event.job_id)
        log.warning("cycle missed, the one before is still under way", vantage=event.job_id)


def _between(vantage: str) -> tuple[str, ...]:
    """Ids of the jobs that test shortly between two turns."""
    return tuple(f"{vantage} between turns, {number}" for number, _ in enumerate(SHORT_TESTS, 1))


def _out_of_turn(vantage: str) -> str:
    """Id of the job that measures again soon."""
    return f"{vantage} out of turn"


class _LoopTime(tzinfo):
    """The clock of APScheduler, which takes the current time from `datetime.now(timezone)`: the
    event loop's time, whatever the machine's clock shows."""

    def fromutc(self, _: datetime) -> datetime:
        # Rounded up, so that a job is due when the timer that waited for it has come.
        seconds = asyncio.get_running_loop().time() + _TICK
        return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=self)

    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta()

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta()

    def tzname(self, _: datetime | None) -> str:
        return "loop"


class _Turns(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """One turn each interval, moved at random by the jitter and no more, so that the pace stays
    what it is. Turns that passed while the process stood still are not made up for."""

    def __init__(
        self,
        begin: datetime,
        first: datetime,
        interval: float,
        jitter: float,
        rng: random.Random,
    ) -> None:
        """`begin` is when the job runs first, by itself; `first` is the turn all others go by."""
        self._begin = begin
        self._first = first
        self._interval = interval
        self._jitter = jitter
        self._rng = rng

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The turn after `previous`, as APScheduler asks for it."""
        previous = previous or self._first
        begins = previous <= self._begin < self._first
        turn = 0 if begins else 1 + round(self._turns_until(previous))
        turn = max(turn, math.ceil(self._turns_until(now)))
        moved = self._rng.uniform(-self._jitter, self._jitter)
        return self._first + timedelta(seconds=turn * self._interval + moved)

    def _turns_until(self, moment: datetime) -> float:
        return (moment - self._first).total_seconds() / self._interval


def offset(vantage: VantagePoint, vantages: Sequence[VantagePoint]) -> float:
    """Intervals from a vantage's first cycle to its second: those of one country are evenly apart
    from then on."""
    countries = list(dict.fromkeys(one.country for one in vantages))
    beside = [one.id for one in vantages if one.country == vantage.country]
    share = beside.index(vantage.id) / len(beside) + _GOLDEN * countries.index(vantage.country)
    return _FIRST_GAP + (1 - _FIRST_GAP + share) % 1


def _pace(settings: Settings) -> tuple[float, float]:
    """Seconds from one turn to the next, and by how many each is moved at most."""
    interval, jitter = settings.interval, settings.jitter
    return interval, jitter if jitter >= 0 else interval / 10
