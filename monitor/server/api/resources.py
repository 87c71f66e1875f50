"""What there is to ask for: one table, from which routes, documents and pages are made."""

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
    """One kind of thing: `/name` gives pages of JSON, `/name.csv` all of it as a file."""

    name: str
    summary: str
    order: str
    """By which columns its rows come."""
    filters: tuple[p.Parameter, ...]
    columns: tuple[Column[Any], ...]
    rows: Callable[[Store, Selection], AsyncIterator[Sequence[Any]]]
    """What the store lists, in batches; honours `after` and `batch`."""
    prepare: Callable[[Any], Any] = _same
    """Makes what the columns read."""
    stored: RowKind | None = None
    """The stored rows that a file is made of; None where it is made of `rows`."""
    place: Callable[[Any], tuple[str, ...]] = place_of
    place_length: int
    is_place: Callable[[Sequence[str]], bool] = lambda place: True  # noqa: ARG005
    """Whether parts of that number can be a place."""
    public: bool = True
    """Whether there is anything in it for readers who may not see vantages."""


def place_of_vantage(health: VantageHealth) -> tuple[str, ...]:
    """Where a vantage stands among all."""
    return (health.country, health.vantage)


async def _vantages(store: Store, selection: Selection) -> AsyncIterator[Sequence[VantageHealth]]:
    """The newest health of every vantage: few, so they are selected here."""
    yield [
        health
        for health in sorted(await store.latest_health(), key=place_of_vantage)
        if selection.country in ("", health.country)
        and selection.vantage in ("", health.vantage)
        and selection.state in ("", health.state)
        and selection.asn in (None, health.asn)
        and place_of_vantage(health) > selection.after
    ]


_PLACE = (p.COUNTRY, p.PLATFORM, p.ASN)
_TIME = (p.SINCE, p.UNTIL)
_VERDICT_STATES = [state for state in State if state is not State.DEGRADED]

RESOURCES: tuple[Resource, ...] = (
    Resource(
        name="events",
        summary="Blocks and other events that were detected, as they stand now",
        order="detected_at",
        filters=(*_PLACE, *_TIME, p.state(EventState), p.EVENT),
        columns=EVENT_COLUMNS,
        rows=lambda store, wanted: store.events(wanted),
        place_length=LENGTHS[Event],
    ),
    Resource(
        name="availability",
        summary="How much of each hour or day a platform could be reached, and how much is known",
        order="country, platform and starts_at",
        filters=(*_PLACE, *_TIME, p.PERIOD, p.BY),
        columns=AVAILABILITY_COLUMNS,
        rows=lambda store, wanted: store.availability(wanted),
        stored=RowKind.AVAILABILITY,
        place_length=LENGTHS[Availability],
        is_place=lambda place: place[3].isascii() and place[3].isdecimal() and len(place[3]) == 10,
    ),
    Resource(
        name="verdicts",
        summary="What was concluded of each endpoint in each cycle, and by which rule",
        order="judged_at",
        filters=(*_PLACE, *_TIME, p.state(_VERDICT_STATES), p.EVENT, p.VANTAGE),
        columns=VERDICT_COLUMNS,
        rows=lambda store, wanted: store.verdicts(wanted),
        stored=RowKind.VERDICTS,
        place_length=LENGTHS[Verdict],
    ),
    Resource(
        name="measurements",
        summary="What was seen in each look, with no judgement in it",
        order="started_at",
        filters=(*_PLACE, *_TIME, p.EVENT, p.VANTAGE),
        columns=MEASUREMENT_COLUMNS,
        rows=lambda store, wanted: store.measurements(wanted),
        stored=RowKind.MEASUREMENTS,
        prepare=SummarisedMeasurement.of,
        place_length=LENGTHS[Measurement],
    ),
    Resource(
        name="vantages",
        summary="The newest health of every vantage that ever reported; for operators alone",
        order="country, vantage",
        filters=(p.COUNTRY, p.ASN, p.state(VantageState), p.VANTAGE),
        columns=VANTAGE_COLUMNS,
        rows=_vantages,
        place=place_of_vantage,
        place_length=2,
        public=False,
    ),
)
"""In the order of the documents."""
