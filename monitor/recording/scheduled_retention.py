"""Deletes what is older than the configuration keeps, every hour, a little at a time.

A machine may start with a clock that is years ahead. Until servers have confirmed its time, the
newest result that was stored at the start, and the time since then, say how late it is at most.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from math import isinf

from monitor.config.settings import RetentionSettings
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from storage.store import CollectorStore, StorageError
from storage.values.prunable import ARCHIVED_TABLES, HOURLY, RAW, Prunable

log = logger(__name__)

EVERY = 3600.0
"""Seconds between two rounds."""
SOON = 60.0
"""Seconds after the start until the first round: the first cycles matter more."""
PAUSE = 0.1
"""Seconds between two transactions, in which others can write and read."""

KEPT_ANYWAY = timedelta(days=7)
"""What the size of a database never moves: detectors and late cycles need it."""


AROUND = timedelta(days=1)
"""What is kept before a cycle that waits to be judged: controls measured around it."""

UNHEARD = timedelta(days=2)
"""Since the newest result: how much later it may be at the start for all that is known."""

SPARE = timedelta(days=1)
"""What is folded is kept for so much longer, however late a round or a fold is."""


class Retention:
    """Rounds of deleting, for as long as the process lives."""

    def __init__(
        self,
        settings: Callable[[], RetentionSettings],
        store: CollectorStore,
        publisher: Publisher,
        *,
        now: Callable[[], datetime],
        confirmed: Callable[[], bool],
        folded: timedelta,
        database_limit: int = 0,
    ) -> None:
        """`settings` gives those in use; each round asks anew. `now` gives UTC, and `confirmed`
        whether servers agreed with it. Rows of sources no older than
        `folded` stay, whatever the settings say: events are made of them anew each time. Above
        `database_limit` bytes, unless that is 0, the oldest days move to the archive before their
        time."""
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._clock = now
        self._confirmed = confirmed
        self._begun_at: float | None = None
        """When this began, in the event loop's seconds."""
        self._heard: datetime | None = None
        """The newest result that was stored then; None where there was none."""
        self._folded = folded
        self._database_limit = database_limit

    async def run(self) -> None:
        """A round soon, then one every hour, until cancelled."""
        # Before any cycle is stored that is dated by the clock in question.
        with suppress(StorageError):
            await self._begin()
        await asyncio.sleep(SOON)
        while True:
            await self.round()
            await asyncio.sleep(EVERY)

    async def round(self) -> None:
        """Delete all that is too old. A store that fails is counted; the next round tries again."""
        gone: dict[str, int] = {}
        try:
            await self._begin()
            for what, before in self._limits():
                await self._prune(what, before, gone)
            moved: datetime | None = None
            while (end := await self._beyond_limit()) and end != moved:
                for what in ARCHIVED_TABLES:
                    await self._prune(what, end, gone)
                moved = end
        except StorageError as error:
            self._publisher.storage_error("prune")
            log.error("old rows not deleted", error=str(error))
            return
        self._publisher.prune_done()
        if gone:
            log.info("old rows deleted", **gone)

    async def _begin(self) -> None:
        if self._begun_at is None:
            newest = [one.at for one in await self._store.latest_health()]
            self._heard = max(newest, default=None)
            self._begun_at = asyncio.get_running_loop().time()

    def _now(self) -> datetime:
        """UTC, or the latest that it can be for all that is known."""
        now = self._clock()
        if self._confirmed() or self._heard is None or self._begun_at is None:
            return now
        passed = timedelta(seconds=asyncio.get_running_loop().time() - self._begun_at)
        return min(now, self._heard + passed + UNHEARD)

    async def _prune(self, what: Prunable, before: datetime, gone: dict[str, int]) -> None:
        async for rows in self._store.prune(what, before):
            gone[what] = gone.get(what, 0) + rows
            self._publisher.pruned(rows)
            await asyncio.sleep(PAUSE)

    async def _beyond_limit(self) -> datetime | None:
        """The end of the oldest day, when the database is too large and that day may move."""
        if not self._database_limit or (await self._store.size()).used <= self._database_limit:
            return None
        oldest = await self._store.oldest_measurement()
        if oldest is None:
            return None
        end = oldest.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        kept_since = self._now() - KEPT_ANYWAY
        # It is judged by what is in the database.
        for waiting in await self._store.waiting(1):
            kept_since = min(kept_since, waiting.started_at - AROUND)
        return end if end <= kept_since else None

    def _limits(self) -> Iterator[tuple[Prunable, datetime]]:
        settings = self._settings()
        for tables, seconds in ((RAW, settings.raw), (HOURLY, settings.hourly)):
            if isinf(seconds):
                continue
            kept = timedelta(seconds=seconds)
            for what in tables:
                least = self._folded + SPARE if what is Prunable.SOURCED_ROW else kept
                yield what, self._now() - max(kept, least)
