"""How stored rows are listed: page after page, each found by where the one before it ended.

No cursor stays open between pages, so a reader of years of data holds neither a transaction nor
memory.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.sql.functions import coalesce

from monitor.analysis.events.event import ACTIVE_STATES
from probes.measurement import HttpObservation, Measurement, TlsObservation
from storage.sql import codecs, schema
from storage.sql.codec import Codec
from storage.store import Selection, StorageError, StoredCycle
from storage.values.compression import PackingError
from storage.values.network_query import network_blocked
from storage.values.times import text_time, time_text

T = TypeVar("T", bound=msgspec.Struct)

PAGE_WEIGHT = 4_000_000
"""A page ends early when what it carries exceeds this: block pages can be half a megabyte each."""

Key = tuple[Any, ...]
"""Where a page ended: the ordering columns of its last row."""


class Listing(Generic[T]):
    """One kind of value: its table, and the order it is listed in."""

    def __init__(
        self,
        table: Table,
        codec: Codec[T],
        *order: str | Column[Any],
        weigh: Callable[[T], int] = lambda value: 0,  # noqa: ARG005
    ) -> None:
        """`order` names columns; together they must be unique, so that no row is lost. One of
        another table needs a `where` that joins it.

        `weigh` tells the bytes in a value that can be large.
        """
        self.table = table
        self.codec = codec
        self.order = [table.c[name] if isinstance(name, str) else name for name in order]
        self._weigh = weigh
        self._columns = [table.c[name] for name in codec.names] + self.order

    def page(
        self,
        connection: Connection,
        where: Sequence[ColumnElement[bool]] = (),
        start: ColumnElement[bool] | None = None,
        after: Key | None = None,
        limit: int | None = None,
    ) -> tuple[list[T], Key | None]:
        """The next rows that meet `where`, and the key to go on after, None at the end.

        `start` bounds the first page from below; later pages are bounded by `after` alone,
        or the database would search from the start again for each.
        """
        query = self.query(where, start, after, limit)
        found: list[T] = []
        weight = 0
        with connection.execute(query) as rows:
            for row in rows:
                found.append(self._decode(row))
                weight += self._weigh(found[-1])
                if weight > PAGE_WEIGHT or len(found) == limit:
                    return found, tuple(row[-len(self.order) :])
        return found, None

    def query(
        self,
        where: Sequence[ColumnElement[bool]] = (),
        start: ColumnElement[bool] | None = None,
        after: Key | None = None,
        limit: int | None = None,
    ) -> Select[Any]:
        """What `page` asks of the database."""
        query = select(*self._columns).where(*where).order_by(*self.order).limit(limit)
        if after is not None:
            return query.where(tuple_(*self.order) > tuple_(*after))
        return query if start is None else query.where(start)

    def _decode(self, row: Sequence[Any]) -> T:
        try:
            return self.codec.decode(row)
        except (ValueError, PackingError) as error:
            key = ", ".join(str(cell) for cell in row[-len(self.order) :])
            raise StorageError(
                f"table {self.table.name} holds a row this version cannot read ({key}): {error}"
            ) from error


def _measurement_weight(measurement: Measurement) -> int:
    """Bodies and certificates kept as evidence; everything else is small."""
    return sum(
        len(observation.body)
        if isinstance(observation, HttpObservation)
        else sum(map(len, observation.chain))
        if isinstance(observation, TlsObservation)
        else 0
        for observation in measurement.observations
    )


class _StoredCycleCodec(Codec[StoredCycle]):
    """Reads a cycle from its vantage's health and the last ordering columns of a listing."""

    def __init__(self) -> None:
        super().__init__(StoredCycle)
        self.names = codecs.HEALTH.names

    def decode(self, cells: Sequence[Any]) -> StoredCycle:
        country, id_, started_at, finished_at = cells[len(self.names) :][-4:]
        health = codecs.HEALTH.decode(cells)
        return StoredCycle(
            id=id_,
            vantage=health.vantage,
            country=country,
            started_at=text_time(started_at),
            finished_at=text_time(finished_at),
            health=health,
        )


