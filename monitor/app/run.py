"""What `shutwatch run` is made of: the only place that wires all of it together."""

import asyncio
import os
import signal

from monitor.app.clock import utc_now
from monitor.app.cycle_job import CycleJobs
from monitor.app.cycle_runners import CycleRunners
from monitor.app.garbage_collection import spare_searches
from monitor.app.notifications import Notifications
from monitor.app.reconfigure import MeasuringReconfiguration, Reconfiguration
from monitor.app.schedule import Schedule
from monitor.budget.ledger import Ledger
from monitor.config.load import load_config
from monitor.config.reload import Reloader
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.metrics.families import create_registry
from monitor.metrics.publisher import Publisher
from monitor.recording.annotations_poll import AnnotationsPoll
from monitor.recording.recorder import Recorder
from monitor.recording.scheduled_retention import Retention
from monitor.server.access import Access
from monitor.server.app import create_app
from monitor.server.serve import serve
from storage.open_store import open_store
from storage.store import Store

log = logger(__name__)


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
        telling = Notifications(settings, store, publisher)
        recorder = Recorder(settings, store, publisher, now=utc_now, notifier=telling.courier)
        await recorder.leave_out(await store.quarantines())
        await recorder.restore()
        latest = await store.latest_verdicts()
        ledger = Ledger(settings, now=utc_now)
        async with CycleRunners(ledger) as runners:
            runner = await runners.begin(settings, latest)
            schedule = Schedule(settings, CycleJobs(runner, recorder, publisher, ledger))
            access = Access(settings.server, own_hosts=True)
            looks = MeasuringReconfiguration(store, runners, schedule)
            change = Reconfiguration(store, publisher, recorder, looks, access, telling)
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
    schedule: Schedule,
    store: Store,
    access: Access,
    reloader: Reloader,
    telling: Notifications,
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
    watching = asyncio.create_task(watch(schedule, store))
    reloading = asyncio.create_task(reloader.run())
    messages = asyncio.create_task(telling.run())
    retention = Retention(lambda: reloader.settings.retention, store, publisher, now=utc_now)
    pruning = asyncio.create_task(retention.run())
    noting = asyncio.create_task(AnnotationsPoll(store, publisher, now=utc_now).run())
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


async def watch(schedule: Schedule, store: Store) -> None:
    """Look, once it is known what an earlier process used of today's bytes."""
    try:
        await schedule.jobs.ledger.restore(store)
    except Exception:
        # A vantage that uses too much for a day is better than one that does not look.
        log.exception("bytes used today are not known, counting from 0")
    schedule.start()


def _listening(host: str, port: int) -> None:
    log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}/")
