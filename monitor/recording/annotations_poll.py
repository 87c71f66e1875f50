"""Has what people noted of the world around shown beside what was seen.

Annotations are added by another process, so the store is asked for them now and then.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from storage.store import StorageError, Store

log = logger(__name__)

EVERY = 60.0
"""Seconds from one time to the next."""
BACK = timedelta(days=90)
"""How long ago what is shown may have ended."""
MOST = 200
"""Annotations shown: the newest. Each is a series of its own in the metrics."""


class AnnotationsPoll:
    """Asks again and again, for as long as the process lives."""

    def __init__(self, store: Store, publisher: Publisher, *, now: Callable[[], datetime]) -> None:
        """`now` gives UTC."""
        self._store = store
        self._publisher = publisher
        self._now = now

    async def run(self) -> None:
        """At once, and then every minute; ends only by being cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Once. A store that fails is counted, and what was shown before stays."""
        try:
            found = await self._store.annotations(since=self._now() - BACK)
        except StorageError as error:
            self._publisher.storage_error("read")
            log.error("annotations not read", error=str(error))
            return
        self._publisher.annotated(found[-MOST:])
