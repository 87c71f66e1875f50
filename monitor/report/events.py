"""The events of a report: its data files have all of them, its document those that say most."""

import heapq
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from monitor.analysis.events.continuation import continued_events
from monitor.analysis.events.event import Event, EventKind, EventLogEntry, EventState
from monitor.analysis.events.stretches import stretches
from monitor.export.continuations import reviews_of
from monitor.export.csv import value_lines
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.stretches import in_time, rows_in_time
from monitor.report.findings import Story, Wanted, is_proven
from monitor.report.row_files import new_file, write_rows
from storage.store import Store
from storage.values.selection import Selection

MOST_STORIES = 40
MOST_RELATED = 30
MOST_LOG = 40
MOST_REVIEWS = 50
_WEIGHTY = (
    EventKind.SHUTDOWN,
    EventKind.INTERNATIONAL_CUT,
    EventKind.ALLOWLIST,
    EventKind.OUTAGE,
)
"""Kinds that explain most of what a platform's tests show."""


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """What the document says of them, and how many rows the files have."""

    stories: tuple[Story, ...]
    stories_omitted: int
    related: tuple[Event, ...]
    related_omitted: int
    rows: dict[str, int]


async def gather_events(store: Store, wanted: Wanted, data: Path) -> Events:
    """Write `events.csv` and `stretches.csv` into the folder `data`, and choose what the document
    says. StorageError, OSError."""
    stories, related = _Best(MOST_STORIES), _Best(MOST_RELATED)
    count = spans = 0
    with (
        new_file(data / "events.csv", Kind.EVENTS) as events_file,
        new_file(data / "stretches.csv", Kind.STRETCHES) as stretches_file,
    ):
        async for batch in store.events(Selection(since=wanted.since, until=wanted.until)):
            events = [event for event in batch if _bears_on(event, wanted)]
            rows = [
                row for event in events for row in rows_in_time(event, wanted.since, wanted.until)
            ]
            write_rows(Kind.EVENTS, events_file, wanted, events)
            stretches_file.write(value_lines(EXPORTS[Kind.STRETCHES].columns, rows))
            count += len(events)
            spans += len(rows)
            for event in events:
                if event.kind is EventKind.BLOCK:
                    stands = event.state is not EventState.WITHDRAWN
                    stories.add(event, (is_proven(event), stands))
                else:
                    related.add(event, (_weight(event.kind), is_proven(event)))
    return Events(
        stories=tuple([await _story(store, event) for event in stories.kept]),
        stories_omitted=stories.omitted,
        related=tuple(related.kept),
        related_omitted=related.omitted,
        rows={"data/events.csv": count, "data/stretches.csv": spans},
    )


class _Best:
    """Of the events that it is given those of the highest rank, and of equal ones the newest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[Any, int, Event]] = []
        self._given = 0

    def add(self, event: Event, rank: Any) -> None:
        """One more, detected after those before."""
        self._given += 1
        heapq.heappush(self._heap, (rank, self._given, event))
        if len(self._heap) > self._most:
            heapq.heappop(self._heap)

    @property
    def kept(self) -> list[Event]:
        """Oldest first."""
        return [event for _, _, event in sorted(self._heap, key=itemgetter(1))]

    @property
    def omitted(self) -> int:
        return self._given - len(self._heap)


def _bears_on(event: Event, wanted: Wanted) -> bool:
    there = event.country in (wanted.country, "") and event.platform in (wanted.platform, "")
    return there and any(in_time(one, wanted.since, wanted.until) for one in stretches(event))


def _weight(kind: EventKind) -> int:
    return 2 if kind in _WEIGHTY else int(kind is not EventKind.VANTAGE_SILENT)


async def _story(store: Store, event: Event) -> Story:
    log: list[EventLogEntry] = []
    continuing: list[EventLogEntry] = []
    omitted = 0
    async for batch in store.event_log(event.id):
        room = MOST_LOG - len(log)
        log += batch[:room]
        omitted += max(0, len(batch) - room)
        continuing += [line for line in batch if continued_events(line)]
    reviews = await reviews_of(store, event.id, continuing)
    return Story(
        event=event,
        log=tuple(log),
        log_omitted=omitted,
        reviews=tuple(reviews[-MOST_REVIEWS:]),
    )
