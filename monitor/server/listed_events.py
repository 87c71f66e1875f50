"""The events that a reader selects: those that are stored, and those that are active now."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

import msgspec

from monitor.analysis.events.event import Event, EventState
from monitor.export.continuations import continued_now, reviews_by_event
from monitor.export.kinds import Kind
from monitor.export.public_view import PublicView, is_public
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.metrics.snapshot import Snapshot
from monitor.server.event_filter import PAGES, EventFilter, read_filter, shown_names
from monitor.server.page import Reader
from storage.store import StorageError, Store
from storage.values.names import Names
from storage.values.reviews import Mark, Review, deciding_review

log = logger(__name__)

A_PAGE = 40
"""Events that are shown at once: as many as make a page of less than 60 kB."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    events: tuple[Event, ...]
    """The newest onset first: as many as there are pages for, and all that are active."""
    complete: bool
    """Whether the store could be read."""


class KnownOf(msgspec.Struct, frozen=True, kw_only=True):
    """What the store has of events besides."""

    reviews: Mapping[str, Sequence[Review]]
    """By event, the oldest first, with those of the events that it continues."""
    continued_as: Mapping[str, str]
    """Event → the one that continues it."""
    corrected_at: Mapping[str, datetime]
    """Of active events that are not confirmed: when they were corrected last (UTC)."""


class ListedEvents:
    """Lists events, as their reader may see them."""

    def __init__(
        self, publisher: Publisher, store: Store | None, view: Callable[[], PublicView]
    ) -> None:
        """`view` is what readers see who are no operators."""
        self._publisher = publisher
        self._store = store
        self._view = view

    async def wanted(self, items: Iterable[tuple[str, str]], at: datetime) -> EventFilter:
        """The filter in a query string. FilterError."""
        return await read_filter(items, shown_names(self._publisher.snapshot), at, self.names)

    async def of(self, reader: Reader, wanted: EventFilter, at: datetime) -> Listed:
        """Those selected."""
        complete = True
        found: deque[Event] = deque(maxlen=len(PAGES) * A_PAGE)
        selection = wanted.selection(at)
        if not reader.operator:  # when an event leaves the list shall not tell its end
            selection = self._view().selection(Kind.EVENTS, selection, at)
        try:
            if self._store is not None:
                async with aclosing(self._store.events(selection)) as batches:  # type: ignore[type-var]
                    async for batch in batches:
                        found += [self.seen(reader, one) for one in batch if may_see(reader, one)]
        except StorageError as error:
            log.error("events cannot be read", error=str(error))
            complete = False
        snapshot = self.snapshot(reader)
        events = {event.id: event for event in found}
        for event in (*snapshot.blocks, *snapshot.circumstances):
            if wanted.includes(event):
                events.setdefault(event.id, event)
        newest = sorted(events.values(), key=lambda one: (one.onset_latest, one.id), reverse=True)
        return Listed(events=tuple(newest), complete=complete)

    async def known_of(self, events: Sequence[Event]) -> KnownOf | None:
        """What is stored of these events besides; None when it cannot be read."""
        if self._store is None:
            return KnownOf(reviews={}, continued_as={}, corrected_at={})
        gone = [event.id for event in events if event.state is EventState.WITHDRAWN]
        try:
            return KnownOf(
                reviews=await reviews_by_event(self._store),
                continued_as=await continued_now(self._store, gone),
                corrected_at=await _corrected(self._store, events),
            )
        except StorageError as error:
            log.error("reviews cannot be read", error=str(error))
            return None

    async def marks(self) -> dict[str, Mark]:
        """Event → the review that holds; empty when reviews cannot be read."""
        known = await self.known_of(())
        by_event = known.reviews if known is not None else {}
        holding = {event: deciding_review(reviews) for event, reviews in by_event.items()}
        return {event: review.mark for event, review in holding.items() if review is not None}

    async def continued(self, events: Sequence[Event]) -> frozenset[str]:
        """Those of these events that continue as another one; none where that cannot be read."""
        known = [event.id for event in events if event.state is EventState.WITHDRAWN]
        if self._store is None or not known:
            return frozenset()
        try:
            return frozenset(await continued_now(self._store, known))
        except StorageError as error:
            log.error("logs of events cannot be read", error=str(error))
            return frozenset()

    def seen(self, reader: Reader, event: Event) -> Event:
        """An event as this reader sees it."""
        return event if reader.operator else self._view().event(event)

    def snapshot(self, reader: Reader) -> Snapshot:
        """The present as this reader sees it."""
        snapshot = self._publisher.snapshot
        return snapshot if reader.operator else public_snapshot(snapshot, self._view())

    async def names(self) -> Names:
        """Names that are stored; empty when they cannot be read."""
        try:
            return await self._store.names() if self._store is not None else Names()
        except StorageError as error:
            log.error("stored names cannot be read", error=str(error))
            return Names()


def public_snapshot(snapshot: Snapshot, view: PublicView) -> Snapshot:
    """The present as everybody sees it."""
    return msgspec.structs.replace(
        snapshot,
        events={key: view.event(event) for key, event in snapshot.events.items()},
        unwatched=tuple(map(view.event, snapshot.unwatched)),
        circumstances=tuple(map(view.event, filter(is_public, snapshot.circumstances))),
    )


def may_see(reader: Reader, event: Event) -> bool:
    """Whether this reader may see an event at all."""
    return reader.operator or is_public(event)


async def _corrected(store: Store, events: Sequence[Event]) -> dict[str, datetime]:
    """When late data, or a vantage that was left out, last changed what was said of the newest of
    these events that are not confirmed: they may have been. Raises StorageError."""
    unsure = [one.id for one in events if one.active and one.confirmed_at is None]
    return {
        line.event: line.at
        for event in unsure[:A_PAGE]
        async for page in store.event_log(event)
        for line in page
        if line.change == "revised"
    }
