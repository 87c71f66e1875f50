"""How stored rows are listed: page after page, each found by the place where the one before ended.

No cursor stays open between pages, so a reader of years of data holds no transaction and little
memory.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property, partial
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
from sqlalchemy.sql.selectable import FromClause

from monitor.analysis.events.event import ACTIVE_STATES
from probes.measurement import HttpObservation, Measurement, TlsObservation
from storage.sql import schema
from storage.sql.network_query import network_blocked
from storage.store import StorageError
from storage.values import codecs
from storage.values.codec import Codec
from storage.values.compression import PackingError
from storage.values.cycle import StoredCycle
from storage.values.selection import Selection
from storage.values.times import text_time, time_text

T = TypeVar("T", bound=msgspec.Struct)

PAGE_WEIGHT = 4_000_000
"""Bytes. A page ends early when it carries more: one block page can be half a megabyte."""

Key = tuple[Any, ...]
"""A place in a listing: the ordering columns of the last row before it."""


class Listing(Generic[T]):
    """One kind of value: its table, and the order it is listed in."""

    def __init__(
        self,
        table: Table,
        codec: Codec[T],
        *order: str | Column[Any],
        weigh: Callable[[T], int] = lambda value: 0,  # noqa: ARG005
    ) -> None:
        """`order` names columns; together they must be unique, so that no row is lost. A column of
        another table needs a `where` that joins it.

        `weigh` gives the bytes in a value that can be large.
        """
        self.table = table
        self.codec = codec
        self.order = [table.c[name] if isinstance(name, str) else name for name in order]
        self.time = self.order[0]
        """The time of a row, where the listing is by time."""
        self.weigh = weigh

    def reader(
        self,
        where: Sequence[ColumnElement[bool]] = (),
        start: ColumnElement[bool] | None = None,
    ) -> "partial[tuple[list[T], Key | None]]":
        """`page` for these conditions."""
        return partial(self.page, where=where, start=start)

    def page(
        self,
        connection: Connection,
        where: Sequence[ColumnElement[bool]] = (),
        start: ColumnElement[bool] | None = None,
        after: Key | None = None,
        limit: int | None = None,
    ) -> tuple[list[T], Key | None]:
        """The next rows that meet `where`, and the place where the page ended, None at the end.

        `start` bounds the first page from below. Later pages are bounded by `after` alone, or the
        database would search from the start again for each.
        """
        query = self.query(None, where, start, after, limit)
        found: list[T] = []
        weight = 0
        with connection.execute(query) as rows:
            for row in rows:
                found.append(self.decoded(row))
                weight += self.weigh(found[-1])
                if weight > PAGE_WEIGHT or len(found) == limit:
                    return found, tuple(row[-len(self.order) :])
        return found, None

    def rows(
        self,
        connection: Connection,
        columns: Sequence[str],
        where: Sequence[ColumnElement[bool]] = (),
        start: ColumnElement[bool] | None = None,
        after: Key | None = None,
        limit: int | None = None,
    ) -> tuple[Sequence[Sequence[Any]], Key | None]:
        """As `page`, with rows as they are stored. Each begins with the cells of `columns`."""
        place = [column.name for column in self.order]
        names = list(dict.fromkeys([*columns, *place]))
        cells = [self.table.c[name] for name in names]
        rows = driver_rows(connection, self.query(cells, where, start, after, limit))
        return rows, place_after(rows, names, place, limit)

    def query(
        self,
        cells: Sequence[ColumnElement[Any]] | None = None,
        where: Sequence[ColumnElement[bool]] = (),
        start: ColumnElement[bool] | None = None,
        after: Key | None = None,
        limit: int | None = None,
    ) -> Select[Any]:
        """The question that `page` and `rows` ask. Without `cells`: for whole values, each with
        its place."""
        every = self._every if cells is None else select(*cells).order_by(*self.order)
        query = every.where(*where).limit(limit)
        if after is not None:
            return query.where(tuple_(*self.order) > tuple_(*after))
        return query if start is None else query.where(start)

    @cached_property
    def _every(self) -> Select[Any]:
        # To put this together takes longer than a small table needs to answer.
        cells = [*(self.table.c[name] for name in self.codec.names), *self.order]
        return select(*cells).order_by(*self.order)

    def decoded(self, row: Sequence[Any]) -> T:
        """The value of a row that ends in its place. StorageError when this version cannot read
        it."""
        try:
            return self.codec.decode(row)
        except (ValueError, PackingError) as error:
            key = ", ".join(str(cell) for cell in row[-len(self.order) :])
            raise StorageError(
                f"table {self.table.name} holds a row this version cannot read ({key}): {error}"
            ) from error


def driver_rows(connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    """All rows as the driver gives them: SQLAlchemy's own rows would take as long again."""
    with connection.execute(query) as result:
        cursor: Any = result.cursor
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def place_after(
    rows: Sequence[Sequence[Any]], names: Sequence[str], place: Sequence[str], limit: int | None
) -> Key | None:
    """The place where a page of rows with cells of these names ended; None at the end."""
    if not rows or len(rows) != limit:
        return None
    return tuple(rows[-1][names.index(name)] for name in place)


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
VERDICTS = Listing(schema.verdict, codecs.VERDICT, *_JUDGEMENT, "function", "endpoint")
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
    # As expressions, so that no index of cycles serves them: then the database reads the cycles in
    # order and finds the health of each, instead of sorting everything.
    schema.cycle.c.country.concat("") == schema.vantage_health.c.country,
    schema.cycle.c.id.concat("") == schema.vantage_health.c.cycle,
    schema.cycle.c.vantage == schema.vantage_health.c.vantage,
)
EVENTS = Listing(schema.event_table, codecs.EVENT, "detected_at", "country", "id")
EVENT_LOG = Listing(schema.event_log, codecs.EVENT_LOG, "sequence", "country")
"""Of one event."""
EVENT_LOGS = Listing(schema.event_log, codecs.EVENT_LOG, "event", "sequence", "country")
HEALTH = Listing(schema.vantage_health, codecs.HEALTH, "at", "country", "cycle", "vantage")
VERIFIED_BEFORE = Listing(schema.verified_before, codecs.VERIFIED_BEFORE, "vantage")
CHECKPOINTS = Listing(schema.conclusion, codecs.CHECKPOINT, "country", "platform")
EARLIER_CHECKPOINTS = Listing(
    schema.earlier_conclusion, codecs.CHECKPOINT, "until", "country", "platform"
)
OUTBOX = Listing(
    *(schema.outbox, codecs.NOTICE),
    *("created_at", "country", "event", "sequence", "route", "target"),
)
REVIEWS = Listing(schema.review, codecs.REVIEW, "at", "country", "event", "id")
ANNOTATIONS = Listing(schema.annotation, codecs.ANNOTATION, "since", "country", "id")
ENROLMENTS = Listing(schema.enrolment, codecs.ENROLMENT, "vantage", "enrolled_at", "fingerprint")
INVITATIONS = Listing(schema.invitation, codecs.INVITATION, "vantage", "made_at", "digest")
QUARANTINES = Listing(schema.quarantine, codecs.QUARANTINE, "vantage")
ACTS = Listing(schema.audit, codecs.ACT, "at", "id")
MUTES = Listing(schema.mute, codecs.MUTE, "country", "event")
ACKNOWLEDGEMENTS = Listing(schema.acknowledgement, codecs.ACKNOWLEDGEMENT, "finding")
BATCHES = Listing(
    schema.batch,
    codecs.BATCH,
    *("received_at", "country", "vantage", "id"),
    weigh=lambda batch: len(batch.body),
)
WAITING = Listing(schema.inbox, codecs.WAITING, "finished_at", "id", "country")
REJUDGINGS = Listing(schema.rejudging, codecs.REJUDGING, "at", "id")
REJUDGED_VERDICTS = Listing(
    schema.rejudged_verdict, codecs.VERDICT, *_JUDGEMENT, "function", "endpoint"
)
REJUDGED_PLATFORMS = Listing(schema.rejudged_platform, codecs.PLATFORM, *_JUDGEMENT)
REJUDGED_EVENTS = Listing(schema.rejudged_event, codecs.EVENT, "detected_at", "country", "id")
LATEST_VERDICTS = Listing(
    schema.latest_verdict, codecs.VERDICT, "country", "vantage", "platform", "function", "endpoint"
)
LATEST_PLATFORMS = Listing(
    schema.latest_platform, codecs.PLATFORM, "country", "vantage", "platform"
)
LATEST_HEALTH = Listing(schema.latest_health, codecs.HEALTH, "country", "vantage")


