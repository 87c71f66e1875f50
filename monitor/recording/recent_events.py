"""Events that are active, or were closed so lately that the metrics still show their end."""

from datetime import datetime

from monitor.analysis.events.event import Event
from monitor.metrics.snapshot import ENDED_SHOWN
from storage.store import Store
from storage.values.selection import Selection


async def recent_events(store: Store, now: datetime) -> list[Event]:
    """Stored events of about the last day, up to `now` (UTC). Raises StorageError."""
    # Twice as long, since an event is closed some time after its end.
    wanted = Selection(since=now - 2 * ENDED_SHOWN)
    return [event async for page in store.events(wanted) for event in page]
