"""What happens to a finished cycle: detect, store, show, in that order and one at a time.

A cycle counts as complete, and is reported so, only once it is durable. When the store fails,
what was seen is still shown, the failure is counted, and the cycle is kept to be stored with the
next one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.event import Event, EventLogEntry
from monitor.analysis.event_fold import EventBook, advance, book_from
from monitor.logs import logger
from monitor.publisher import Publisher
from monitor.settings import Settings
from storage.store import Cycle, StorageError, Store

log = logger(__name__)

PENDING = 100
"""Cycles kept while the store fails; beyond that the oldest are given up, and said so."""

REMEMBERED = timedelta(days=2)
"""How far back stored verdicts are read to take up detection after a restart."""


class Recorder:
    """Takes finished cycles of all vantages."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        publisher: Publisher,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._now = now
        self._book = EventBook()
        self._pending: deque[Pending] = deque()
        self._turn = asyncio.Lock()

    async def restore(self) -> None:
        """Take up what an earlier process left. Raises StorageError."""
        history = await self._store.recent_platforms(self._now() - REMEMBERED)
        active = await self._store.active_events()
        logged = {event.id: await self._last_logged(event.id) for event in active}
        self._book = book_from(history, active, self._settings.events, logged=logged)
        self._publisher.restore(
            await self._store.latest_platforms(), await self._store.latest_health(), active
        )

    async def _last_logged(self, event_id: str) -> int:
        last = 0
        async for entries in self._store.event_log(event_id):
            last = max(last, *(entry.sequence for entry in entries))
        return last

    async def record(self, cycle: Cycle) -> None:
        """Detect, store and show one cycle."""
        async with self._turn:
            step = advance(self._book, cycle.platforms, self._settings.events)
            self._book = step.book
            self._pending.append(Pending(cycle=cycle, changed=step.changed, log=step.log))
            stored = await self._store_pending()
            self._publisher.publish(cycle, self._book.active, stored=stored)
        _report(cycle, stored=stored)
        for entry in step.log:
            _report_event(entry)

    async def _store_pending(self) -> bool:
        """Store what waits, oldest first; True when all of it is durable."""
        while len(self._pending) > PENDING:
            given_up = self._pending.popleft()
            log.error("cycle given up, the store keeps failing", cycle=given_up.cycle.id)
        while self._pending:
            waiting = self._pending[0]
            try:
                await self._store.save(waiting.cycle, waiting.changed, waiting.log)
            except StorageError as error:
                self._publisher.storage_error("save")
                log.error("cycle not stored", cycle=waiting.cycle.id, error=str(error))
                return False
            self._pending.popleft()
        return True


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that is not durable yet, and what it did to events."""

    cycle: Cycle
    changed: tuple[Event, ...]
    log: tuple[EventLogEntry, ...]


def _report(cycle: Cycle, *, stored: bool) -> None:
    if not stored:
        return
    states = Counter(verdict.state for verdict in cycle.platforms)
    log.info(
        "cycle complete",
        cycle=cycle.id,
        vantage=cycle.vantage,
        health=cycle.health.state,
        looks=len(cycle.measurements),
        seconds=round((cycle.finished_at - cycle.started_at).total_seconds(), 1),
        **{str(state): count for state, count in sorted(states.items())},
    )


def _report_event(entry: EventLogEntry) -> None:
    event = entry.snapshot
    log.warning(
        "event",
        change=entry.change,
        event_id=entry.event,
        country=event.country,
        platform=event.platform,
        state=event.state,
        networks=list(event.networks_affected),
        methods=list(event.methods),
        detail=entry.detail,
    )