VERDICTS_OF = "verdicts_of"
"""Among the execution options of a query that counts platform verdicts: which it counts."""


def of_verdicts(
    query: Select[Any], selection: Selection, since: datetime | None, until: datetime | None
) -> Select[Any]:
    """The query, with a note that it counts the selected platform verdicts of that time. Some of
    them may be elsewhere."""
    place = Selection(
        since=since, until=until, country=selection.country, platform=selection.platform
    )
    return query.execution_options(**{VERDICTS_OF: place})


def active(table: Table) -> ColumnElement[bool]:
    """Events that have neither ended nor been dismissed."""
    return table.c.state.in_([state.value for state in ACTIVE_STATES])


ACTIVE = active(schema.event_table)


def matching(
    time: Column[Any], selection: Selection
) -> tuple[list[ColumnElement[bool]], ColumnElement[bool] | None]:
    """`where` and `start` of a listing for a selection, by a time of the table."""
    where = _matching_place(time.table, selection)
    if selection.until is not None:
        where.append(time < time_text(selection.until))
    start = time >= time_text(selection.since) if selection.since is not None else None
    return where, start


def overlapping(
    selection: Selection, table: Table = schema.event_table
) -> list[ColumnElement[bool]]:
    """Events that may have been active at some moment of the selection."""
    events = table.c
    where = _matching_place(table, selection)
    if selection.until is not None:
        begun = coalesce(events.onset_earliest, events.onset_latest)
        where.append(begun < time_text(selection.until))
    if selection.since is not None:
        over = coalesce(events.end_latest, events.updated_at)
        where.append(or_(active(table), over > time_text(selection.since)))
    return where


def bearing_on(selection: Selection) -> list[ColumnElement[bool]]:
    """Annotations of the time and place that a selection selects. If it names a platform: those of
    that one and of no particular one.
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


def _matching_place(table: FromClause, selection: Selection) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if selection.country:
        where.append(table.c.country == selection.country)
    for name in ("platform", "vantage", "state"):
        value = getattr(selection, name)
        if value and name in table.c:
            where.append(table.c[name] == value)
    if selection.asn is not None:
        where += [table.c.asn == selection.asn] if "asn" in table.c else []
        where += [network_blocked(table.c.networks, selection.asn)] if "networks" in table.c else []
    if selection.event and "first_measurement" in table.c:
        where.append(table.c.id == selection.event)
    return [and_(*where)] if where else []
