"""Composition root of `shutwatch run`: the only place that wires everything, and schedules it."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from datetime import UTC, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.analysis.verdict import Verdict
from monitor.around import Around
from monitor.budget import Effort
from monitor.clock import utc_now
from monitor.config import load_config
from monitor.control_desk import ControlDesk
from monitor.cycle import CycleRunner
from monitor.exporter import create_registry
from monitor.fast_lane import FastLane
from monitor.garbage import spare_searches
from monitor.http3 import Http3
from monitor.logs import configure, logger
from monitor.looking import Looking, MakeNetwork
from monitor.notify.telling import Telling
from monitor.publisher import Publisher
from monitor.record import Recorder
from monitor.reload import Reloader, same_looks
from monitor.retention import Retention
from monitor.server.access import Access
from monitor.server.app import create_app
from monitor.server.serve import serve
from monitor.settings import Settings
from monitor.spending import DayIsSpentError, Spending
from monitor.transfers import Transfers
from probes.vantage import VantagePoint, VantageRole
from storage.open_store import open_store
from storage.store import Cycle, StorageError, Store

log = logger(__name__)

LET_GO_DEADLINE = 30.0
"""Seconds to wait for a cycle that is being stored when its vantage is taken out."""
STOP_DEADLINE = 4.0
"""Seconds a cycle under way gets to end once we are told to stop; the rest must fit into five."""


@asynccontextmanager
async def cycle_runner(
    settings: Settings,
    *,
    make_network: MakeNetwork | None = None,
    on_endpoint: Callable[[str], None] | None = None,
    force_transfers: bool = False,
    force_quic: bool = False,
    latest: Sequence[Verdict] = (),
    spending: Spending | None = None,
) -> AsyncIterator[CycleRunner]:
    """A CycleRunner with all it needs, for as long as the context lasts.

    `force_transfers` measures the speed of every platform in every cycle, `force_quic` asks over
    HTTP/3 whatever offers it. `latest` are the newest verdicts of an earlier process, if any.
    Without `spending` nothing limits the bytes that are used.
    """
    looking = Looking(settings, now=utc_now, make_network=make_network, spending=spending)
    async with looking:
        controls = [v for v in settings.vantages if v.role is VantageRole.CONTROL]
        rng = random.Random()  # noqa: S311 # orders looks, guards nothing
        http3 = Http3(settings.probe.quic_share, rng, forced=force_quic)
        runner = CycleRunner(
            settings,
            looking,
            ControlDesk(looking, controls),
            rng,
            on_endpoint,
            Transfers(settings, looking, controls, rng, forced=force_transfers),
            http3,
        )
        runner.remember(latest)
        yield runner


async def run(settings: Settings) -> None:
    """Watch until SIGTERM or SIGINT. Raises StorageError or ListenError when it cannot start."""
    publisher = Publisher(
        settings.vantages,
        settings.catalog,
        utc_now,
        interval=settings.interval,
        daily_bytes=settings.probe.daily_bytes,
        public_url=settings.public_url,
    )
    store = open_store(settings.database)
    await store.open()
    try:
        telling = Telling(settings, store, publisher)
        recorder = Recorder(settings, store, publisher, now=utc_now, herald=telling.courier)
        await recorder.restore()
        latest = await store.latest_verdicts()
        spending = Spending(settings, now=utc_now)
        async with _Runners(spending) as runners:
            runner = await runners.begin(settings, latest)
            schedule = _Schedule(settings, publisher, runner, recorder, spending)
            access = Access(settings.server, own_hosts=True)
            change = _Change(store, publisher, recorder, runners, schedule, access, telling)
            reloader = Reloader(
                settings,
                lambda path: load_config(path, os.environ),
                change.apply,
                publisher.config_refused,
            )
            await _until_told_to_stop(
                settings, publisher, schedule, store, access, reloader, telling
            )
    finally:
        await store.close()


async def _until_told_to_stop(
    settings: Settings,
    publisher: Publisher,
    schedule: "_Schedule",
    store: Store,
    access: Access,
    reloader: Reloader,
    telling: Telling,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reloader.ask)
    app = create_app(
        publisher,
        create_registry(publisher),
        access=access,
        store=store,
        reload=reloader.reload,
    )
    server = asyncio.create_task(
        serve(app, settings.listen_host, settings.listen_port, listening=_listening)
    )
    stopped = asyncio.create_task(stop.wait())
    watching = asyncio.create_task(_watch(schedule, store))
    reloading = asyncio.create_task(reloader.run())
    messages = asyncio.create_task(telling.run())
    retention = Retention(lambda: reloader.settings.retention, store, publisher, now=utc_now)
    pruning = asyncio.create_task(retention.run())
    noting = asyncio.create_task(Around(store, publisher, now=utc_now).run())
    spare_searches()
    try:
        await asyncio.wait({server, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            await server  # raises what ended it
        log.info("stopping")
    finally:
        watching.cancel()
        reloading.cancel()
        messages.cancel()
        pruning.cancel()
        await schedule.stop()
        tasks = (server, stopped, watching, reloading, pruning, noting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, messages, return_exceptions=True)


async def _watch(schedule: "_Schedule", store: Store) -> None:
    """Look, once it is known what an earlier process used of today's bytes."""
    try:
        await schedule.spending.restore(store)
    except Exception:
        # A vantage that uses too much for a day is better than one that does not look.
        log.exception("bytes used today are not known, counting from 0")
    schedule.start()


