"""Makes one file of the rows of a country and day, and compares it with what the database has.

DuckDB collects the rows, on disk when they are many: a day of any size needs little memory. What
was archived of that day before is merged in: late rows make a new file with all of them.
"""

import hashlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from storage.archive.archived_tables import Archived
from storage.archive.duckdb_session import add_rows, make_table, stored_rows, written
from storage.archive.engine import DuckDB, quoted, text_of
from storage.archive.manifest import ArchivedFile, Manifests, path_of
from storage.archive.place import Place
from storage.store import StorageError

_LEVEL = 9
"""Of Zstandard. Higher levels save 2 % and take three times as long."""
_GROUP = 40_960
"""Rows in a row group: a reader of one platform skips the groups of the others."""
_KEYS = 2000
"""Keys given at once."""


class Workplace:
    """Where days are made, one after another. Its methods block."""

    def __init__(self) -> None:
        self.duckdb = DuckDB()
        self.made = self.duckdb.folder / "made.parquet"
        """The file of the day on which work goes on."""

    def close(self) -> None:
        """Remove what was collected."""
        self.duckdb.close()


class Day:
    """The rows of one table, country and day on their way into the archive. Its methods block."""

    def __init__(self, at: Workplace, archived: Archived, country: str, day: str) -> None:
        self._archived = archived
        self._country = country
        self._day = day
        self._duckdb = at.duckdb
        self._made = at.made
        with self._duckdb.cursor() as cursor:
            make_table(cursor, archived, "TABLE given")

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """More rows, as the database stores them."""
        with self._duckdb.cursor() as cursor:
            add_rows(cursor, self._archived, "given", rows)

    def store(self, place: Place, manifests: Manifests, at: str) -> ArchivedFile:
        """Write the file, read it back and compare it, and only then name it in the manifest.

        StorageError, PlaceError; then the archive is as before.
        """
        archived = self._archived
        before = manifests.of(self._country, self._day)
        known = (archived.name, self._day)
        old = next((one for one in before.files if (one.table, one.day) == known), None)
        made = self._made
        with self._duckdb.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE TABLE whole AS SELECT * FROM given")
            if old is not None:
                self._merge(cursor, _unchanged(place, old.name, old.sha256))
            cells = ", ".join(
                written(archived, name) for name in archived.names if name != "country"
            )
            cursor.execute(
                f"COPY (SELECT {cells} FROM whole ORDER BY {quoted(archived.order)}) "  # noqa: S608 # words of our own
                f"TO {text_of(made)} (FORMAT parquet, COMPRESSION zstd, "
                f"COMPRESSION_LEVEL {_LEVEL}, ROW_GROUP_SIZE {_GROUP}, PARQUET_VERSION V1)"
            )
        content = _sha256(made)
        name = path_of(archived.name, self._country, self._day, content)
        if old is None or old.name != name:
            place.put(name, made)
        file = _unchanged(place, name, content)
        new = ArchivedFile(
            table=archived.name,
            country=self._country,
            day=self._day,
            name=name,
            rows=self._compare(file, name),
            bytes=made.stat().st_size,
            sha256=content,
            written_at=at,
        )
        if old is None or old.name != name:
            manifests.replace(old, new)
            if old is not None:
                place.remove(old.name)
        return new

    def keys(self) -> Generator[list[tuple[Any, ...]], None, None]:
        """The keys of the rows that came from the database and were read back, some at a time."""
        listed = quoted(self._archived.key)
        with self._duckdb.cursor() as cursor:
            cursor.execute(f"SELECT {listed} FROM given SEMI JOIN back USING ({listed})")  # noqa: S608 # words of our own
            while keys := cursor.fetchmany(_KEYS):
                yield keys

    def _merge(self, cursor: Any, old: Path) -> None:
        """Add what was archived of this day before, unless the database has it still."""
        same = " AND ".join(f'old."{one}" = given."{one}"' for one in self._archived.key)
        cursor.execute(
            f"INSERT INTO whole SELECT * FROM ({stored_rows(self._archived, [old])}) AS old "  # noqa: S608 # words of our own
            f"WHERE NOT EXISTS (SELECT 1 FROM given WHERE {same})"
        )

    def _compare(self, file: Path, name: str) -> int:
        """The number of rows read back from a file, every cell of which is as it was given.
        StorageError when one is not."""
        listed = quoted(self._archived.names)
        key = quoted(self._archived.key)
        with self._duckdb.cursor() as cursor:
            rows = stored_rows(self._archived, [file])
            cursor.execute(
                f"CREATE OR REPLACE TABLE back AS SELECT {key}, hash({listed}) AS digest "  # noqa: S608 # words of our own
                f"FROM ({rows})"
            )
            sums = "count(*), coalesce(sum(digest::HUGEINT), 0), coalesce(bit_xor(digest), 0)"
            cursor.execute(
                f"SELECT {sums} FROM (SELECT hash({listed}) AS digest FROM whole)"  # noqa: S608 # words of our own
            )
            given = cursor.fetchone()
            found = cursor.execute(f"SELECT {sums} FROM back").fetchone()  # noqa: S608 # words of our own
        if given != found:
            raise StorageError(
                f"archive: {name} does not read back as what the database has: nothing was deleted"
            )
        return int(found[0])


def _unchanged(place: Place, name: str, sha256: str) -> Path:
    """A file of the archive that has its checksum. StorageError for any other."""
    file = place.local(name, sha256)
    try:
        found = _sha256(file)
    except OSError as error:
        raise StorageError(
            f"archive {place.shown}: {name} cannot be read: {error.strerror}"
        ) from error
    if found != sha256:
        raise StorageError(
            f"archive {place.shown}: {name} is not what was written; nothing was deleted"
        )
    return file


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
