"""Stretches of events as rows: those of the country, then those of each network."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.events.event import Event, NetworkStatus, Stretch
from monitor.analysis.events.stretches import stretches
from storage.store import Store
from storage.values.cursor import LENGTHS, place_of
from storage.values.selection import Selection

POSITION_LENGTH = LENGTHS[Event] + 1


class StretchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of an event."""

    event: Event
    network: NetworkStatus | None
    """None for a stretch of the country."""
    number: int
    """From 1, of those of the country or of the network."""
    count: int
    row: int
    """From 1, of all rows of the event."""
    stretch: Stretch

    @property
    def goes_on(self) -> bool:
        """Whether it was blocked when last tested, and is still tested."""
        seen = self.event.active and not self.event.wholly_unobserved
        return seen and self.stretch.end_earliest is None


def rows_of(event: Event) -> Iterator[StretchRow]:
    """All rows of one event, in order."""
    of_country = [(None, number, one) for number, one in enumerate(stretches(event), 1)]
    of_networks = [
        (network, number, one)
        for network in event.networks
        for number, one in enumerate(network.stretches, 1)
    ]
    for row, (network, number, one) in enumerate((*of_country, *of_networks), 1):
        count = len(of_country) if network is None else len(network.stretches)
        yield StretchRow(
            event=event, network=network, number=number, count=count, row=row, stretch=one
        )


def in_time(stretch: Stretch, since: datetime | None, until: datetime | None) -> bool:
    """Whether a stretch may lie in the time from `since` to before `until`: between two of them it
    was found open."""
    begun = until is None or stretch.onset_earliest is None or stretch.onset_earliest < until
    return begun and (since is None or stretch.end_latest is None or stretch.end_latest > since)


def rows_in_time(event: Event, since: datetime | None, until: datetime | None) -> list[StretchRow]:
    """Those rows of one event whose own stretch may lie in that time; each keeps its number."""
    return [row for row in rows_of(event) if in_time(row.stretch, since, until)]


def position_of(row: StretchRow) -> tuple[str, ...]:
    """The place of a row in the listing: that of its event, and its own among the event's."""
    return (*place_of(row.event), f"{row.row:06}")


async def stretch_rows(
    store: Store,
    selection: Selection,
    events: Callable[[Selection], AsyncIterator[Sequence[Event]]] | None = None,
) -> AsyncIterator[Sequence[StretchRow]]:
    """The rows in the time selected of the selected events, by when these were detected; `after` is
    a `position_of`.

    `events` lists events in place of the store's own.
    """

    def rows(event: Event) -> list[StretchRow]:
        return rows_in_time(event, selection.since, selection.until)

    if selection.after:
        *place, row = selection.after
        begun = msgspec.structs.replace(selection, after=(), event=place[-1], batch=1)
        async for batch in store.events(begun):
            if rest := [one for event in batch for one in rows(event) if one.row > int(row)]:
                yield rest
        if selection.event:
            return
        selection = msgspec.structs.replace(selection, after=tuple(place))
    async for batch in (events or store.events)(selection):
        if found := [row for event in batch for row in rows(event)]:
            yield found
