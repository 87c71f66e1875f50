"""The archived tables: their columns as the database stores them and as Parquet types them.

A file holds the rows of one table, country and day (UTC, by the table's own time). It is sorted by
platform, endpoint and vantage: neighbours are alike, so the file is small, and who reads one
platform skips the rest. The country is in the path alone, as engines expect it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Select,
    Table,
    and_,
    func,
    select,
    tuple_,
)

from storage.sql import schema
from storage.sql.listing import Key, driver_rows
from storage.sql.retention import TIMES
from storage.values.prunable import Prunable

_TIMES = frozenset(
    (
        *("started_at", "finished_at", "received_at", "judged_at", "measured_at", "measured_until"),
        *("at", "cycle_started_at", "cycle_finished_at", "cycle_received_at"),
    )
)
_LOOSE = frozenset({"observations"})
"""Columns that the database packs. The archive has their JSON."""
HOW = ("platform", "function", "endpoint", "vantage")


class Archived(msgspec.Struct, frozen=True):
    """One archived table."""

    table: Table
    time: str
    """The column whose day a row belongs to."""
    more: Mapping[str, ColumnElement[Any]] = {}
    """Columns of other tables that later leave the database, or that joins need."""
    outer: tuple[Table, ColumnElement[bool]] | None = None
    """The table they are of, and what joins it."""

    @property
    def name(self) -> str:
        """Of the table, and of its folder."""
        return str(self.table.name)

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the columns that identify a row."""
        return tuple(str(column.name) for column in self.table.primary_key.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return (*(str(column.name) for column in self.table.columns), *self.more)

    @property
    def order(self) -> tuple[str, ...]:
        """How a file is sorted."""
        first = [name for name in (*HOW, self.time) if name in self.names]
        return tuple(dict.fromkeys([*first, *self.key]))

    def kind(self, name: str) -> str:
        """DuckDB's type of a column as the database stores it."""
        column: Any = self.more[name] if name in self.more else self.table.c[name]
        if name in _LOOSE:
            return "VARCHAR"
        kinds: list[tuple[Any, str]] = [
            (BigInteger, "BIGINT"),
            (Boolean, "BOOLEAN"),
            (Integer, "INTEGER"),
            (Float, "DOUBLE"),
            (LargeBinary, "BLOB"),
        ]
        return next((made for of, made in kinds if isinstance(column.type, of)), "VARCHAR")

    def is_time(self, name: str) -> bool:
        """Whether a column is text in the database and a time in the archive."""
        return name in _TIMES

    def is_packed(self, name: str) -> bool:
        """Whether the database packs it."""
        return name in _LOOSE

    def stored(self, *more: ColumnElement[Any]) -> Select[Any]:
        """Asks for all columns in the database, and for `more`."""
        cells = [*self.table.c, *(cell.label(name) for name, cell in self.more.items())]
        query = select(*cells, *more)
        return query if self.outer is None else query.outerjoin_from(self.table, *self.outer)

    def day_rows(
        self,
        connection: Connection,
        country: str,
        since: str,
        until: str,
        *,
        after: Key | None,
        limit: int,
    ) -> tuple[list[tuple[Any, ...]], Key | None]:
        """The next rows of a country from `since` to before `until`, as the database stores them,
        and the place where they ended, None at the end."""
        columns = self.table.c
        order = [columns[self.time], *(columns[one] for one in self.key if one != self.time)]
        query = self.stored(*order).where(
            columns.country == country, columns[self.time] >= since, columns[self.time] < until
        )
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(*after))
        rows = driver_rows(connection, query.order_by(*order).limit(limit))
        width = len(self.names)
        place = tuple(rows[-1][width:]) if rows and len(rows) == limit else None
        return [row[:width] for row in rows], place

    def days_before(self, connection: Connection, before: str) -> list[tuple[str, str]]:
        """Countries and days (`2026-11-27`) of which rows older than `before` are stored."""
        columns = self.table.c
        day = func.substr(columns[self.time], 1, 10)
        where = [columns[self.time] < before]
        if self.table is schema.vantage_health:
            # The rows of one country are indexed by time, those of all together are not.
            where.append(columns.country.in_(select(schema.latest_health.c.country).distinct()))
        query = select(columns.country, day).where(*where).distinct()
        return sorted((row[1], row[0]) for row in driver_rows(connection, query))


_cycle, _health = schema.cycle.c, schema.vantage_health.c
_platform, _batch, _link = schema.platform_verdict.c, schema.batch.c, schema.batch_cycle.c
_TABLES = (
    Archived(schema.verdict, "judged_at"),
    Archived(
        schema.platform_verdict,
        "judged_at",
        {"cycle_received_at": _cycle.received_at, "hurried": _cycle.hurried},
        (
            schema.cycle,
            and_(_cycle.country == _platform.country, _cycle.id == _platform.cycle),
        ),
    ),
    Archived(schema.measurement, "started_at"),
    Archived(
        schema.vantage_health,
        "at",
        {
            "cycle_started_at": _cycle.started_at,
            "cycle_finished_at": _cycle.finished_at,
            "cycle_received_at": _cycle.received_at,
            "hurried": _cycle.hurried,
        },
        (schema.cycle, and_(_cycle.country == _health.country, _cycle.id == _health.cycle)),
    ),
    Archived(
        schema.batch,
        "received_at",
        {
            "cycles": select(func.aggregate_strings(_link.cycle, " "))
            .where(
                _link.country == _batch.country,
                _link.vantage == _batch.vantage,
                _link.batch == _batch.id,
            )
            .correlate(schema.batch)
            .scalar_subquery()
        },
    ),
)
ARCHIVED: Mapping[Prunable, Archived] = {Prunable(one.name): one for one in _TABLES}
"""By table. Recomputations are not archived: they can be made again from what is."""
BY_NAME = {one.name: one for one in _TABLES}

assert all(TIMES[Prunable(one.name)].name == one.time for one in _TABLES)  # noqa: S101 # one truth
