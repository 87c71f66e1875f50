"""DuckDB, reading archived files: it gives cells as the database stores them, to the same queries.

A query is one that SQLAlchemy makes for the database's tables. Here these names stand for views of
files, so there is no second way to select and sort. Extensions are never fetched from the network.
"""

import importlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Select
from sqlalchemy.engine.default import DefaultDialect

from storage.archive.archived_tables import Archived
from storage.sql import schema
from storage.store import StorageError
from storage.values.compression import unpack

MEMORY = "1GB"
"""What DuckDB may hold before it uses the disk."""
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


def library(name: str) -> Any:
    """A library of the optional extra. StorageError, with advice, when it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise StorageError(
            f"the archive needs {name} ({error}): {sys.executable} -m pip install duckdb pyarrow"
        ) from error


class DuckDB:
    """An engine in this process. Cursors of it may be used in several threads."""

    def __init__(self, file: Path | None = None) -> None:
        """`file` holds tables that do not fit into memory; without one there are none."""
        duckdb = library("duckdb")
        self._spill = tempfile.TemporaryDirectory(prefix="shutwatch-archive-")
        self._error = duckdb.Error
        self._connection = duckdb.connect(
            str(file) if file else ":memory:",
            config={
                "memory_limit": MEMORY,
                "temp_directory": self._spill.name,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": False,
            },
        )

    def close(self) -> None:
        self._connection.close()
        self._spill.cleanup()

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor of its own. StorageError for every error of DuckDB."""
        with self.errors(), self._connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Raises StorageError for every error of DuckDB."""
        try:
            yield
        except self._error as error:
            first = str(error).splitlines()[0]
            raise StorageError(f"the archive cannot be read or written: {first}") from error


def quoted(names: Iterable[str]) -> str:
    """Names in SQL."""
    return ", ".join(f'"{name}"' for name in names)


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
    listed = ", ".join(_quoted(str(one)) for one in files)
    return (
        f"SELECT {cells} FROM read_parquet([{listed}], hive_partitioning = true, "  # noqa: S608 # paths of our own, quoted
        "hive_types = {'country': VARCHAR, 'date': VARCHAR})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_CYCLES = {
    "vantage_health": "cycle_started_at AS started_at, cycle_finished_at AS finished_at",
    "platform_verdict": "NULL AS started_at, NULL AS finished_at",
}
"""What the archived rows of a table tell of their cycles."""


def arrow_table(archived: Archived, rows: Sequence[Sequence[Any]]) -> Any:
    """Rows as the database stores them, as DuckDB takes them: with their types, and unpacked."""
    arrow = library("pyarrow")
    types = {
        "BIGINT": arrow.int64(),
        "INTEGER": arrow.int32(),
        "BOOLEAN": arrow.bool_(),
        "DOUBLE": arrow.float64(),
        "BLOB": arrow.binary(),
        "VARCHAR": arrow.string(),
    }
    columns = list(zip(*rows, strict=True)) or [()] * len(archived.names)
    arrays = []
    for name, cells in zip(archived.names, columns, strict=True):
        kind = archived.kind(name)
        made: Any = cells
        if archived.is_packed(name):
            made = [unpack(cell).decode() for cell in cells]
        elif kind == "BOOLEAN":
            made = [None if cell is None else bool(cell) for cell in cells]
        arrays.append(arrow.array(made, type=types[kind]))
    return arrow.table(arrays, names=list(archived.names))


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
