"""DuckDB in this process. Extensions are never fetched from the network."""

import importlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from storage.store import StorageError

MEMORY = "1GB"
"""What DuckDB may hold before it uses the disk, also for tables."""


def library(name: str) -> Any:
    """A library of the optional extra. StorageError, with advice, when it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise StorageError(
            f"the archive needs {name} ({error}): {sys.executable} -m pip install duckdb obstore"
        ) from error


class DuckDB:
    """An engine in this process. Cursors of it may be used in several threads."""

    def __init__(self, subject: str = "the archive", **settings: Any) -> None:
        """Errors name the `subject`; DuckDB's documentation has the `settings`."""
        duckdb = library("duckdb")
        self._error = duckdb.Error
        self._subject = subject
        self._folder = tempfile.TemporaryDirectory(prefix="shutwatch-duckdb-")
        self.folder = Path(self._folder.name)
        """Where files may be made; it is removed in the end."""
        self._connection = duckdb.connect(
            config={
                "memory_limit": MEMORY,
                "temp_directory": self._folder.name,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "preserve_insertion_order": False,
                **settings,
            },
        )

    def close(self) -> None:
        """Remove everything that was made."""
        self._connection.close()
        self._folder.cleanup()

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
            raise StorageError(f"{self._subject} cannot be read or written: {first}") from error


def quoted(names: Iterable[str]) -> str:
    """Names in SQL."""
    return ", ".join(f'"{name}"' for name in names)


def text_of(path: Path) -> str:
    """The name of a file in SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def insert(cursor: Any, table: str, kinds: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
    """Adds rows to a table: the cells of each column, and DuckDB's types of the columns.

    JSON carries each cell exactly: bytes as base64, NaN and infinity as text. As lists, numbers
    would lose their NaN in older versions of DuckDB, and all take twice as long.
    """
    given = ", ".join(map(_given, kinds))
    texts = [msgspec.json.encode(_plain(*one)).decode() for one in zip(kinds, columns, strict=True)]
    cursor.execute(f"INSERT INTO {table} SELECT {given}", texts)


def _given(kind: str) -> str:
    """In SQL, the cells of a column of that type."""
    if kind == "BLOB":
        return f"from_base64({_given('VARCHAR')})"
    return f"""unnest(from_json_strict(?, '["{kind}"]'))"""


def _plain(kind: str, cells: Sequence[Any]) -> Sequence[Any]:
    if kind != "DOUBLE":
        return cells
    return [one if one is None or isfinite(one) else str(one) for one in cells]
