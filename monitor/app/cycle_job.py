"""One turn of one vantage: a cycle is looked, handed on to be kept, and its cost learnt.

A cycle is looked by one vantage at a time and by one runner from its beginning to its end. What it
saw must not get lost half-way: once looking is over it may be waited for, but is not given up. The
schedule says when turns are taken, and takes what a turn returns as a hint of when the next is due.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

from monitor.analysis.events.fold import EventBook
from monitor.budget.budget import Effort
from monitor.budget.ledger import BudgetSpentError, Ledger
from monitor.logs import logger
from monitor.measuring.cycle import CycleRunner
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle

log = logger(__name__)

LET_GO_DEADLINE = 30.0
"""Seconds to wait for a cycle that is being stored when its vantage is taken out."""
STOP_DEADLINE = 4.0
"""Seconds a cycle under way gets to end once we are told to stop; the rest must fit into five."""


class CycleRecorder(Protocol):
    """Whoever takes finished cycles: `monitor.recording.recorder.Recorder`, or a spool."""

    @property
    def book(self) -> EventBook:
        """What is concluded of them; empty where nothing is concluded here."""

    async def record(self, cycle: Cycle) -> None:
        """Keep one cycle. Returns when it is durable, or is said not to be."""


class CycleCounter(Protocol):
    """Whoever counts turns: `monitor.metrics.publisher.Publisher`, or something smaller."""

    def cycle_taken(self, vantage: str, effort: Effort, spent: int) -> None:
        """A vantage had a turn of that effort, and has used so many bytes today (UTC)."""

    def cycle_missed(self, vantage: str) -> None:
        """A turn was due while the one before was still under way."""


class CycleJobs:
    """Takes the turns of every vantage, each in a task of its own."""

    def __init__(
        self, runner: CycleRunner, keeper: CycleRecorder, tally: CycleCounter, ledger: Ledger
    ) -> None:
        self.keeper = keeper
        self.tally = tally
        self.ledger = ledger
        self.runner = runner
        """The one that cycles are begun with; those under way keep theirs."""
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Held while a vantage looks: one cycle of it at a time."""
        self._under_way: dict[asyncio.Task[Cycle | None], str] = {}
        """Each with its vantage."""
        self._recording: set[asyncio.Task[Cycle | None]] = set()
        """Those of them that are past looking."""
        self._in_use: Counter[CycleRunner] = Counter()
        self._let_go_of_one = asyncio.Condition()

    async def take(self, vantage: VantagePoint) -> Cycle | None:
        """A turn of the schedule; the cycle, unless there was none or it failed."""
        return await self._protected(self._turn(vantage), vantage)

    async def hurry(self, vantage: VantagePoint, platforms: frozenset[str]) -> Cycle | None:
        """A turn between two of the schedule, for these platforms alone."""
        # A cycle of the schedule that began meanwhile looks at these, too, and asks again after.
        if self._looking[vantage.id].locked():
            return None
        looking = self._look_and_record(vantage, Effort.HURRIED, platforms)
        return await self._protected(looking, vantage)

    async def let_go(self, vantages: Iterable[str]) -> None:
        """Give up cycles of these vantages that are under way; one that is being stored is waited
        for."""
        gone = frozenset(vantages)
        tasks = [task for task, vantage in self._under_way.items() if vantage in gone]
        for task in tasks:
            if task not in self._recording:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LET_GO_DEADLINE)

    async def unused(self, runner: CycleRunner) -> None:
        """Wait until no cycle of that runner is under way."""
        async with self._let_go_of_one:
            await self._let_go_of_one.wait_for(lambda: not self._in_use[runner])

    async def stop(self) -> None:
        """End those under way, for half a cycle is no cycle."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=STOP_DEADLINE)

    async def _protected(
        self, work: Coroutine[None, None, Cycle | None], vantage: VantagePoint
    ) -> Cycle | None:
        """Do it, even if the scheduler gives up on it; `stop` ends it."""
        task = asyncio.create_task(work, name=f"cycle {vantage.id}")
        self._under_way[task] = vantage.id
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if task.cancelled() and this is not None and not this.cancelling():
                return None  # let go of, which is no failure
            task.cancel()
            raise
        finally:
            self._under_way.pop(task, None)

    async def _turn(self, vantage: VantagePoint) -> Cycle | None:
        effort = self.ledger.turn(vantage.id)
        if effort is Effort.NONE:
            log.info("cycle put off, to make the day's bytes last", vantage=vantage.id)
            await self._left_out(vantage)
            return None
        return await self._look_and_record(vantage, effort)

    async def _look_and_record(
        self, vantage: VantagePoint, effort: Effort, only: frozenset[str] = frozenset()
    ) -> Cycle | None:
        try:
            async with self._looking[vantage.id], self._using() as runner:
                cycle = await runner.run(vantage.id, effort, only)
            self.ledger.cycle_done(vantage.id, effort, cycle.measurements)
            self.tally.cycle_taken(vantage.id, effort, self.ledger.spent(vantage.id).total)
            with self._past_looking():
                await self.keeper.record(cycle)
        except BudgetSpentError:
            log.warning("cycle given up, the day's bytes are spent", vantage=vantage.id)
            await self._left_out(vantage)
        except Exception:
            # A bug in one cycle must neither end the monitor nor pass for a quiet network: the
            # vantage's last report grows old, and the alert on that fires.
            log.exception("cycle failed", vantage=vantage.id)
        else:
            return cycle
        return None

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[CycleRunner]:
        """The runner of now, which is kept until this is over."""
        runner = self.runner
        self._in_use[runner] += 1
        try:
            yield runner
        finally:
            self._in_use[runner] -= 1
            if not self._in_use[runner]:
                del self._in_use[runner]
            async with self._let_go_of_one:
                self._let_go_of_one.notify_all()

    @contextmanager
    def _past_looking(self) -> Iterator[None]:
        task = asyncio.current_task()
        if task is not None:
            self._recording.add(task)
        try:
            yield
        finally:
            self._recording.discard(task)

    async def _left_out(self, vantage: VantagePoint) -> None:
        """Put on record that the vantage is there though it does not look: whoever is silent might
        be cut off."""
        spent = self.ledger.spent(vantage.id).total
        self.tally.cycle_taken(vantage.id, Effort.NONE, spent)
        await self.keeper.record(self.runner.left_out(vantage.id))
