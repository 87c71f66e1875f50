"""From one configuration to the next while everything runs: nothing stops, nothing is forgotten."""

from collections.abc import Collection

from monitor.app.cycle_runners import CycleRunners
from monitor.app.notifications import Notifications
from monitor.app.schedule import Schedule
from monitor.config.reload import same_measuring
from monitor.config.settings import Settings
from monitor.logs import configure, logger
from monitor.measuring.cycle import CycleRunner
from monitor.metrics.publisher import Publisher
from monitor.recording.recorder import Recorder
from monitor.server.access import Access
from storage.store import CollectorStore, StorageError, Store

log = logger(__name__)


class MeasuringReconfiguration:
    """What looks, from one configuration to the next."""

    def __init__(self, store: Store, runners: CycleRunners, schedule: Schedule) -> None:
        self._store = store
        self._runners = runners
        self._schedule = schedule

    async def prepare(self, old: Settings, new: Settings) -> CycleRunner:
        """A runner for `new`, the one in use where it will do. Vantages that are gone look no more.
        What may fail comes first, and leaves everything as it was."""
        kept = {vantage.id for vantage in new.vantages if vantage in old.vantages}
        added = {vantage.id for vantage in new.vantages} - kept
        turns = self._schedule.turns
        before = runner = turns.runner
        if not same_measuring(old, new):
            latest = await self._store.latest_verdicts() if added else []
            runner = await self._runners.begin(new, [v for v in latest if v.vantage in added])
            runner.inherit(before, kept)
        # One that comes back was counted all along.
        unknown = {name for name in added if not turns.ledger.knows(name)}
        turns.ledger.use(new)
        await self._count_today(unknown)
        gone = (vantage.id for vantage in old.vantages if vantage.id not in kept)
        await self._schedule.let_go(gone)
        return runner

    def use(self, new: Settings, runner: CycleRunner) -> None:
        """Look with it from now on."""
        turns = self._schedule.turns
        before = turns.runner
        self._schedule.use(new, runner)
        if runner is not before:
            self._runners.end(before, turns.unused(before))

    async def _count_today(self, vantages: Collection[str]) -> None:
        if not vantages:
            return
        try:
            await self._schedule.turns.ledger.restore(self._store, vantages)
        except StorageError as error:
            log.warning("bytes used today are not known, counting from 0", error=str(error))


class Reconfiguration:
    """Goes over from one configuration to another."""

    def __init__(
        self,
        store: CollectorStore,
        publisher: Publisher,
        recorder: Recorder,
        looks: MeasuringReconfiguration,
        access: Access,
        telling: Notifications,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._recorder = recorder
        self._looks = looks
        self._access = access
        self._telling = telling

    async def apply(self, old: Settings, new: Settings) -> None:
        """Take `new` into use. What may fail comes first, and leaves everything as it was."""
        # Not part of the file, but an operator who decides expects it to be read now.
        await self._recorder.leave_out(await self._store.quarantines())
        runner = await self._looks.prepare(old, new)
        await self._recorder.use(new)
        self._publisher.use(
            new.vantages,
            new.catalog,
            self._recorder.book.active,
            interval=new.interval,
            daily_bytes=new.probe.daily_bytes,
            public_url=new.public_url,
        )
        self._looks.use(new, runner)
        self._access.use(new.server)
        self._telling.use(new)
        if new.log != old.log:
            configure(new.log)
