"""The monitor's results so far, read from its database."""

from collections.abc import AsyncIterator

from monitor.analysis.events.event import Event, EventKind, EventLogEntry
from monitor.demo.chapters import Results
from monitor.demo.plan import COUNTRY, VICTIM
from monitor.notify.notice_kinds import NoticeKind
from storage.store import Store
from storage.values.outbox import NoticeState
from storage.values.selection import Selection


class Watcher:
    """Reads the store that the monitor fills."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = 0
        """Sequence of the last log entry that was returned."""

    async def read(self) -> Results:
        """What is stored now. Raises StorageError."""
        verdicts = await self._store.latest_platforms()
        return Results(
            {(verdict.vantage, verdict.platform): verdict for verdict in verdicts},
            await self._event(),
            messages_wait=await self._messages_wait(),
        )

    async def new_entries(self, event: Event) -> AsyncIterator[EventLogEntry]:
        """The event's log entries since the last call."""
        async for entries in self._store.event_log(event.id):
            for entry in entries:
                if entry.sequence > self._last:
                    self._last = entry.sequence
                    yield entry

    async def _messages_wait(self) -> bool:
        waiting = await self._store.outbox(NoticeState.PENDING)
        # Those of more networks are gathered for an hour.
        return any(one.occasion != NoticeKind.SPREAD for one in waiting)

    async def _event(self) -> Event | None:
        wanted = Selection(country=COUNTRY, platform=VICTIM)
        found = [
            event
            async for events in self._store.events(wanted)
            for event in events
            if event.kind is EventKind.BLOCK
        ]
        return found[-1] if found else None
