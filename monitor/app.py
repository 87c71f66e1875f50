"""Composition root of `shutwatch run`: the only place that wires everything, and schedules it."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.analysis.verdict import Verdict
from monitor.budget import Effort
from monitor.clock import utc_now
from monitor.control_desk import ControlDesk
from monitor.cycle import CycleRunner
from monitor.exporter import create_registry
from monitor.fast_lane import FastLane
from monitor.garbage import spare_searches
from monitor.http3 import Http3
from monitor.logs import logger
from monitor.looking import Looking, MakeNetwork
from monitor.publisher import Publisher
from monitor.record import Recorder
from monitor.server.access import Access
from monitor.server.app import create_app
from monitor.server.serve import serve
from monitor.settings import Settings
from monitor.spending import DayIsSpentError, Spending
from monitor.transfers import Transfers
from probes.vantage import VantagePoint, VantageRole
from storage.open_store import open_store
from storage.store import Cycle, Store

log = logger(__name__)

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
        recorder = Recorder(settings, store, publisher, now=utc_now)
        await recorder.restore()
        latest = await store.latest_verdicts()
        spending = Spending(settings, now=utc_now)
        async with cycle_runner(settings, latest=latest, spending=spending) as runner:
            schedule = _Schedule(settings, publisher, runner, recorder, spending)
            await _until_told_to_stop(settings, publisher, schedule, store)
    finally:
        await store.close()


async def _until_told_to_stop(
    settings: Settings, publisher: Publisher, schedule: "_Schedule", store: Store
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    access = Access(settings.server, own_hosts=True)
    app = create_app(publisher, create_registry(publisher), access=access, store=store)
    server = asyncio.create_task(
        serve(app, settings.listen_host, settings.listen_port, listening=_listening)
    )
    stopped = asyncio.create_task(stop.wait())
    watching = asyncio.create_task(_watch(schedule, store))
    spare_searches()
    try:
        await asyncio.wait({server, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            await server  # raises what ended it
        log.info("stopping")
    finally:
        watching.cancel()
        await schedule.stop()
        tasks = (server, stopped, watching)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
        self._under_way: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._scheduler.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Add the jobs, spread over a moment so that they do not all start at once."""
        interval = self._settings.interval
        jitter = self._settings.jitter if self._settings.jitter >= 0 else interval / 10
        vantages = self._settings.vantages
        for position, vantage in enumerate(vantages):
            spread = min(interval, 2.0) * position / len(vantages)
            self._scheduler.add_job(
                self._cycle,
                "interval",
                args=[vantage],
                id=vantage.id,
                seconds=interval,
                jitter=jitter or None,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=max(1, int(interval)),
                next_run_time=utc_now() + timedelta(seconds=spread),
            )
        self._scheduler.start()

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
        self._under_way.add(task)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            self._under_way.discard(task)

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
            async with self._turns[vantage.id]:
                cycle = await self._runner.run(vantage.id, effort, only)
            self.spending.cycle_done(vantage.id, effort, cycle.measurements)
            self._publisher.turn_taken(vantage.id, effort, self.spending.spent(vantage.id).total)
            await self._recorder.record(cycle)
            self._hurry_after(vantage, cycle)
        except DayIsSpentError:
            log.warning("cycle given up, the day's bytes are spent", vantage=vantage.id)
            await self._left_out(vantage)
        except Exception:
            # A bug in one cycle must neither end the monitor nor pass for a quiet network: the
            # vantage's last report grows old, and the alert on that fires.
            log.exception("cycle failed", vantage=vantage.id)

    async def _left_out(self, vantage: VantagePoint) -> None:
        """Put on record that the vantage is there though it does not look: whoever is silent might
        be cut off."""
        spent = self.spending.spent(vantage.id).total
        self._publisher.turn_taken(vantage.id, Effort.NONE, spent)
        await self._recorder.record(self._runner.left_out(vantage.id))

    def _hurry_after(self, vantage: VantagePoint, cycle: Cycle) -> None:
        """Look again soon where the detector could not decide."""
        platforms = self._fast_lane.wanted(vantage, cycle, self._recorder.book)
        if platforms and self._scheduler.running:
            self._scheduler.add_job(
                self._hurry,
                "date",
                args=[vantage, platforms],
                id=f"{vantage.id} hurried",
                replace_existing=True,
                run_date=utc_now() + timedelta(seconds=self._fast_lane.pace),
                misfire_grace_time=None,
            )

    def _missed(self, event: JobEvent) -> None:
        self._publisher.cycle_missed(event.job_id)
        log.warning("cycle missed, the one before is still under way", vantage=event.job_id)
