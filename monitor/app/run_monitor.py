"""`shutwatch run`: measures, judges, records and shows in one process.

The recorder takes the cycles of the process's own vantages from memory: see
docs/adr/0014-one-path.md.
"""

from contextlib import AsyncExitStack

from monitor.app.measuring_setup import measuring
from monitor.app.notify_setup import Notifications
from monitor.app.run_until_stopped import keep_running, run_until_stopped
from monitor.app.service_setup import Service, opened_store, publisher_of, show
from monitor.app.withheld_job import WithheldJob
from monitor.config.settings import Settings
from monitor.recording.recorder import Recorder
from storage.store import Recording
from storage.values.steady_clock import utc_now


async def run(settings: Settings, *, advise: bool = True) -> None:
    """Until SIGTERM or SIGINT. Without `advise` the page names no weakness of the settings. Raises
    StorageError or ListenError when it cannot start."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings, Recording.ALONE))
        publisher = publisher_of(settings, advise=advise)
        notifications = Notifications(settings, store, publisher)
        recorder = Recorder(
            settings, store, publisher, now=utc_now, notifier=notifications.delivery
        )

        async def quarantine() -> None:
            # Not in the file, but whoever quarantines a vantage expects a reload to read it.
            await recorder.quarantine(await store.quarantines())
            publisher.show_events(recorder.book.active)

        async def pass_time() -> None:
            await recorder.pass_time(utc_now())

        async def use(new: Settings) -> None:
            await recorder.use(new)
            show(publisher, new, recorder.book.active)

        await quarantine()
        await recorder.restore()
        own = await stack.enter_async_context(measuring(settings, store, recorder, publisher))
        service = Service(settings, store, publisher, notifications, own, use, quarantine)
        withheld = WithheldJob(
            lambda: service.reloader.settings, lambda: own.probers, store, publisher, now=utc_now
        )
        await run_until_stopped(
            service.reloader.ask,
            *service.tasks(),
            keep_running(pass_time),
            keep_running(notifications.run),
            keep_running(service.retention.run),
            keep_running(service.stamping.run),
            keep_running(service.sources.run),
            keep_running(withheld.run),
        )
