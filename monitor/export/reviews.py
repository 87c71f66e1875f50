"""What people added, selected as the rest is: reviews of events, and annotations."""

from collections.abc import AsyncIterator, Sequence

from storage.store import Store
from storage.values.reviews import Annotation, Review
from storage.values.selection import Selection


async def reviews(store: Store, wanted: Selection) -> AsyncIterator[Sequence[Review]]:
    """Reviews by when they were given; `since` and `until` select by that, a platform by what the
    event is about."""
    events: set[str] | None = None
    if wanted.platform:
        about = Selection(country=wanted.country, platform=wanted.platform)
        events = {event.id async for page in store.events(about) for event in page}
    found = [
        review
        for review in await store.reviews(wanted.event)
        if wanted.country in ("", review.country)
        and (events is None or review.event in events)
        and (wanted.since is None or review.at >= wanted.since)
        and (wanted.until is None or review.at < wanted.until)
    ]
    if found:
        yield found


async def annotations(store: Store, wanted: Selection) -> AsyncIterator[Sequence[Annotation]]:
    """Annotations by when they begin, those that touch the time selected."""
    found = await store.annotations(wanted.country, wanted.since, wanted.until, wanted.platform)
    if found:
        yield found
