"""The resources of the API: one table, from which the routes and the OpenAPI document are made."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.verdict import State, VantageHealth, VantageState, Verdict
from monitor.export.columns import VANTAGE_COLUMNS, Column
from monitor.export.kinds import EXPORTS, Export, Kind
from monitor.export.stretches import POSITION_LENGTH, position_of
from monitor.server.api import parameters as p
from probes.measurement import Measurement
from storage.store import Store
from storage.values.cursor import LENGTHS, place_of
from storage.values.rollup import Availability
from storage.values.selection import Selection
from storage.values.times import text_time, time_text
from storage.values.withheld import Withheld


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of data: `/name` returns it in pages of JSON, `/name.csv` as one file."""

    name: str
    summary: str
    order: str
    """Columns by which the rows are ordered."""
    filters: tuple[p.Parameter, ...]
    export: Export
    """Its columns and rows, which are those of the files."""
    position: Callable[[Any], tuple[str, ...]] = place_of
    """The position of a row in the listing, for a cursor."""
    position_length: int
    """Number of its parts."""
    is_position: Callable[[Sequence[str]], bool] = lambda parts: True  # noqa: ARG005
    """Whether parts of that number can be a position."""
    covered: bool = False
    """Whether an empty answer could be taken for good news: then a page carries the coverage."""
    witnessed: bool = False
    """Whether a page carries what others measured in the time of its rows, which are events."""
    public: bool = True
    """Whether readers who may not see vantages may read it."""

    @property
    def columns(self) -> tuple[Column[Any], ...]:
        """In the order of the file."""
        return self.export.columns


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


def _withheld_position(one: Withheld) -> tuple[str, ...]:
    return (time_text(one.since), one.country, one.url)


def _is_availability_position(parts: Sequence[str]) -> bool:
    try:
        known = time_text(text_time(parts[2])) == parts[2]
    except ValueError:
        return False
    return known and re.fullmatch(r"[0-9]{10}", parts[3]) is not None


_WHERE = (p.COUNTRY, p.PLATFORM, p.ASN)
_WHEN = (p.SINCE, p.UNTIL)
_VERDICT_STATES = [state for state in State if state is not State.DEGRADED]

RESOURCES: tuple[Resource, ...] = (
    Resource(
        name="events",
        summary="Detected blocks and other events, in their present state",
        order="detected_at",
        filters=(*_WHERE, *_WHEN, p.state(EventState), p.EVENT),
        export=EXPORTS[Kind.EVENTS],
        covered=True,
        witnessed=True,
        position_length=LENGTHS[Event],
    ),
    Resource(
        name="stretches",
        summary="The blocked stretches of each event, in its country and on each network",
        order="detected_at of the event",
        filters=(*_WHERE, *_WHEN, p.state(EventState), p.EVENT),
        export=EXPORTS[Kind.STRETCHES],
        covered=True,
        position=position_of,
        position_length=POSITION_LENGTH,
        is_position=lambda parts: re.fullmatch(r"[0-9]{6}", parts[-1]) is not None,
    ),
    Resource(
        name="availability",
        summary="Availability of platforms by the hour, day or month, with its coverage",
        order="country, platform and starts_at",
        filters=(*_WHERE, *_WHEN, p.PERIOD, p.BY, p.TIMEZONE),
        export=EXPORTS[Kind.AVAILABILITY],
        position_length=LENGTHS[Availability],
        is_position=_is_availability_position,
    ),
    Resource(
        name="verdicts",
        summary="The verdict on each endpoint in each cycle, and the rule behind it",
        order="judged_at",
        filters=(*_WHERE, *_WHEN, p.state(_VERDICT_STATES), p.EVENT, p.VANTAGE),
        export=EXPORTS[Kind.VERDICTS],
        position_length=LENGTHS[Verdict],
    ),
    Resource(
        name="measurements",
        summary="Each measurement, without any verdict",
        order="started_at",
        filters=(*_WHERE, *_WHEN, p.EVENT, p.VANTAGE),
        export=EXPORTS[Kind.MEASUREMENTS],
        position_length=LENGTHS[Measurement],
    ),
    Resource(
        name="withheld",
        summary="Posts, accounts and videos that platforms themselves withhold in a country",
        order="since",
        filters=(p.COUNTRY, p.PLATFORM, *_WHEN),
        export=EXPORTS[Kind.WITHHELD],
        position=_withheld_position,
        position_length=3,
    ),
    Resource(
        name="vantages",
        summary="The latest health of every vantage that ever reported; for operators only",
        order="country, vantage",
        filters=(p.COUNTRY, p.ASN, p.state(VantageState), p.VANTAGE),
        export=Export(VANTAGE_COLUMNS, _vantages),
        position=_vantage_position,
        position_length=2,
        public=False,
    ),
)
"""In the order of the documentation."""
