"""Backups of an SQLite database: made while it is in use, checked, and restored.

No half file ever has the name that was asked for. A file is called `….partial` until it is whole,
checked and on disk; then it gets its name in one step.
"""

import errno
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from storage.sql.integrity import (
    BATCH_ROWS,
    HEAD_ROWS,
    KEY_ROWS,
    LOG_GAPS,
    LOG_ROWS,
    LOGGED,
    Fault,
    always,
    batch_problems,
    log_problems,
)
from storage.sqlite.errors import storage_errors
from storage.store import StorageError

PARTIAL = ".partial"
_SIDECARS = ("-wal", "-shm", "-journal")
"""Files that SQLite keeps next to a database that is, or was, in use."""
_MOST_PROBLEMS = 20
"""Problems of one kind that are reported."""
_PAGES = 2000
"""Copied at a time."""
_BUSY_TIMEOUT = 10.0
"""Seconds to wait for a program that opens or closes the database."""
_LOCKS_FROM, _LOCKS = 0x40000000, 512
"""The bytes of a file that SQLite locks: https://sqlite.org/fileformat2.html#the_lock_byte_page."""
_OF_THE_COPY = ("SQLITE_FULL", "SQLITE_IOERR_WRITE")
"""Errors of a copy that only its own file can have, since the other is only read."""
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)

Progress = Callable[[int, int], None]
"""Gets how many pages are done, and how many there are."""


class BackupError(StorageError):
    """A backup or restore is not possible now; the message says what would help."""


class DamagedError(BackupError):
    """A database, or a copy of one, is damaged."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a copy."""

    size: int
    """Bytes."""
    measurements: int
    events: int


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored, and where the previous database is kept."""

    content: Copied
    aside: Path | None
    """None when there was nothing before."""


def backup(
    database: str, target: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> Copied:
    """Copy `database`, which may be in use, to the file `target`, as it is at one moment.

    BackupError when `target` exists and may not be overwritten, when it is no regular file, or when
    the copy is damaged; also StorageError and OSError. In each case `target` stays as it was.
    """
    target = Path(os.path.realpath(target))  # a symlink stays, and what it leads to is replaced
    if target.exists() and not target.is_file():
        raise BackupError(f"{target} is no regular file: a copy must be one to be checked")
    if not overwrite and target.exists():
        raise BackupError(f"{target} exists already: name another file, or add --force")
    if target.exists() and target.samefile(database):
        raise BackupError(f"{target} is the database itself: name another file")
    with _partial(target) as partial:
        copy_as_it_is(database, partial, progress)
        _alone(partial)
        problems = check(str(partial))
        if problems:
            raise DamagedError(f"the copy of {database} does not hold: {'; '.join(problems)}")
        content = _content(partial)
        _to_disk(partial)
        _put(partial, target, overwrite=overwrite)
    return content


def restore(
    copy: Path, database: str, migrate: Callable[[str], None], now: datetime | None = None
) -> Restored:
    """Replace `database`, which no program may have open, by a copy, and keep the previous one.

    `migrate` brings a file to this version's tables; `now` is UTC. BackupError when the copy is
    damaged or the database is in use; then the database stays as it was.
    """
    if not copy.exists():
        raise BackupError(f"there is no file {copy}")
    if not copy.is_file():
        raise BackupError(f"{copy} is no regular file: name the copy")
    place = Path(database)
    if place.is_symlink():
        place = place.resolve()  # the link stays, and what it leads to is replaced
    if place.exists() and place.samefile(copy):
        raise BackupError(f"{copy} is the database itself: name a copy of it")
    problems = check(str(copy))
    if problems:
        raise DamagedError(f"{copy} does not hold, nothing was changed: {'; '.join(problems)}")
    with _partial(place) as partial:
        copy_as_it_is(str(copy), partial)
        try:
            migrate(str(partial))
        except StorageError as error:
            raise StorageError(f"{copy} is not restored, nothing was changed: {error}") from error
        _alone(partial)
        content = _content(partial)
        _like(place, partial)
        _to_disk(partial)
        aside = _swap(place, partial, now or datetime.now(UTC))
    return Restored(content=content, aside=aside)


def check(database: str, fault: Fault | None = None) -> list[str]:
    """The problems of a database file, a sentence each; empty when it is sound.

    With `fault` the signature of every batch is checked, too: the first few that are not valid are
    named. The file is only read, and may be in use. StorageError when it cannot be opened.
    """
    try:
        with _reading(database) as connection:
            problems = _problems(connection)
            return [*problems, *(_batches(connection, fault) if fault else [])]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return [f"SQLite says: {error}"]
        with storage_errors(database):
            raise


def _problems(connection: sqlite3.Connection) -> list[str]:
    said = (text for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})"))
    # One text may have many lines, below a headline.
    lines = (line for text in said for line in text.splitlines())
    found = (f"SQLite says: {one}" for one in lines if one != "ok" and not one.startswith("***"))
    problems = list(islice(found, _MOST_PROBLEMS))
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(20):
        problems.append(f"row {row} of {table} belongs to a row of {parent} that is not there")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    missing = [name for name in ("alembic_version", "cycle", "event_log") if name not in tables]
    if missing:
        return [*problems, f"it is no database of shutwatch: there is no table {missing[0]}"]
    gaps = connection.execute(LOG_GAPS)
    problems += [f"the log of event {event} has a gap" for (event,) in gaps]
    if "log_entry" in tables:
        heads = connection.execute(HEAD_ROWS).fetchall()
        problems += islice(log_problems(connection.execute(LOG_ROWS), heads), _MOST_PROBLEMS)
    return problems


def _batches(connection: sqlite3.Connection, fault: Fault) -> list[str]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if not {"batch", "enrolment"} <= tables:
        return []  # a version without agents made it
    # A name that is no valid UTF-8 is a problem to report, and must not end the check.
    connection.text_factory = lambda cell: cell.decode("utf-8", "replace")
    keys, batches = connection.execute(KEY_ROWS), connection.execute(BATCH_ROWS)
    logged = partial(_is_logged, connection) if "log_entry" in tables else always
    return list(islice(batch_problems(keys, batches, fault, logged), _MOST_PROBLEMS))


def _is_logged(connection: sqlite3.Connection, digest: str) -> bool:
    question = LOGGED.format(digest="?1")
    return connection.execute(question, (digest,)).fetchone() is not None


@contextmanager
def _reading(database: str) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write and sees the database at one moment."""
    if not Path(database).exists():
        raise BackupError(f"there is no file {database}")
    with closing(
        sqlite3.connect(_uri(database, "rw"), uri=True, timeout=_BUSY_TIMEOUT, isolation_level=None)
    ) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        yield connection


