"""Notifications, as one thing to start, to change and to stop."""

import asyncio
import random
from functools import partial

from monitor.app.heartbeat import is_well, ping
from monitor.config.settings import Settings
from monitor.metrics.publisher import Publisher
from monitor.notify.apprise_service import AppriseService
from monitor.notify.delivery import Delivery
from monitor.notify.settings import NotifySettings
from monitor.sources.witnesses import second_witnesses
from storage.store import Store
from storage.values.steady_clock import utc_now


class Notifications:
    """Delivery of notices, and a ping where one is configured."""

    def __init__(self, settings: Settings, store: Store, publisher: Publisher) -> None:
        """`publisher` counts deliveries, and knows whether cycles are stored."""
        self._publisher = publisher
        self._settings = NotifySettings()
        self._changed = asyncio.Event()
        self.delivery = Delivery(
            store,
            AppriseService(),
            publisher,
            now=utc_now,
            chance=random.Random().random,  # noqa: S311 # spreads retries, guards nothing
            witnesses=partial(second_witnesses, store),
        )
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Use these settings from now on."""
        titles = {platform.name: platform.title for platform in settings.catalog.platforms}
        self._settings = settings.notify
        self.delivery.use(settings.notify, titles, settings.public_url)
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled; deliveries under way get a moment to end then."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.delivery.run())
            tasks.create_task(self._ping())

    async def _ping(self) -> None:
        while True:
            self._changed.clear()
            settings = self._settings
            url, interval = settings.ping_url, settings.ping_interval
            failed = self._publisher.ping_failed
            task = asyncio.create_task(ping(url, interval, self._is_well, failed))
            try:
                await self._changed.wait()
            finally:
                task.cancel()

    def _is_well(self) -> bool:
        return is_well(self._publisher.snapshot, self._publisher.now())
