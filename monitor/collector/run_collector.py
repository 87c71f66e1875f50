"""What `shutwatch collector` is made of: the only place that wires all of it together.

agents ─ HTTPS → api ─┐
own vantages → hand_over ─┴→ store → inbox → judge → recorder → events, messages, metrics
                                      └── at the one collector that leads ──┘
"""

import asyncio
import os
import signal
from collections.abc import Coroutine

from monitor.app.clock import utc_now
from monitor.app.cycle_job import CycleJobs
from monitor.app.cycle_runners import CycleRunners
from monitor.app.garbage_collection import spare_searches
from monitor.app.notifications import Notifications
from monitor.app.reconfigure import MeasuringReconfiguration
from monitor.app.schedule import Schedule
from monitor.budget.ledger import Ledger
from monitor.collector.agents_api import create_agent_api
from monitor.collector.leader import Leader
from monitor.collector.listener import certificate_of, serve_agents
from monitor.collector.local_cycles import LocalCycles
from monitor.config.load import load_config
from monitor.config.reload import Reloader
from monitor.config.settings import Settings
from monitor.keys.keys import key_path, load_or_make
from monitor.logs import configure, logger
from monitor.metrics.families import create_registry
from monitor.metrics.ingest_counts import IngestCounts
from monitor.metrics.publisher import Publisher
from monitor.recording.annotations_poll import AnnotationsPoll
from monitor.recording.scheduled_retention import Retention
from monitor.server.access import Access
from monitor.server.app import create_app
from monitor.server.serve import serve
from storage.open_store import open_store
from storage.values.fleet import CollectorStore

log = logger(__name__)


async def run(settings: Settings) -> None:
    """Take in, judge and show until SIGTERM or SIGINT. Raises StorageError, ListenError or
    KeyFileError when it cannot start."""
    store = open_store(settings.database)
    await store.open()
    try:
        ledger = Ledger(settings, now=utc_now)
        async with CycleRunners(ledger, scheduled_controls=True) as runners:
            collector = await _Collector.make(settings, store, ledger, runners)
            await collector.run()
    finally:
        await store.close()


class _Collector:
    """All parts of one collector."""

    def __init__(
        self,
        settings: Settings,
        store: CollectorStore,
        schedule: Schedule,
        looks: MeasuringReconfiguration,
        publisher: Publisher,
        keeper: LocalCycles,
    ) -> None:
        self._store = store
        self._schedule = schedule
        self._looks = looks
        self._publisher = publisher
        self._keeper = keeper
        self._access = Access(settings.server, own_hosts=True)
        self._telling = Notifications(settings, store, publisher)
        self._reloader = Reloader(
            settings,
            lambda path: load_config(path, os.environ),
            self._apply,
            publisher.config_refused,
        )
        retention = Retention(
            lambda: self._reloader.settings.retention, store, publisher, now=utc_now
        )
        self._leader = Leader(
            settings,
            store,
            publisher,
            now=utc_now,
            notifier=self._telling.courier,
            duties=(self._telling, retention),
        )
        self._counts = IngestCounts()
        self._certificate = certificate_of(settings.collector)
        if self._certificate is not None:
            certificate = self._certificate
            self._counts.certificate_expires_at = lambda: certificate.expires_at
        self._key = load_or_make(key_path(settings.signing_key, settings.source, settings.database))

    @staticmethod
    async def make(
        settings: Settings, store: CollectorStore, ledger: Ledger, runners: CycleRunners
    ) -> "_Collector":
        """The parts, wired together. StorageError."""
        publisher = Publisher(
            settings.vantages,
            settings.catalog,
            utc_now,
            interval=settings.interval,
            daily_bytes=settings.probe.daily_bytes,
            public_url=settings.public_url,
            leading=False,
        )
        keeper = LocalCycles(settings, store, publisher.storage_error, now=utc_now)
        own = {vantage.id for vantage in settings.vantages}
        latest = await store.latest_verdicts() if own else []
        runner = await runners.begin(settings, [one for one in latest if one.vantage in own])
        schedule = Schedule(settings, CycleJobs(runner, keeper, publisher, ledger))
        looks = MeasuringReconfiguration(store, runners, schedule)
        return _Collector(settings, store, schedule, looks, publisher, keeper)

    async def run(self) -> None:
        """Until told to stop. ListenError."""
        settings, reloader = self._reloader.settings, self._reloader
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, reloader.ask)
        work: list[Coroutine[None, None, object]] = [
            stop.wait(),
            self._serve(settings),
            self._leader.run(),
            self._look(settings),
            reloader.run(),
            AnnotationsPoll(self._store, self._publisher, now=utc_now).run(),
        ]
        if settings.collector.listen[0]:
            work.append(self._serve_agents(settings))
        tasks = [asyncio.create_task(one) for one in work]
        spare_searches()
        try:
            # Looking comes to its end by itself; every other one that ends, ends it all.
            ends = [task for number, task in enumerate(tasks) if number != 3]
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # raises what ended it
            log.info("stopping")
        finally:
            await self._schedule.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, settings: Settings) -> None:
        """Have this collector's own vantages look, once it is known what they used today."""
        own = [vantage.id for vantage in settings.vantages]
        try:
            await self._schedule.jobs.ledger.restore(self._store, own)
        except Exception:
            # A vantage that uses too much for a day is better than one that does not look.
            log.exception("bytes used today are not known, counting from 0")
        self._schedule.start()

    async def _serve(self, settings: Settings) -> None:
        app = create_app(
            self._publisher,
            create_registry(self._publisher, self._counts),
            self._leader.ready,
            access=self._access,
            store=self._store,
            reload=self._reloader.reload,
        )
        await serve(app, settings.listen_host, settings.listen_port, listening=_listening)

    async def _serve_agents(self, settings: Settings) -> None:
        api = create_agent_api(
            self._store,
            self._key,
            lambda: self._reloader.settings,
            self._counts,
            controls=lambda: self._schedule.jobs.runner.controls,
        )
        await serve_agents(api, settings.collector, self._certificate, listening=_for_agents)

    async def _apply(self, old: Settings, new: Settings) -> None:
        """Go over from one configuration to another. What may fail comes first."""
        runner = await self._looks.prepare(old, new)
        self._keeper.use(new)
        await self._leader.use(new)
        self._looks.use(new, runner)
        self._access.use(new.server)
        self._telling.use(new)
        if new.log != old.log:
            configure(new.log)


def _listening(host: str, port: int) -> None:
    log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}/")


def _for_agents(host: str, port: int) -> None:
    log.info("listening for agents", address=f"{f'[{host}]' if ':' in host else host}:{port}")
