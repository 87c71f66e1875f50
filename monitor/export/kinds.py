"""What can be exported: its columns, and where its rows come from."""

from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from monitor.export.columns import (
    ANNOTATION_COLUMNS,
    AVAILABILITY_COLUMNS,
    EVENT_COLUMNS,
    MEASUREMENT_COLUMNS,
    REVIEW_COLUMNS,
    STRETCH_COLUMNS,
    VERDICT_COLUMNS,
    WITHHELD_COLUMNS,
    Column,
    SummarisedMeasurement,
)
from monitor.export.reviews import annotations, reviews
from monitor.export.stretches import stretch_rows
from monitor.export.withheld import withheld
from storage.store import Store
from storage.values.row_kind import RowKind
from storage.values.selection import Selection


class Kind(StrEnum):
    """What can be written."""

    MEASUREMENTS = "measurements"
    VERDICTS = "verdicts"
    EVENTS = "events"
    STRETCHES = "stretches"
    AVAILABILITY = "availability"
    REVIEWS = "reviews"
    ANNOTATIONS = "annotations"
    WITHHELD = "withheld"


class Export(msgspec.Struct, frozen=True):
    """One kind of file."""

    columns: tuple[Column[Any], ...]
    batches: Callable[[Store, Selection], AsyncIterator[Sequence[Any]]]
    prepare: Callable[[Any], Any] = lambda value: value
    """Makes what the columns read of what the store gives."""
    recomputed: Callable[[Store, str, Selection], AsyncIterator[Sequence[Any]]] | None = None
    """The same of one recomputation, by its id; None for what is never recomputed."""
    stored: RowKind | None = None
    """The stored rows that a CSV file is made of; None where it is made of values."""

    def rows(
        self, store: Store, selection: Selection, rejudging: str = ""
    ) -> AsyncIterator[Sequence[Any]]:
        """What is selected, not yet prepared, in the order of time.

        With `rejudging` the results of the recomputation of that id, in place of the first ones.
        ValueError for a recomputation of what is never recomputed.
        """
        if not rejudging:
            return self.batches(store, selection)
        if self.recomputed is None:
            raise ValueError("such rows are never recomputed")
        return self.recomputed(store, rejudging, selection)


EXPORTS = {
    Kind.MEASUREMENTS: Export(
        MEASUREMENT_COLUMNS,
        lambda store, wanted: store.measurements(wanted),
        SummarisedMeasurement.of,
        stored=RowKind.MEASUREMENTS,
    ),
    Kind.VERDICTS: Export(
        VERDICT_COLUMNS,
        lambda store, wanted: store.verdicts(wanted),
        recomputed=lambda store, of, wanted: store.rejudged_verdicts(of, wanted),
        stored=RowKind.VERDICTS,
    ),
    Kind.EVENTS: Export(
        EVENT_COLUMNS,
        lambda store, wanted: store.events(wanted),
        recomputed=lambda store, of, wanted: store.rejudged_events(of, wanted),
    ),
    Kind.STRETCHES: Export(
        STRETCH_COLUMNS,
        stretch_rows,
        recomputed=lambda store, of, wanted: stretch_rows(
            store, wanted, lambda selection: store.rejudged_events(of, selection)
        ),
    ),
    Kind.AVAILABILITY: Export(
        AVAILABILITY_COLUMNS,
        lambda store, wanted: store.availability(wanted),
        stored=RowKind.AVAILABILITY,
    ),
    Kind.REVIEWS: Export(REVIEW_COLUMNS, reviews),
    Kind.ANNOTATIONS: Export(ANNOTATION_COLUMNS, annotations),
    Kind.WITHHELD: Export(WITHHELD_COLUMNS, withheld),
}


def columns(kind: Kind | str) -> tuple[Column[Any], ...]:
    """The columns of a kind of file, in order. ValueError for an unknown kind."""
    return EXPORTS[Kind(kind)].columns
