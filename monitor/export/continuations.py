"""Events that continue as another one: which one that is, and the reviews of all of them."""

from collections.abc import Collection, Iterable

from monitor.analysis.events.continuation import continued_by, continued_events
from monitor.analysis.events.event import Event, EventLogEntry, EventState
from storage.store import Store
from storage.values.reviews import Review

MOST = 20
"""Events whose reviews are read, the nearest first."""


async def goes_on_now(store: Store, event: Event) -> str:
    """The id of the event that this one continues as; empty for none. Raises StorageError."""
    if event.state is not EventState.WITHDRAWN:
        return ""
    return (await continued_now(store, [event.id])).get(event.id, "")


async def continued_now(store: Store, events: Collection[str]) -> dict[str, str]:
    """Of these events those that continue as another one, each with the id of that one. Raises
    StorageError."""
    last = await store.last_log_lines(events) if events else []
    return {line.event: other for line in last if (other := continued_by(line))}


async def reviews_by_event(store: Store) -> dict[str, list[Review]]:
    """All reviews by event, the oldest first: each event also has those of the events that it
    continues, directly or through others. Raises StorageError."""
    found: dict[str, list[Review]] = {}
    for review in await store.reviews():
        found.setdefault(review.event, []).append(review)
    given = {event: tuple(reviews) for event, reviews in found.items()}
    after = dict[str, str]()
    ahead = {*given}
    while ahead:
        more = await continued_now(store, ahead)
        after |= more
        ahead = {*more.values()} - {*after, *given}
    for event, reviews in given.items():
        known = {event}
        while (event := after.get(event, event)) not in known:
            known.add(event)
            found[event] = _in_order([*found.get(event, ()), *reviews])
    return found


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
    return _in_order(found)


def _in_order(reviews: Iterable[Review]) -> list[Review]:
    return sorted(reviews, key=lambda one: (one.at, one.id))