def _uri(database: str, mode: str) -> str:
    return f"{Path(database).absolute().as_uri()}?mode={mode}"


def copy_as_it_is(database: str, partial: Path, progress: Progress | None = None) -> None:
    """Copy the database, which may be in use, to a file that nobody has, unchecked and not yet on
    the disk. It is as at the start: the open transaction sees no later change."""

    def report(_status: int, left: int, total: int) -> None:
        if progress is not None:
            progress(total - left, total)

    with storage_errors(database), _reading(database) as source:
        # The first read sets the moment.
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            # No other program has this file, and it is synced as a whole afterwards.
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")
            try:
                source.backup(copy, pages=_PAGES, progress=report, sleep=0.0)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname not in _OF_THE_COPY:
                    raise
                with storage_errors(str(partial)):
                    raise


def _content(database: Path) -> Copied:
    with _reading(str(database)) as connection:
        count = "SELECT (SELECT count(*) FROM measurement), (SELECT count(*) FROM event)"
        measurements, events = connection.execute(count).fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
    return Copied(size=pages * page, measurements=measurements, events=events)


def _alone(database: Path) -> None:
    """Make the database a single file, without a write-ahead log, so that it can be read from a
    place where nothing can be written."""
    with (
        storage_errors(str(database)),
        closing(sqlite3.connect(database, isolation_level=None)) as connection,
    ):
        (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
        if mode != "delete":
            raise BackupError(f"{database} cannot be made one file: its journal is {mode}")


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """An empty file next to `target` for this process alone. It is deleted afterwards; one that an
    earlier process left is used."""
    partial = target.with_name(target.name + PARTIAL)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    handle = os.open(partial, flags, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"{partial} is being written by another process") from error
        _remove_sidecars(partial)
        os.ftruncate(handle, 0)
        try:
            yield partial
        finally:
            # Renamed by now when all went well.
            with suppress(FileNotFoundError):
                partial.unlink()
            _remove_sidecars(partial)
    finally:
        os.close(handle)


def _remove_sidecars(database: Path) -> None:
    for end in _SIDECARS:
        with suppress(FileNotFoundError):
            database.with_name(database.name + end).unlink()


def _to_disk(place: Path) -> None:
    """Sync a file, or the names in a folder."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put(partial: Path, target: Path, *, overwrite: bool) -> None:
    """Rename a complete file in one step."""
    if overwrite:
        partial.replace(target)
    else:
        try:
            os.link(partial, target)  # which, unlike renaming, fails when there is one
        except FileExistsError as error:
            raise BackupError(f"{target} exists already: name another file") from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # On a memory stick, say. Another program could have made the target in this moment;
            # that risk is acceptable.
            partial.rename(target)
    _to_disk(target.absolute().parent)


def _like(place: Path, partial: Path) -> None:
    """Give the file the owner and mode of the previous one, also when root runs this."""
    model = (place if place.exists() else place.absolute().parent).stat()
    if place.exists():
        shutil.copymode(place, partial)
    if (model.st_uid, model.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.chown(partial, model.st_uid, model.st_gid)


def _swap(place: Path, partial: Path, now: datetime) -> Path | None:
    """Replace the old file by the new one, and keep it under another name."""
    if not place.exists():
        # What an earlier database left behind would be taken for this one's.
        _remove_sidecars(place)
        partial.rename(place)
        _to_disk(place.absolute().parent)
        return None
    aside = place.with_name(f"{place.name}.before-{now:%Y%m%dT%H%M%SZ}")
    if aside.exists():
        raise BackupError(f"{aside} exists already: move it away, and try again")
    with _exclusively(place):
        moved = _keep(place, aside)
        partial.replace(place)
        for end in moved:
            place.with_name(place.name + end).rename(aside.with_name(aside.name + end))
    _to_disk(place.absolute().parent)
    return aside


def _keep(place: Path, aside: Path) -> Sequence[str]:
    """Give the old file its other name; the ends of the names of what must follow it."""
    try:
        os.link(place, aside)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        place.rename(aside)
    return [end for end in _SIDECARS if place.with_name(place.name + end).exists()]


@contextmanager
def _exclusively(database: Path) -> Iterator[None]:
    """Hold a database that nobody else has open. BackupError when somebody has."""
    in_use = BackupError(
        f"database {database} is in use: stop shutwatch, and whatever else has it open, and try "
        "again; nothing was changed"
    )
    with closing(sqlite3.connect(_uri(str(database), "rw"), uri=True, timeout=0.0)) as connection:
        connection.isolation_level = None
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # Leaving the write-ahead log takes that no other connection is open, reading or not.
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise in_use from error
            # Damaged, which is why somebody restores: hold what SQLite would.
        else:
            yield
            return
    with database.open("r+b") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS, _LOCKS_FROM)
        except BlockingIOError as error:
            raise in_use from error
        yield
