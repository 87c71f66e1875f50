"""The cycles of a collector's own vantages take the way of all that agents send: they are stored,
and wait until the leader judges them.

The verdicts made here only decide what to measure again soon.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from monitor.analysis.events.detection import EventBook, advance
from monitor.collector.batch_checks import frame_of
from monitor.config.settings import Settings
from monitor.recording.backlog import Backlog
from storage.store import FleetStore
from storage.values.cycle import Cycle
from storage.values.fleet import ReceivedBatch, SeenCycle


class LocalCycles:
    """Queues the cycles of this process. A `monitor.app.cycle_job.CycleRecorder`."""

    def __init__(
        self,
        settings: Settings,
        store: FleetStore,
        failed: Callable[[str], None],
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`failed` counts what the store failed at, `now` gives UTC."""
        self._settings = settings
        self._store = store
        self._now = now
        self.book = EventBook()
        """The detectors of these vantages, each by itself."""
        self._backlog = Backlog[Cycle](self._queue, lambda one: one.id, failed)

    def use(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._settings = settings

    async def record(self, cycle: Cycle) -> None:
        """Store it to be judged, after those that the store could not take."""
        events = self._settings.events
        self.book = advance(self.book, cycle.platforms, events, health=cycle.health).book
        await self._backlog.add(cycle)

    async def _queue(self, cycle: Cycle) -> None:
        own = tuple(one for one in cycle.measurements if one.vantage == cycle.vantage)
        for_it = [one for one in cycle.measurements if one.vantage != cycle.vantage]
        if for_it:
            # Before the cycle, which is judged as soon as it is there.
            await self._store.add_control_measurements(for_it)
        received_at = self._now()
        frame = frame_of(received_at, self._settings.interval, self._settings.retention.raw)
        seen = SeenCycle(
            country=cycle.country,
            id=cycle.id,
            vantage=cycle.vantage,
            started_at=cycle.started_at,
            finished_at=cycle.finished_at,
            health=cycle.health,
            hurried=cycle.hurried,
            backfilled=frame.is_late(cycle.finished_at),
            measurements=own,
        )
        # Nobody signs what never left this machine.
        batch = ReceivedBatch(
            country=cycle.country,
            vantage=cycle.vantage,
            id=cycle.id,
            fingerprint="",
            sent_at="",
            encoding="identity",
            signature="",
            body_sha256=hashlib.sha256(b"").hexdigest(),
            body=b"",
            received_at=received_at,
        )
        await self._store.receive(batch, (seen,))
