"""What measures in a long-running program, from one configuration to the next."""

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from functools import partial

from monitor.app.cycle_job import CycleCounter, CycleJobs, CycleRecorder
from monitor.app.cycle_runners import CycleRunners, cycle_runner
from monitor.app.schedule import Schedule
from monitor.budget.ledger import Ledger
from monitor.config.reload import same_measuring
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.measuring.controls import Controls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.network_memory import NetworkMemory, restore
from monitor.measuring.probers import Probers
from storage.store import Store
from storage.values.steady_clock import utc_now

log = logger(__name__)


class Measuring:
    """The schedule, the runner of the settings in use, and the ledger of bytes."""

    def __init__(
        self, runners: CycleRunners, schedule: Schedule, store: Store | None = None
    ) -> None:
        """`store` knows earlier verdicts and bytes; an agent has none, and always one vantage."""
        self._store = store
        self._ledger = schedule.jobs.ledger
        self._runners = runners
        self._schedule = schedule

    @property
    def controls(self) -> Controls:
        """The controls of the settings in use."""
        return self._schedule.jobs.runner.controls

    @property
    def probers(self) -> Probers:
        """What measures by the settings in use."""
        return self._schedule.jobs.runner.probers

    async def run(self) -> None:
        """Measure until cancelled."""
        await self._count_today(vantage.id for vantage in self._schedule.vantages)
        await self._schedule.run()

    async def prepare(self, old: Settings, new: Settings) -> CycleRunner:
        """The runner for `new`: the one in use if the changes do not affect it. Cycles of removed
        vantages stop. An error leaves everything unchanged. Raises StorageError."""
        kept = {vantage.id for vantage in new.vantages if vantage in old.vantages}
        added = {vantage.id for vantage in new.vantages} - kept
        before = runner = self._schedule.jobs.runner
        if not same_measuring(old, new):
            store = self._store if added else None
            latest = await store.latest_verdicts() if store else []
            known = await store.verified_before() if store else []
            runner = await self._runners.begin(new, [v for v in latest if v.vantage in added])
            restore(runner.probers, [one for one in known if one.vantage in added])
            runner.inherit(before, kept)
        # The ledger went on counting for one that comes back.
        unknown = [name for name in added if not self._ledger.knows(name)]
        self._ledger.use(new)
        await self._count_today(unknown)
        await self._schedule.remove(v.id for v in old.vantages if v.id not in kept)
        return runner

    def use(self, new: Settings, runner: CycleRunner) -> None:
        """Measure by these settings, with that runner, from now on."""
        before = self._schedule.jobs.runner
        self._schedule.use(new, runner)
        if runner is not before:
            self._runners.end(before, self._schedule.jobs.unused(before))

    async def _count_today(self, vantages: Iterable[str]) -> None:
        if self._store is not None:
            await count_today(self._ledger, self._store, list(vantages))


@asynccontextmanager
async def measuring(
    settings: Settings,
    store: Store,
    recorder: CycleRecorder,
    counter: CycleCounter,
    *,
    scheduled_controls: bool = False,
) -> AsyncIterator[Measuring]:
    """All that measures, for as long as the context lasts. With `scheduled_controls` controls
    measure every endpoint by the clock. StorageError."""
    ledger = Ledger(settings, now=utc_now)
    make = partial(cycle_runner, ledger=ledger, scheduled_controls=scheduled_controls)
    async with CycleRunners(make) as runners:
        own = {vantage.id for vantage in settings.vantages}
        latest = await store.latest_verdicts() if own else []
        runner = await runners.begin(settings, [one for one in latest if one.vantage in own])
        restore(runner.probers, await store.verified_before() if own else ())
        memory = NetworkMemory(store.keep_verified)
        jobs = CycleJobs(runner, recorder, counter, ledger, memory=memory)
        schedule = Schedule(settings, jobs)
        yield Measuring(runners, schedule, store)


async def count_today(ledger: Ledger, store: Store, vantages: Collection[str]) -> None:
    """Count the bytes that an earlier process used today at these vantages."""
    try:
        await ledger.restore(store, vantages)
    except Exception:
        # A vantage that uses too much for a day is better than one that does not measure.
        log.exception("bytes used today are not known, counting from 0")
