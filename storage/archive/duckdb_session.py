"""DuckDB, reading archived files: it gives cells as the database stores them, to the same queries.

A query is one that SQLAlchemy makes for the database's tables. Here these names stand for views of
files, so there is no second way to select and sort.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.engine.default import DefaultDialect

from storage.archive.archived_tables import Archived
from storage.archive.engine import insert, quoted, text_of
from storage.sql import schema
from storage.values.compression import unpack

_DIALECT = DefaultDialect(paramstyle="qmark")
_DIALECT.supports_native_boolean = True
# DuckDB has more reserved words than SQLAlchemy knows, `at` among them: all our names are quoted.
_DIALECT.identifier_preparer.reserved_words = {
    name for table in schema.metadata.tables.values() for name in (table.name, *table.c.keys())
}
_LONG = '"body_sha256":"'
_SHORT = '"body_sha256":"http_body_sha256"'
"""Stands in the observations for the digest in the column of that name: it cannot be compressed,
so twice would be most of a row."""
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


def written(archived: Archived, name: str) -> str:
    """In SQL, how the archive has a column, of the cell that the database stores."""
    if archived.is_time(name):
        return f'CAST("{name}" AS TIMESTAMPTZ) AS "{name}"'
    if archived.is_packed(name):
        return (
            f"CASE WHEN http_body_sha256 IS NULL OR http_body_sha256 = '' THEN {name} ELSE "
            f"replace({name}, '{_LONG}' || http_body_sha256 || '\"', '{_SHORT}') END AS {name}"
        )
    return f'"{name}"'


def _stored(archived: Archived, name: str) -> str:
    """In SQL, the cell that the database stores, of what the archive has."""
    if archived.is_time(name):
        return f"""strftime(make_timestamp(epoch_us("{name}")), '{_TIME}') AS "{name}\""""
    if archived.is_packed(name):
        return (
            f"CASE WHEN http_body_sha256 IS NULL OR http_body_sha256 = '' THEN {name} ELSE "
            f"replace({name}, '{_SHORT}', '{_LONG}' || http_body_sha256 || '\"') END AS {name}"
        )
    return f'"{name}"'


def stored_rows(archived: Archived, files: Sequence[Path]) -> str:
    """In SQL, the rows of files of one table, with cells as the database stores them."""
    cells = ", ".join(_stored(archived, name) for name in archived.names)
    if not files:
        nothing = ", ".join(f'NULL::{archived.kind(one)} AS "{one}"' for one in archived.names)
        return f"SELECT {nothing} WHERE false"
    listed = ", ".join(text_of(one) for one in files)
    return (
        f"SELECT {cells} FROM read_parquet([{listed}], hive_partitioning = true, "  # noqa: S608 # paths of our own, quoted
        "hive_types = {'country': VARCHAR, 'date': VARCHAR})"
    )


_CYCLES = {
    "vantage_health": "cycle_started_at AS started_at, cycle_finished_at AS finished_at",
    "platform_verdict": "NULL AS started_at, NULL AS finished_at",
}
"""What the archived rows of a table tell of their cycles."""


def make_table(cursor: Any, archived: Archived, table: str) -> None:
    """An empty table of rows as the database stores them; `table` is `TABLE` and its name, or
    `TEMP TABLE` for this cursor alone."""
    columns = ", ".join(f'"{name}" {archived.kind(name)}' for name in archived.names)
    cursor.execute(f"CREATE OR REPLACE {table} ({columns})")


def add_rows(cursor: Any, archived: Archived, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """More rows as the database stores them, unpacked."""
    if rows:
        columns = [
            [unpack(cell).decode() for cell in cells] if archived.is_packed(name) else cells
            for name, cells in zip(archived.names, zip(*rows, strict=True), strict=True)
        ]
        insert(cursor, table, [*map(archived.kind, archived.names)], columns)


def with_files(
    archived: Archived, files: Sequence[Path], query: Select[Any], given: str = ""
) -> tuple[str, Any]:
    """The query, with files in place of the table and of `cycle`; and its parameters. With `given`
    the rows of a table of that name are there as well, and those of files that are equal are not.
    """
    compiled: Any = query.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    rows = stored_rows(archived, files)
    if given:
        same = " AND ".join(f'old."{one}" = given."{one}"' for one in archived.key)
        rows = (
            f"SELECT * FROM {given} UNION ALL BY NAME SELECT * FROM ({rows}) AS old "  # noqa: S608 # words of our own
            f"WHERE NOT EXISTS (SELECT 1 FROM {given} AS given WHERE {same})"
        )
    views = [f"{quoted([archived.name])} AS NOT MATERIALIZED ({rows})"]
    if archived.name in _CYCLES:
        views.append(
            f'"cycle" AS (SELECT DISTINCT country, "cycle" AS id, vantage, '  # noqa: S608 # words of our own
            f"{_CYCLES[archived.name]}, cycle_received_at AS received_at, hurried "
            f"FROM {archived.name} WHERE cycle_received_at IS NOT NULL)"
        )
    parameters = [compiled.params[name] for name in compiled.positiontup or ()]
    return f"WITH {', '.join(views)} {compiled}", parameters
