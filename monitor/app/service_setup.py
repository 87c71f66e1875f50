"""What `shutwatch run` and `shutwatch collector` have in common, wired together."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from monitor.analysis.events.event import Event
from monitor.app.clock_watch import watch_clock
from monitor.app.measuring_setup import Measuring
from monitor.app.notify_setup import Notifications
from monitor.app.run_until_stopped import keep_running
from monitor.config.load import load_config
from monitor.config.reload import Reloader
from monitor.config.settings import Settings
from monitor.following.shown_sources import show_sources
from monitor.following.source_jobs import SourceJobs
from monitor.following.sourced_events import LONGEST_WINDOW
from monitor.logs import configure, logger
from monitor.measuring.weaknesses import untold, weaknesses
from monitor.metrics.ingest_counts import IngestCounts
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.notify.apprise_service import AppriseService
from monitor.recording.annotations_poll import show_annotations
from monitor.recording.database_size_poll import show_database_size
from monitor.recording.scheduled_retention import Retention
from monitor.recording.scheduled_stamping import Stamping
from monitor.server.access import Access
from monitor.server.actions import Acting
from monitor.server.app import create_app
from monitor.server.serve import serve
from monitor.wording.findings import Finding
from probes.sockets.system_resolvers import system_resolvers
from storage.open_store import open_store
from storage.store import CollectorStore, Recording
from storage.values.steady_clock import PROCESS_CLOCK, utc_now

log = logger(__name__)


@asynccontextmanager
async def opened_store(settings: Settings, recording: Recording) -> AsyncIterator[CollectorStore]:
    """The store of these settings, open for as long as the context lasts. StorageError."""
    store = open_store(settings.database, settings.archive, recording=recording)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def publisher_of(settings: Settings, *, leading: bool = True, advise: bool = True) -> Publisher:
    """A publisher that shows what these settings name and, with `advise`, what they leave open."""
    return Publisher(
        settings.vantages,
        settings.catalog,
        utc_now,
        interval=settings.interval,
        daily_bytes=settings.probe.daily_bytes,
        public_url=settings.public_url,
        runbooks_url=settings.runbooks_at,
        leading=leading,
        weaknesses=_weaknesses(settings) if advise else (),
    )


def show(publisher: Publisher, settings: Settings, active_events: Sequence[Event]) -> None:
    """Have the publisher show what these settings name from now on."""
    publisher.use(
        settings.vantages,
        settings.catalog,
        active_events,
        interval=settings.interval,
        daily_bytes=settings.probe.daily_bytes,
        public_url=settings.public_url,
        runbooks_url=settings.runbooks_at,
        weaknesses=_weaknesses(settings),
    )


def _weaknesses(settings: Settings) -> tuple[Finding, ...]:
    return (*weaknesses(settings, system_resolvers()), *untold(settings))


class Service:
    """Measures, serves the page, and goes over from one configuration to the next."""

    def __init__(
        self,
        settings: Settings,
        store: CollectorStore,
        publisher: Publisher,
        notifications: Notifications,
        measuring: Measuring,
        use: Callable[[Settings], Awaitable[None]],
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`use` has whatever records take other settings into use. `before` comes before any
        change of settings, and may fail."""
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._notifications = notifications
        self._measuring = measuring
        self._use = use
        self._before = before
        self._access = Access(settings.server, own_hosts=True)
        self.reloader = Reloader(
            settings,
            lambda path: load_config(path, os.environ),
            self._apply,
            publisher.config_refused,
        )
        self.retention = Retention(
            lambda: self.reloader.settings.retention,
            store,
            publisher,
            now=utc_now,
            confirmed=lambda: PROCESS_CLOCK.confirmed,
            folded=LONGEST_WINDOW,
            database_limit=settings.archive.database_limit,
        )
        self.sources = SourceJobs(lambda: self.reloader.settings, store, now=utc_now)
        self.stamping = Stamping(lambda: self.reloader.settings.timestamps, store, now=utc_now)

    def tasks(
        self,
        ready: Callable[[], tuple[bool, str]] | None = None,
        counts: IngestCounts | None = None,
    ) -> list[Coroutine[Any, Any, None]]:
        """What has to run for as long as the program does. `ready` says whether the program is,
        instead of the publisher; `counts` are shown among the metrics."""
        app = create_app(
            self._publisher,
            create_registry(self._publisher, counts),
            ready,
            access=self._access,
            store=self._store,
            reload=self.reloader.reload,
            acting=Acting(
                store=self._store,
                settings=lambda: self.reloader.settings,
                service=AppriseService(),
                wake=self._notifications.delivery.wake,
                requarantine=self._before,
            ),
        )
        annotations = partial(show_annotations, self._store, self._publisher, now=utc_now)
        size = partial(show_database_size, self._store, self._publisher)
        sources = partial(
            show_sources,
            self._store,
            self._publisher,
            lambda: self.reloader.settings,
            now=utc_now,
        )
        address = self._settings.listen_host, self._settings.listen_port
        return [
            serve(app, *address, listening=_listening, trusted=self._access.is_proxy),
            self._measuring.run(),
            self.reloader.run(),
            keep_running(annotations),
            keep_running(size),
            keep_running(sources),
            keep_running(partial(watch_clock, self._publisher.clock_seen)),
        ]

    async def _apply(self, old: Settings, new: Settings) -> None:
        """Use `new`. Steps that can fail come first, so an error leaves everything unchanged."""
        if self._before is not None:
            await self._before()
        runner = await self._measuring.prepare(old, new)
        await self._use(new)
        self._measuring.use(new, runner)
        self._access.use(new.server)
        self._notifications.use(new)
        if new.log != old.log:
            configure(new.log)


def _listening(host: str, port: int) -> None:
    log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}/")