def _listening(host: str, port: int) -> None:
    log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}/")


class _Runners:
    """The runner of the settings in use, and those of earlier ones until their cycles are over."""

    def __init__(self, spending: Spending) -> None:
        self._spending = spending
        self._open: dict[CycleRunner, AbstractAsyncContextManager[CycleRunner]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "_Runners":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        async with AsyncExitStack() as stack:
            for context in self._open.values():
                stack.push_async_exit(context)
        self._open.clear()

    async def begin(self, settings: Settings, latest: Sequence[Verdict]) -> CycleRunner:
        """A runner for these settings; `latest` are the newest verdicts stored."""
        context = cycle_runner(settings, latest=latest, spending=self._spending)
        runner = await context.__aenter__()
        self._open[runner] = context
        return runner

    def end(self, runner: CycleRunner, unused: Coroutine[None, None, None]) -> None:
        """Let go of it as soon as it is unused."""

        async def wait() -> None:
            await unused
            await self._open.pop(runner).__aexit__(None, None, None)

        task = asyncio.create_task(wait())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


class _Change:
    """Goes over from one configuration to another while everything runs."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        recorder: Recorder,
        runners: _Runners,
        schedule: "_Schedule",
        access: Access,
        telling: Telling,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._recorder = recorder
        self._runners = runners
        self._schedule = schedule
        self._access = access
        self._telling = telling

    async def apply(self, old: Settings, new: Settings) -> None:
        """Take `new` into use. What may fail comes first, and leaves everything as it was."""
        kept = {vantage.id for vantage in new.vantages if vantage in old.vantages}
        added = {vantage.id for vantage in new.vantages} - kept
        schedule = self._schedule
        before = runner = schedule.runner
        if not same_looks(old, new):
            latest = await self._store.latest_verdicts() if added else []
            runner = await self._runners.begin(new, [v for v in latest if v.vantage in added])
            runner.inherit(before, kept)
        # One that comes back was counted all along.
        unknown = {name for name in added if not schedule.spending.knows(name)}
        schedule.spending.use(new)
        await self._count_today(unknown)
        await schedule.let_go(vantage.id for vantage in old.vantages if vantage.id not in kept)
        await self._recorder.use(new)
        self._publisher.use(
            new.vantages,
            new.catalog,
            self._recorder.book.active,
            interval=new.interval,
            daily_bytes=new.probe.daily_bytes,
            public_url=new.public_url,
        )
        schedule.use(new, runner)
        if runner is not before:
            self._runners.end(before, schedule.unused(before))
        self._access.use(new.server)
        self._telling.use(new)
        if new.log != old.log:
            configure(new.log)

    async def _count_today(self, vantages: Collection[str]) -> None:
        if not vantages:
            return
        try:
            await self._schedule.spending.restore(self._store, vantages)
        except StorageError as error:
            log.warning("bytes used today are not known, counting from 0", error=str(error))


class _Schedule:
    """One job per vantage; a cycle that outlasts its interval makes the next one be missed."""

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        runner: CycleRunner,
        recorder: Recorder,
        spending: Spending,
    ) -> None:
        self.spending = spending
        self._settings = settings
        self._publisher = publisher
        self._runner = runner
        self._recorder = recorder
        self._fast_lane = FastLane(settings, spending)
        self._turns = {vantage.id: asyncio.Lock() for vantage in settings.vantages}
        """Held while a vantage looks: one cycle of it at a time."""
        self._under_way: dict[asyncio.Task[None], str] = {}
        """Each with its vantage."""
        self._recording: set[asyncio.Task[None]] = set()
        """Those of them that are past looking: what they saw must not get lost half-way."""
        self._in_use: Counter[CycleRunner] = Counter()
        self._let_go_of_one = asyncio.Condition()
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._scheduler.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Add the jobs, spread over a moment so that they do not all start at once."""
        for vantage in self._settings.vantages:
            self._add(vantage)
        self._scheduler.start()

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

    # -- another configuration ---------------------------------------------------------------

    @property
    def runner(self) -> CycleRunner:
        """The one that cycles are begun with."""
        return self._runner

    async def let_go(self, vantages: Iterable[str]) -> None:
        """No more cycles of these vantages. One under way is given up, unless it is being stored:
        then it is waited for."""
        gone = frozenset(vantages)
        for vantage in gone:
            for job in (vantage, _hurried(vantage)):
                if self._scheduler.get_job(job) is not None:
                    self._scheduler.remove_job(job)
        tasks = [task for task, vantage in self._under_way.items() if vantage in gone]
        for task in tasks:
            if task not in self._recording:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LET_GO_DEADLINE)

    def use(self, settings: Settings, runner: CycleRunner) -> None:
        """Go by other settings from now on; vantages that stay keep their next turn, or have it
        sooner where the interval became shorter."""
        before = self._pace()
        self._settings = settings
        self._runner = runner
        self._fast_lane.use(settings)
        for vantage in settings.vantages:
            self._turns.setdefault(vantage.id, asyncio.Lock())
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

    async def unused(self, runner: CycleRunner) -> None:
        """Wait until no cycle of that runner is under way."""
        async with self._let_go_of_one:
            await self._let_go_of_one.wait_for(lambda: not self._in_use[runner])

    # -- turns ---------------------------------------------------------------------------------

    async def stop(self) -> None:
        """No new cycles; those under way are ended, for half a cycle is no cycle."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=STOP_DEADLINE)

    async def _cycle(self, vantage: VantagePoint) -> None:
        await self._protected(self._turn(vantage), vantage)

    async def _hurry(self, vantage: VantagePoint, platforms: frozenset[str]) -> None:
        # A cycle of the schedule that began meanwhile looks at these, too, and asks again after.
        if not self._turns[vantage.id].locked():
            looking = self._look_and_record(vantage, Effort.HURRIED, platforms)
            await self._protected(looking, vantage)

    async def _protected(self, work: Coroutine[None, None, None], vantage: VantagePoint) -> None:
        """Do it, even if the scheduler gives up on it; `stop` ends it."""
        task = asyncio.create_task(work, name=f"cycle {vantage.id}")
        self._under_way[task] = vantage.id
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if task.cancelled() and this is not None and not this.cancelling():
                return  # let go of, which is no failure
            task.cancel()
            raise
        finally:
            self._under_way.pop(task, None)

    async def _turn(self, vantage: VantagePoint) -> None:
        effort = self.spending.turn(vantage.id)
        if effort is Effort.NONE:
            log.info("cycle put off, to make the day's bytes last", vantage=vantage.id)
            await self._left_out(vantage)
            return
        await self._look_and_record(vantage, effort)

    async def _look_and_record(
        self, vantage: VantagePoint, effort: Effort, only: frozenset[str] = frozenset()
    ) -> None:
        try:
            async with self._turns[vantage.id], self._using() as runner:
                cycle = await runner.run(vantage.id, effort, only)
            self.spending.cycle_done(vantage.id, effort, cycle.measurements)
            self._publisher.turn_taken(vantage.id, effort, self.spending.spent(vantage.id).total)
            with self._past_looking():
                await self._recorder.record(cycle)
            self._hurry_after(vantage, cycle)
        except DayIsSpentError:
            log.warning("cycle given up, the day's bytes are spent", vantage=vantage.id)
            await self._left_out(vantage)
        except Exception:
            # A bug in one cycle must neither end the monitor nor pass for a quiet network: the
            # vantage's last report grows old, and the alert on that fires.
            log.exception("cycle failed", vantage=vantage.id)

    @asynccontextmanager
    async def _using(self) -> AsyncIterator[CycleRunner]:
        """The runner of now, which is kept until this is over."""
        runner = self._runner
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
        spent = self.spending.spent(vantage.id).total
        self._publisher.turn_taken(vantage.id, Effort.NONE, spent)
        await self._recorder.record(self._runner.left_out(vantage.id))

    def _hurry_after(self, vantage: VantagePoint, cycle: Cycle) -> None:
        """Look again soon where the detector could not decide."""
        if vantage not in self._settings.vantages:
            return
        platforms = self._fast_lane.wanted(vantage, cycle, self._recorder.book)
        if platforms and self._scheduler.running:
            self._scheduler.add_job(
                self._hurry,
                "date",
                args=[vantage, platforms],
                id=_hurried(vantage.id),
                replace_existing=True,
                run_date=utc_now() + timedelta(seconds=self._fast_lane.pace),
                misfire_grace_time=None,
            )

    def _missed(self, event: JobEvent) -> None:
        self._publisher.cycle_missed(event.job_id)
        log.warning("cycle missed, the one before is still under way", vantage=event.job_id)


def _hurried(vantage: str) -> str:
    """Id of the job that looks again soon."""
    return f"{vantage} hurried"
