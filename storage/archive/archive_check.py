"""Checks of an archive: that every file is what was written, and every batch in it what a vantage
signed."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import select

from storage.archive.archived_tables import BY_NAME
from storage.archive.duckdb_session import with_files
from storage.archive.engine import DuckDB
from storage.archive.manifest import ArchivedFile, Manifests
from storage.archive.place import Place, PlaceError
from storage.sql import schema
from storage.sql.integrity import Fault, batch_problems
from storage.values import codecs
from storage.values.fleet import Enrolment

_MOST = 20
"""Problems named."""
_AT_ONCE = 20
"""Batches in memory: each may be megabytes."""


def archive_problems(
    place: Place, keys: Sequence[Enrolment], fault: Fault, *, used: bool
) -> list[str]:
    """The first problems found, a sentence each. `used` is whether rows were ever moved there.
    StorageError, PlaceError, also where nothing of them is there."""
    duckdb = DuckDB()
    try:
        manifests = Manifests(place, used=used)
        return list(islice(_problems(place, manifests, keys, fault, duckdb), _MOST))
    finally:
        duckdb.close()
        place.close()


def _problems(
    place: Place,
    manifests: Manifests,
    keys: Sequence[Enrolment],
    fault: Fault,
    duckdb: DuckDB,
) -> Iterator[str]:
    for one in manifests.files():
        changed = _changed(place, one)
        if changed:
            yield changed
        elif one.table == schema.batch.name:
            enrolled = map(codecs.ENROLMENT.encode, keys)
            yield from batch_problems(enrolled, _batches(place, one, duckdb), fault)


def _changed(place: Place, one: ArchivedFile) -> str:
    try:
        file = place.local(one.name, one.sha256)
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except PlaceError as error:
        return str(error)
    except OSError as error:
        return f"{one.name} of the archive cannot be read: {error.strerror}"
    return "" if found == one.sha256 else f"{one.name} of the archive was changed"


def _batches(place: Place, one: ArchivedFile, duckdb: DuckDB) -> Iterator[Sequence[object]]:
    query = select(*(schema.batch.c[name] for name in codecs.BATCH.names))
    with duckdb.cursor() as cursor:
        cursor.execute(*with_files(BY_NAME["batch"], [place.local(one.name, one.sha256)], query))
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from rows