_JUDGEMENT = ("judged_at", "country", "cycle", "vantage", "platform")
MEASUREMENTS = Listing(
    schema.measurement,
    codecs.MEASUREMENT,
    *("started_at", "country", "id"),
    weigh=_measurement_weight,
)
VERDICTS = Listing(schema.verdict, codecs.VERDICT, *_JUDGEMENT, "role", "endpoint")
PLATFORMS = Listing(schema.platform_verdict, codecs.PLATFORM, *_JUDGEMENT)
RECEIVED_PLATFORMS = Listing(
    schema.platform_verdict,
    codecs.PLATFORM,
    *(schema.cycle.c.received_at, "country", "cycle", "platform", "vantage", "judged_at"),
)
"""Needs `OF_CYCLE`."""
OF_CYCLE = and_(
    schema.cycle.c.country == schema.platform_verdict.c.country,
    schema.cycle.c.id == schema.platform_verdict.c.cycle,
)
_CYCLE = (
    *(schema.cycle.c.country, schema.cycle.c.id),
    *(schema.cycle.c.started_at, schema.cycle.c.finished_at),
)
CYCLES = Listing(schema.vantage_health, _StoredCycleCodec(), schema.cycle.c.finished_at, *_CYCLE)
"""Needs `HEALTH_OF_CYCLE`."""
RECEIVED_CYCLES = Listing(
    schema.vantage_health, _StoredCycleCodec(), schema.cycle.c.received_at, *_CYCLE
)
"""Needs `HEALTH_OF_CYCLE`."""
HEALTH_OF_CYCLE = and_(
    # As expressions no index of cycles serves them: then each page begins with the cycles, in
    # order, and looks their health up, instead of sorting all there is.
    schema.cycle.c.country.concat("") == schema.vantage_health.c.country,
    schema.cycle.c.id.concat("") == schema.vantage_health.c.cycle,
    schema.cycle.c.vantage == schema.vantage_health.c.vantage,
)
EVENTS = Listing(schema.event_table, codecs.EVENT, "detected_at", "country", "id")
EVENT_LOG = Listing(schema.event_log, codecs.EVENT_LOG, "sequence", "country")
HEALTH = Listing(schema.vantage_health, codecs.HEALTH, "at", "country", "cycle", "vantage")
CONCLUSIONS = Listing(schema.conclusion, codecs.CONCLUSION, "country", "platform")
OUTBOX = Listing(
    *(schema.outbox, codecs.NOTICE),
    *("created_at", "country", "event", "sequence", "route", "target"),
)
REVIEWS = Listing(schema.review, codecs.REVIEW, "at", "country", "event", "id")
ANNOTATIONS = Listing(schema.annotation, codecs.ANNOTATION, "since", "country", "id")
ENROLMENTS = Listing(schema.enrolment, codecs.ENROLMENT, "vantage", "enrolled_at", "fingerprint")
QUARANTINES = Listing(schema.quarantine, codecs.QUARANTINE, "vantage")
BATCHES = Listing(
    schema.batch,
    codecs.BATCH,
    *("received_at", "country", "vantage", "id"),
    weigh=lambda batch: len(batch.body),
)
WAITING = Listing(
    schema.inbox, codecs.WAITING, "received_at", "country", "vantage", "batch", "position"
)
REJUDGINGS = Listing(schema.rejudging, codecs.REJUDGING, "at", "id")
REJUDGED_VERDICTS = Listing(
    schema.rejudged_verdict, codecs.VERDICT, *_JUDGEMENT, "role", "endpoint"
)
REJUDGED_PLATFORMS = Listing(schema.rejudged_platform, codecs.PLATFORM, *_JUDGEMENT)
REJUDGED_EVENTS = Listing(schema.rejudged_event, codecs.EVENT, "detected_at", "country", "id")
LATEST_VERDICTS = Listing(
    schema.latest_verdict, codecs.VERDICT, "country", "vantage", "platform", "role", "endpoint"
)
LATEST_PLATFORMS = Listing(
    schema.latest_platform, codecs.PLATFORM, "country", "vantage", "platform"
)
LATEST_HEALTH = Listing(schema.latest_health, codecs.HEALTH, "country", "vantage")


def active(table: Table) -> ColumnElement[bool]:
    """Events that have neither ended nor been dismissed."""
    return table.c.state.in_([state.value for state in ACTIVE_STATES])


ACTIVE = active(schema.event_table)


def matching(
    table: Table, time: Column[Any], selection: Selection
) -> tuple[list[ColumnElement[bool]], ColumnElement[bool] | None]:
    """`where` and `start` of a listing by `time` for the rows a selection wants."""
    where = _place(table, selection)
    if selection.until is not None:
        where.append(time < time_text(selection.until))
    start = time >= time_text(selection.since) if selection.since is not None else None
    return where, start


def overlapping(
    selection: Selection, table: Table = schema.event_table
) -> list[ColumnElement[bool]]:
    """Events that may have been going on at some moment of the selection.

    `storage.memory.store` says the same in Python.
    """
    events = table.c
    where = _place(table, selection)
    if selection.until is not None:
        begun = coalesce(events.onset_earliest, events.onset_latest)
        where.append(begun < time_text(selection.until))
    if selection.since is not None:
        over = coalesce(events.end_latest, events.updated_at)
        where.append(or_(active(table), over > time_text(selection.since)))
    return where


def around(selection: Selection) -> list[ColumnElement[bool]]:
    """Annotations that may bear on what a selection selects: those of its time, and where it names
    a platform those of that one and of none in particular.

    `storage.memory.store` says the same in Python.
    """
    annotations = schema.annotation.c
    where: list[ColumnElement[bool]] = []
    if selection.country:
        where.append(annotations.country == selection.country)
    if selection.platform:
        where.append(annotations.platform.in_([selection.platform, ""]))
    if selection.until is not None:
        where.append(annotations.since < time_text(selection.until))
    if selection.since is not None:
        since = time_text(selection.since)
        where.append(or_(annotations.until > since, annotations.since >= since))
    return where


def _place(table: Table, selection: Selection) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if selection.country:
        where.append(table.c.country == selection.country)
    for name in ("platform", "vantage", "state"):
        wanted = getattr(selection, name)
        if wanted and name in table.c:
            where.append(table.c[name] == wanted)
    if selection.asn is not None:
        where += [table.c.asn == selection.asn] if "asn" in table.c else []
        where += [network_blocked(table.c.networks, selection.asn)] if "networks" in table.c else []
    if selection.event and "first_measurement" in table.c:
        where.append(table.c.id == selection.event)
    return [and_(*where)] if where else []
