"""Reviews and annotations, selected like the rest."""

from collections.abc import AsyncIterator, Sequence

from storage.store import Store
from storage.values.reviews import Annotation, Review
from storage.values.selection import Selection


async def reviews(store: Store, selection: Selection) -> AsyncIterator[Sequence[Review]]:
    """Reviews by the time they were given, which `since` and `until` select; a platform selects by
    the event."""
    events: set[str] | None = None
    if selection.platform:
        of_platform = Selection(country=selection.country, platform=selection.platform)
        events = {event.id async for page in store.events(of_platform) for event in page}
    found = [
        review
        for review in await store.reviews(selection.event)
        if selection.country in ("", review.country)
        and (events is None or review.event in events)
        and selection.covers(review.at)
    ]
    if found:
        yield found


async def annotations(store: Store, selection: Selection) -> AsyncIterator[Sequence[Annotation]]:
    """Annotations by their start, those that overlap the time selected."""
    found = await store.annotations(
        selection.country, selection.since, selection.until, selection.platform
    )
    if found:
        yield found
