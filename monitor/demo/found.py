"""What the monitor found so far, read from its database, as anybody may."""

from collections.abc import AsyncIterator

from monitor.analysis.events.event import Event, EventKind, EventLogEntry
from monitor.demo.chapters import Sight
from monitor.demo.plan import COUNTRY, VICTIM
from storage.store import Store
from storage.values.selection import Selection


class Watcher:
    """Reads a store that somebody else fills."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told = 0

    async def look(self) -> Sight:
        """What is stored now. Raises StorageError."""
        verdicts = await self._store.latest_platforms()
        return Sight(
            {(verdict.vantage, verdict.platform): verdict for verdict in verdicts},
            await self._event(),
        )

    async def news(self, event: Event) -> AsyncIterator[EventLogEntry]:
        """What was logged of the event since this was asked last."""
        async for entries in self._store.event_log(event.id):
            for entry in entries:
                if entry.sequence > self._told:
                    self._told = entry.sequence
                    yield entry

    async def _event(self) -> Event | None:
        wanted = Selection(country=COUNTRY, platform=VICTIM)
        found = [
            event
            async for events in self._store.events(wanted)
            for event in events
            if event.kind is EventKind.BLOCK
        ]
        return found[-1] if found else None
