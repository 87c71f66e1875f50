"""Has the publisher show people's annotations.

Another process adds annotations, so the store is read for them every minute.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from storage.store import StorageError, Store

log = logger(__name__)

EVERY = 60.0
"""Seconds between two reads."""
BACK = timedelta(days=90)
"""How long ago an annotation that is shown may have ended."""
MOST = 200
"""Annotations shown: the newest. Each is a series of its own in the metrics."""


class AnnotationsPoll:
    """Reads again and again, for as long as the process lives."""

    def __init__(self, store: Store, publisher: Publisher, *, now: Callable[[], datetime]) -> None:
        """`now` gives UTC."""
        self._store = store
        self._publisher = publisher
        self._now = now

    async def run(self) -> None:
        """At once, and then every minute, until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(EVERY)

    async def read(self) -> None:
        """Once. A store that fails is counted, and what was shown before stays."""
        try:
            found = await self._store.annotations(since=self._now() - BACK)
        except StorageError as error:
            self._publisher.storage_error("read")
            log.error("annotations not read", error=str(error))
            return
        self._publisher.annotated(found[-MOST:])
