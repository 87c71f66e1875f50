"""Events that continue as another one: which one that is, and the reviews of all of them."""

from collections.abc import Iterable

from monitor.analysis.events.continuation import continued_by, continued_events
from monitor.analysis.events.event import Event, EventLogEntry, EventState
from storage.store import Store
from storage.values.reviews import Review

MOST = 20
"""Events whose reviews are read, the nearest first."""


async def goes_on_now(store: Store, event: Event) -> str:
    """The id of the event that this one continues as; empty for none. Raises StorageError."""
    last: EventLogEntry | None = None
    if event.state is EventState.WITHDRAWN:
        async for page in store.event_log(event.id):
            last = page[-1]
    return continued_by(last) if last is not None else ""


async def reviews_of(store: Store, event_id: str, log: Iterable[EventLogEntry]) -> list[Review]:
    """The reviews of an event whose log this is, and of the events that continue it, the oldest
    first. Each names its event. Raises StorageError."""
    found = await store.reviews(event_id)
    known = {event_id}
    ahead = [one for line in log for one in continued_events(line)]
    while ahead and len(known) <= MOST:
        other = ahead.pop(0)
        if other in known:
            continue
        known.add(other)
        found += await store.reviews(other)
        async for page in store.event_log(other):
            ahead += [one for line in page for one in continued_events(line)]
    return sorted(found, key=lambda one: (one.at, one.id))
