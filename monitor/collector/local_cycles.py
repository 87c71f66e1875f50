"""What a collector's own vantages see goes the way of everything that agents hand in: it is stored,
and waits for judgement. There is one path from a look to an event.

What the vantage itself makes of a cycle only tells what to look at again soon.
"""

import hashlib
from collections import deque
from collections.abc import Callable
from datetime import datetime

from monitor.analysis.events.fold import EventBook, advance
from monitor.config.settings import Settings
from monitor.logs import logger
from storage.store import FleetStore, StorageError
from storage.values.cycle import Cycle
from storage.values.fleet import ReceivedBatch, SeenCycle

log = logger(__name__)

PENDING = 100
"""Cycles kept while the store fails; beyond that the oldest are given up, and said so."""


class LocalCycles:
    """Keeps finished cycles of this process: a `monitor.app.cycle_job.CycleRecorder`."""

    def __init__(
        self,
        settings: Settings,
        store: FleetStore,
        failed: Callable[[str], None],
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`failed` is told what the store failed at, `now` gives UTC."""
        self._settings = settings
        self._store = store
        self._failed = failed
        self._now = now
        self._book = EventBook()
        self._pending: deque[Cycle] = deque()

    @property
    def book(self) -> EventBook:
        """What these vantages suspect, each by itself."""
        return self._book

    def use(self, settings: Settings) -> None:
        """Go by other settings from now on."""
        self._settings = settings

    async def record(self, cycle: Cycle) -> None:
        """Store it to be judged; with those before it that the store could not take."""
        step = advance(self._book, cycle.platforms, self._settings.events, health=cycle.health)
        self._book = step.book
        self._pending.append(cycle)
        while len(self._pending) > PENDING:
            given_up = self._pending.popleft()
            log.error("cycle given up, the store keeps failing", cycle=given_up.id)
        while self._pending:
            waiting = self._pending[0]
            try:
                await self._hand_over(waiting)
            except StorageError as error:
                self._failed("save")
                log.error("cycle not stored", cycle=waiting.id, error=str(error))
                return
            if self._pending and self._pending[0] is waiting:
                self._pending.popleft()

    async def _hand_over(self, cycle: Cycle) -> None:
        own = tuple(look for look in cycle.measurements if look.vantage == cycle.vantage)
        for_it = [look for look in cycle.measurements if look.vantage != cycle.vantage]
        if for_it:
            # Before the cycle, which is judged as soon as it is there.
            await self._store.add_control_measurements(for_it)
        seen = SeenCycle(
            country=cycle.country,
            id=cycle.id,
            vantage=cycle.vantage,
            started_at=cycle.started_at,
            finished_at=cycle.finished_at,
            health=cycle.health,
            hurried=cycle.hurried,
            measurements=own,
        )
        await self._store.receive(_unsigned(cycle, self._now()), (seen,))


def _unsigned(cycle: Cycle, now: datetime) -> ReceivedBatch:
    """Nobody signs what never left this machine."""
    return ReceivedBatch(
        country=cycle.country,
        vantage=cycle.vantage,
        id=cycle.id,
        fingerprint="",
        sent_at="",
        encoding="identity",
        signature="",
        body_sha256=hashlib.sha256(b"").hexdigest(),
        body=b"",
        received_at=now,
    )
