"""The resources of the API: one table, from which the routes and the OpenAPI document are made."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.verdict import State, VantageHealth, VantageState, Verdict
from monitor.export.columns import (
    AVAILABILITY_COLUMNS,
    EVENT_COLUMNS,
    MEASUREMENT_COLUMNS,
    VANTAGE_COLUMNS,
    VERDICT_COLUMNS,
    Column,
    SummarisedMeasurement,
)
from monitor.server.api import parameters as p
from probes.measurement import Measurement
from storage.store import Store
from storage.values.cursor import LENGTHS, place_of
from storage.values.rollup import Availability
from storage.values.row_kind import RowKind
from storage.values.selection import Selection


def _same(value: Any) -> Any:
    return value


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of data: `/name` returns it in pages of JSON, `/name.csv` as one file."""

    name: str
    summary: str
    order: str
    """Columns by which the rows are ordered."""
    filters: tuple[p.Parameter, ...]
    columns: tuple[Column[Any], ...]
    rows: Callable[[Store, Selection], AsyncIterator[Sequence[Any]]]
    """Lists the selection from the store, in batches; respects `after` and `batch`."""
    prepare: Callable[[Any], Any] = _same
    """Makes the value that the columns read."""
    stored: RowKind | None = None
    """Stored rows that a CSV file is made of; None: it is made of `rows`, since there are few."""
    position: Callable[[Any], tuple[str, ...]] = place_of
    """The position of a row in the listing, for a cursor."""
    position_length: int
    """Number of its parts."""
    is_position: Callable[[Sequence[str]], bool] = lambda parts: True  # noqa: ARG005
    """Whether parts of that number can be a position."""
    public: bool = True
    """Whether readers who may not see vantages may read it."""


def _vantage_position(health: VantageHealth) -> tuple[str, ...]:
    return (health.country, health.vantage)


async def _vantages(store: Store, selection: Selection) -> AsyncIterator[Sequence[VantageHealth]]:
    """The latest health of every vantage; there are few, so the selection is made here."""
    yield [
        health
        for health in sorted(await store.latest_health(), key=_vantage_position)
        if selection.country in ("", health.country)
        and selection.vantage in ("", health.vantage)
        and selection.state in ("", health.state)
        and selection.asn in (None, health.asn)
        and _vantage_position(health) > selection.after
    ]


_WHERE = (p.COUNTRY, p.PLATFORM, p.ASN)
_WHEN = (p.SINCE, p.UNTIL)
_VERDICT_STATES = [state for state in State if state is not State.DEGRADED]

RESOURCES: tuple[Resource, ...] = (
    Resource(
        name="events",
        summary="Detected blocks and other events, in their present state",
        order="detected_at",
        filters=(*_WHERE, *_WHEN, p.state(EventState), p.EVENT),
        columns=EVENT_COLUMNS,
        rows=lambda store, selection: store.events(selection),
        position_length=LENGTHS[Event],
    ),
    Resource(
        name="availability",
        summary="Availability of platforms by the hour or day, with its coverage",
        order="country, platform and starts_at",
        filters=(*_WHERE, *_WHEN, p.PERIOD, p.BY),
        columns=AVAILABILITY_COLUMNS,
        rows=lambda store, selection: store.availability(selection),
        stored=RowKind.AVAILABILITY,
        position_length=LENGTHS[Availability],
        is_position=lambda parts: re.fullmatch(r"[0-9]{10}", parts[3]) is not None,
    ),
    Resource(
        name="verdicts",
        summary="The verdict on each endpoint in each cycle, and the rule behind it",
        order="judged_at",
        filters=(*_WHERE, *_WHEN, p.state(_VERDICT_STATES), p.EVENT, p.VANTAGE),
        columns=VERDICT_COLUMNS,
        rows=lambda store, selection: store.verdicts(selection),
        stored=RowKind.VERDICTS,
        position_length=LENGTHS[Verdict],
    ),
    Resource(
        name="measurements",
        summary="Each measurement, without any verdict",
        order="started_at",
        filters=(*_WHERE, *_WHEN, p.EVENT, p.VANTAGE),
        columns=MEASUREMENT_COLUMNS,
        rows=lambda store, selection: store.measurements(selection),
        stored=RowKind.MEASUREMENTS,
        prepare=SummarisedMeasurement.of,
        position_length=LENGTHS[Measurement],
    ),
    Resource(
        name="vantages",
        summary="The latest health of every vantage that ever reported; for operators only",
        order="country, vantage",
        filters=(p.COUNTRY, p.ASN, p.state(VantageState), p.VANTAGE),
        columns=VANTAGE_COLUMNS,
        rows=_vantages,
        position=_vantage_position,
        position_length=2,
        public=False,
    ),
)
"""In the order of the documentation."""
