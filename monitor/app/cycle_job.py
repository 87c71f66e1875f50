"""The cycles of every vantage: each is measured, judged, recorded and paid for.

A vantage runs one cycle at a time, with one runner from its beginning to its end. What a cycle
measured must not get lost half-way: from then on it may be waited for, but is not given up. The
schedule says when a cycle is due; from the cycle that a job returns it learns when to run the next.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from monitor.analysis.events.detection import EventBook
from monitor.analysis.seen import Seen
from monitor.budget.budget import Effort
from monitor.budget.ledger import BudgetSpentError, Ledger
from monitor.judging.judge_cycle import judge_cycle
from monitor.logs import logger
from monitor.measuring.between_turns import ShortTests, short_tests
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.dating import dated, servers_dates
from monitor.measuring.network_memory import NetworkMemory
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle
from storage.values.steady_clock import PROCESS_CLOCK, SteadyClock

T = TypeVar("T")
log = logger(__name__)

GIVE_UP_DEADLINE = 30.0
"""Seconds to wait for a cycle that is being stored when its vantage is taken out."""
STOP_DEADLINE = 4.0
"""Seconds a cycle under way gets to end when the program stops; the rest must fit into five."""


class CycleRecorder(Protocol):
    """Keeps finished cycles: `monitor.recording.recorder.Recorder`, a collector's queue, or a
    spool."""

    @property
    def book(self) -> EventBook:
        """The events and detectors that follow from them."""

    async def record(self, cycle: Cycle) -> None:
        """Keep one cycle. Returns once it is durable, or its loss is counted."""


class CycleCounter(Protocol):
    """Counts cycles: `monitor.metrics.publisher.Publisher`, or something smaller."""

    def cycle_taken(self, vantage: str, effort: Effort, spent: int) -> None:
        """A vantage ran or skipped a cycle, and has used so many bytes today (UTC)."""

    def cycle_missed(self, vantage: str) -> None:
        """A cycle was due while the one before was still under way."""


async def measure_and_judge(
    runner: CycleRunner,
    vantage_id: str,
    effort: Effort = Effort.WHOLE,
    only: Collection[str] = (),
    date: Callable[[Seen], Seen] = lambda seen: seen,
) -> Cycle:
    """One cycle with its verdicts; the runner learns from them. The arguments are those of
    `CycleRunner.run`; `date` corrects the times of what was seen. Raises BudgetSpentError."""
    seen = await runner.run(vantage_id, effort, only)
    cycle = judge_cycle(date(seen), runner.settings.catalog, runner.settings.fingerprints)
    runner.learn(seen, cycle)
    return cycle


class CycleJobs:
    """Runs the cycles of every vantage, each in a task of its own."""

    def __init__(
        self,
        runner: CycleRunner,
        recorder: CycleRecorder,
        counter: CycleCounter,
        ledger: Ledger,
        clock: SteadyClock = PROCESS_CLOCK,
        memory: NetworkMemory | None = None,
    ) -> None:
        """`clock` dates the cycles, and learns from them whether it is right. Without `memory` the
        next start of the program knows nothing of the networks."""
        self.clock = clock
        self.memory = memory
        self.recorder = recorder
        self.counter = counter
        self.ledger = ledger
        self.runner = runner
        """The one that new cycles use; those under way keep theirs."""
        self._measuring: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Held while a vantage measures: one cycle of it at a time."""
        self._under_way: dict[asyncio.Task[Any], str] = {}
        """Each with its vantage."""
        self._recording: set[asyncio.Task[Any] | None] = set()
        """Those that have finished measuring and are being stored."""
        self._in_use: Counter[CycleRunner] = Counter()
        self._runner_released = asyncio.Condition()
        self._by_clock = 0
        """Cycles that are measuring, all by the same time."""
        self._none_measures = asyncio.Condition()

    def measures(self, vantage: VantagePoint) -> bool:
        """Whether a cycle of this vantage is measuring now."""
        return self._measuring[vantage.id].locked()

    async def run_scheduled(self, vantage: VantagePoint) -> Cycle | None:
        """A scheduled cycle; None when it was skipped or failed."""
        return await self._protected(self._scheduled(vantage), vantage)

    async def run_out_of_turn(
        self, vantage: VantagePoint, platforms: frozenset[str]
    ) -> Cycle | None:
        """A cycle between two scheduled ones, for these platforms alone."""
        # A scheduled cycle that began meanwhile measures these too, and is followed up again.
        if self.measures(vantage):
            return None
        return await self._protected(self._run(vantage, Effort.OUT_OF_TURN, platforms), vantage)

    async def test_between_turns(
        self, vantage: VantagePoint, platforms: frozenset[str]
    ) -> ShortTests | None:
        """A short test of each of these platforms; None when they failed."""
        return await self._protected(self._short_tests(vantage, platforms), vantage)

    async def give_up(self, vantages: Iterable[str]) -> None:
        """Give up cycles of these vantages that are under way. One that is being stored is waited
        for."""
        gone = frozenset(vantages)
        tasks = [task for task, vantage in self._under_way.items() if vantage in gone]
        for task in tasks:
            if task not in self._recording:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GIVE_UP_DEADLINE)

    async def unused(self, runner: CycleRunner) -> None:
        """Wait until no cycle of that runner is under way."""
        async with self._runner_released:
            await self._runner_released.wait_for(lambda: not self._in_use[runner])

    async def stop(self) -> None:
        """End those under way: half a cycle is no cycle."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=STOP_DEADLINE)

    async def _protected(
        self, work: Coroutine[None, None, T | None], vantage: VantagePoint
    ) -> T | None:
        """Do it, even if the scheduler gives up on it; `stop` ends it."""
        task = asyncio.create_task(work, name=f"cycle {vantage.id}")
        self._under_way[task] = vantage.id
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if task.cancelled() and this is not None and not this.cancelling():
                return None  # given up, which is no failure
            task.cancel()
            raise
        finally:
            self._under_way.pop(task, None)

    async def _short_tests(
        self, vantage: VantagePoint, platforms: frozenset[str]
    ) -> ShortTests | None:
        try:
            async with self._using() as runner:
                known = runner.settings.catalog.platforms
                named = [platform for platform in known if platform.name in platforms]
                return await short_tests(runner.probers, vantage, named, runner.rng)
        except Exception:
            # A bug in them must not end the monitor: the next turn measures every platform anyway.
            log.exception("tests between two turns failed", vantage=vantage.id)
            return None

    async def _scheduled(self, vantage: VantagePoint) -> Cycle | None:
        effort = self.ledger.begin_cycle(vantage.id)
        if effort is Effort.NONE:
            log.info("cycle skipped to save the day's bytes", vantage=vantage.id)
            await self._skip(vantage)
            return None
        return await self._run(vantage, effort)

    async def _run(
        self, vantage: VantagePoint, effort: Effort, only: frozenset[str] = frozenset()
    ) -> Cycle | None:
        try:
            async with self._measuring[vantage.id], self._using() as runner, self._one_clock():
                cycle = await measure_and_judge(runner, vantage.id, effort, only, self._dated)
            self.ledger.cycle_done(vantage.id, effort, cycle.measurements)
            self.counter.cycle_taken(vantage.id, effort, self.ledger.spent(vantage.id).total)
            await self._record(cycle)
            if self.memory is not None:
                await self.memory.after_cycle(runner.probers.prober(vantage.id))
        except BudgetSpentError:
            log.warning("cycle skipped, the day's bytes are spent", vantage=vantage.id)
            await self._skip(vantage)
        except Exception:
            # A bug in one cycle must neither end the monitor nor pass for a quiet network: the
            # vantage's last report grows old, and the alert on that fires.
            log.exception("cycle failed", vantage=vantage.id)
        else:
            return cycle
        return None

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[CycleRunner]:
        """The current runner, kept until this is over."""
        runner = self.runner
        self._in_use[runner] += 1
        try:
            yield runner
        finally:
            self._in_use[runner] -= 1
            if not self._in_use[runner]:
                del self._in_use[runner]
            async with self._runner_released:
                self._runner_released.notify_all()

    @asynccontextmanager
    async def _one_clock(self) -> AsyncIterator[None]:
        """Cycles under way have one time. After it was corrected, new ones wait until those that
        began before are over."""
        async with self._none_measures:
            await self._none_measures.wait_for(
                lambda: not self._by_clock or not self.clock.correction
            )
            if not self._by_clock:
                self.clock.settle()
            self._by_clock += 1
        try:
            yield
        finally:
            self._by_clock -= 1
            async with self._none_measures:
                self._none_measures.notify_all()

    def _dated(self, seen: Seen) -> Seen:
        """What was seen, by the time as it is now known."""
        dates = servers_dates(seen)
        moved = self.clock.compare(dates.skew, dates.servers, proven=dates.proven)
        if moved:
            log.warning(
                "time corrected by what servers say",
                vantage=seen.vantage.id,
                seconds=round(self.clock.correction),
            )
        return dated(seen, self.clock.correction)

    async def _record(self, cycle: Cycle) -> None:
        task = asyncio.current_task()
        self._recording.add(task)
        try:
            await self.recorder.record(cycle)
        finally:
            self._recording.discard(task)

    async def _skip(self, vantage: VantagePoint) -> None:
        """Record that the vantage is there though it measured nothing: a silent one might be cut
        off."""
        spent = self.ledger.spent(vantage.id).total
        self.counter.cycle_taken(vantage.id, Effort.NONE, spent)
        settings = self.runner.settings
        # By the time as it is known now: no cycle may have begun since it was corrected.
        skipped = dated(self.runner.skipped(vantage.id), self.clock.correction)
        await self.recorder.record(judge_cycle(skipped, settings.catalog, settings.fingerprints))
