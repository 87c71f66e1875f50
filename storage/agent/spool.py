"""The spool of an agent: batches that no collector has acknowledged, in one SQLite file of limited
size.

    put → batch ──receipt──→ deleted
            └──refused for good──→ put aside

Each cycle is a batch, which has its id and its sealed bytes from before it is put: after a crash at
any moment the agent sends the same again, and the collector recognises them. Nobody can read them
here. A batch that was refused for good is put aside and blocks nothing.

When the file would exceed its limit, batches put aside are dropped first, and then the oldest ones;
the next to be sent is kept, since the collector may have it already. All dropped measurements are
counted, also those that a full disk did not take.

A damaged file is moved aside as soon as that shows, and all of it that can be read goes on in a new
one.

This module uses the standard library's `sqlite3`: SQLAlchemy alone would take an eighth of the
memory that an agent may use.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from storage.store import StorageError
from storage.values.private_file import make_database_private

T = TypeVar("T")

_VERSION = 2
"""Of the file's format."""
_UNSEALED = 1
"""The format before, in which what waited could be read."""
_SLACK = 16 * 1024
"""Bytes kept free below the limit, for what a row takes besides its contents."""
_WAL = 4 * 2**20
"""Bytes to which the write-ahead log is truncated."""
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")

_TABLES = """
CREATE TABLE batch (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    measurements INTEGER NOT NULL,
    digest TEXT NOT NULL,
    body BLOB NOT NULL,
    undated BLOB NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT ''
);
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE given_up (measurements INTEGER NOT NULL);
INSERT INTO given_up VALUES (0);
"""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it is sent, each time the same."""

    id: str
    """UUIDv7."""
    measurements: int
    digest: str
    """SHA-256 of the body inside, 64 hexadecimal digits."""
    body: bytes
    """Sealed."""
    undated: bytes = b""
    """What `Spool.date` needs to date it; empty for a batch with its date."""


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that was refused for good."""

    id: str
    measurements: int
    reason: str
    detail: str


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a spool."""

    batches: int = 0
    """That wait."""
    measurements: int = 0
    """That wait."""
    size: int = 0
    """Bytes in use of the file."""
    dropped: int = 0
    """Measurements ever dropped."""
    aside: tuple[Aside, ...] = ()
    """Oldest first."""


class _DamagedError(StorageError):
    """The file is damaged."""


class Spool:
    """One file. One thread does the work, in the order of the calls. Every method but `open` and
    `close` raises StorageError, and changes all or nothing."""

    def __init__(
        self, file: Path, *, limit: int, damaged: Callable[[], None] = lambda: None
    ) -> None:
        """`limit` is in bytes; the write-ahead log next to the file may take 4 MiB more. `damaged`
        is called in another thread after the file in use was found damaged and moved aside."""
        self._file = file
        self._damaged = damaged
        self._limit = limit
        self._thread: ThreadPoolExecutor | None = None
        self._database: sqlite3.Connection | None = None
        self._lost = 0
        """Dropped measurements that the file does not count yet."""

    async def open(self) -> bool:
        """Open or make the file. False when the previous one was damaged; it is kept under its name
        with `.damaged` at the end. Raises StorageError."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        return await self._run(self._open)

    async def close(self) -> None:
        """Close the file. A second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown()

    async def put(self, batch: Waiting, notes: Mapping[str, str] = {}) -> int:
        """Store a batch and some notes durably; returns how many measurements were dropped for it.

        A batch that cannot be stored counts as dropped.
        """
        try:
            return await self._run(partial(self._put, batch, notes))
        except StorageError:
            self._lost += batch.measurements
            raise

    async def give_up(self, measurements: int) -> None:
        """Count measurements as dropped that were never put."""
        self._lost += measurements
        await self._run(partial(self._note, {}))

    async def next(self, skip: Collection[str] = ()) -> Waiting | None:
        """The oldest batch that waits, which is the one to send, but for these; None when nothing
        else waits."""
        return await self._run(partial(self._next, tuple(skip)))

    async def date(self, dated: Callable[[Waiting], Waiting | None]) -> None:
        """Replace each undated batch by what `dated` makes of it; None leaves it undated for
        good."""
        await self._run(partial(self._date, dated))

    async def forget(self, batch: str, notes: Mapping[str, str] = {}) -> None:
        """Delete a batch that a collector has acknowledged."""
        await self._run(partial(self._forget, batch, notes))

    async def put_aside(self, batch: str, reason: str, detail: str) -> None:
        """Keep a batch that must not be sent again."""
        await self._run(partial(self._put_aside, batch, reason, detail))

    async def note(self, notes: Mapping[str, str]) -> None:
        """Store notes by their names, in place of earlier ones."""
        await self._run(partial(self._note, notes))

    async def notes(self) -> dict[str, str]:
        """All notes."""
        return await self._run(lambda: _notes(self._opened()))

    async def holding(self) -> Holding:
        """The current state."""
        return await self._run(lambda: _holding(self._opened(), self._lost))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            raise StorageError(f"spool {self._file} is not open")
        sound = partial(self._sound, work)
        return await asyncio.get_running_loop().run_in_executor(self._thread, sound)

    # -- in the thread -------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise StorageError(f"spool {self._file} is not open")
        return self._database

    def _open(self) -> bool:
        make_database_private(self._file)
        try:
            with _errors(self._file):
                self._database = _connect(self._file)
        except _DamagedError:
            self._begin_anew()
            return False
        return True

    def _sound(self, work: Callable[[], T]) -> T:
        """What `work` gives, in a new file where this one turns out to be damaged."""
        try:
            with _errors(self._file):
                return work()
        except _DamagedError:
            self._close()
            self._begin_anew()
            self._damaged()
            with _errors(self._file):
                return work()

    def _begin_anew(self) -> None:
        """Move the damaged file aside, and go on with all of it that can be read."""
        _move_aside(self._file)
        make_database_private(self._file)
        with _errors(self._file):
            self._database = _connect(self._file)
            url = f"{_aside(self._file).absolute().as_uri()}?mode=ro"
            with suppress(sqlite3.Error), closing(sqlite3.connect(url, uri=True)) as before:
                self._lost += _salvage(before, self._database)

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A durable transaction, which also counts what was lost before it."""
        database = self._opened()
        lost = self._lost
        with _errors(self._file):
            database.execute("BEGIN IMMEDIATE")
            try:
                if lost:
                    _count_given_up(database, lost)
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        self._lost -= lost

    def _put(self, batch: Waiting, notes: Mapping[str, str]) -> int:
        with self._writing() as database:
            given_up = self._make_room(database, len(batch.body) + len(batch.undated))
            database.execute(
                "INSERT INTO batch (id, measurements, digest, body, undated) "
                "VALUES (?, ?, ?, ?, ?)",
                (batch.id, batch.measurements, batch.digest, batch.body, batch.undated),
            )
            _write(database, notes)
        return given_up

    def _make_room(self, database: sqlite3.Connection, size: int) -> int:
        """Drop the oldest until so many bytes fit; returns how many measurements were dropped."""
        given_up = 0
        while _size(database) + size + _SLACK > self._limit:
            oldest = database.execute(
                "SELECT number, measurements FROM batch WHERE reason <> '' OR number > "
                "(SELECT min(number) FROM batch WHERE reason = '') "
                "ORDER BY reason = '', number LIMIT 1"
            ).fetchone()
            if oldest is None:
                break
            database.execute("DELETE FROM batch WHERE number = ?", oldest[:1])
            given_up += oldest[1]
        if given_up:
            _count_given_up(database, given_up)
        return given_up

    def _next(self, skip: Sequence[str]) -> Waiting | None:
        others = ", ".join("?" * len(skip))
        with _errors(self._file):
            row = self._opened().execute(
                f"{_SELECT} WHERE reason = '' AND id NOT IN ({others}) ORDER BY number LIMIT 1",
                skip,
            )
            return next(map(_waiting, row), None)

    def _date(self, dated: Callable[[Waiting], Waiting | None]) -> None:
        with _errors(self._file):
            found = self._opened().execute("SELECT number FROM batch WHERE undated <> x''")
            numbers = found.fetchall()
        for number in numbers:  # one at a time, so that they are never all in memory
            with self._writing() as database:
                row = database.execute(f"{_SELECT} WHERE number = ?", number).fetchone()
                before = _waiting(row)
                after = dated(before) or before
                database.execute(
                    "UPDATE batch SET digest = ?, body = ?, undated = x'' WHERE number = ?",
                    (after.digest, after.body, *number),
                )

    def _forget(self, batch: str, notes: Mapping[str, str]) -> None:
        with self._writing() as database:
            database.execute("DELETE FROM batch WHERE id = ?", (batch,))
            _write(database, notes)

    def _put_aside(self, batch: str, reason: str, detail: str) -> None:
        with self._writing() as database:
            database.execute(
                "UPDATE batch SET reason = ?, detail = ? WHERE id = ?", (reason, detail, batch)
            )

    def _note(self, notes: Mapping[str, str]) -> None:
        with self._writing() as database:
            _write(database, notes)


_SELECT = "SELECT id, measurements, digest, body, undated FROM batch"


def _waiting(row: tuple[str, int, str, bytes, bytes]) -> Waiting:
    return Waiting(id=row[0], measurements=row[1], digest=row[2], body=row[3], undated=row[4])


def read_spool(file: Path) -> tuple[Holding, dict[str, str]]:
    """The state and notes of a spool, also while an agent uses it. Raises StorageError."""
    if not file.exists():
        return Holding(), {}
    url = f"{file.absolute().as_uri()}?mode=ro"
    with _errors(file), closing(sqlite3.connect(url, uri=True)) as database:
        database.execute("BEGIN")
        return _holding(database, 0), _notes(database)


def _connect(file: Path) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=10.0, isolation_level=None, check_same_thread=False)
    try:
        # Before there is any table: it cannot be changed later.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA journal_size_limit = {_WAL}")
        database.execute("PRAGMA synchronous = FULL")
        # Sent data must not be readable on the machine afterwards.
        database.execute("PRAGMA secure_delete = ON")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == _UNSEALED and not _holds_anything(database):
            _begin_anew(database)
            version = 0
        if version not in (0, _VERSION):
            raise StorageError(
                f"spool {file} was written by another version of shutwatch: "
                "deliver it with that version, or move it away"
            )
        if version == 0:
            begun = f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;"
            database.executescript(begun)
        database.execute("SELECT count(*) FROM batch, given_up, note").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _holds_anything(database: sqlite3.Connection) -> bool:
    """Whether anything waits in a file of the format before."""
    found = database.execute("SELECT EXISTS (SELECT 1 FROM cycle UNION ALL SELECT 1 FROM batch)")
    return bool(found.fetchone()[0])


def _begin_anew(database: sqlite3.Connection) -> None:
    tables = ("cycle", "batch", "note", "given_up")
    database.executescript("".join(f"DROP TABLE {name};" for name in tables))
    database.execute("PRAGMA user_version = 0")


def _aside(file: Path) -> Path:
    return file.with_name(f"{file.name}.damaged")


def _move_aside(file: Path) -> None:
    aside = _aside(file)
    try:
        for name in ("", "-wal", "-shm"):
            old = file.with_name(file.name + name)
            if old.exists():
                old.replace(aside.with_name(aside.name + name))
            else:
                aside.with_name(aside.name + name).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"spool {file} is damaged and cannot be moved away: {error}") from error


def _salvage(before: sqlite3.Connection, database: sqlite3.Connection) -> int:
    """Copy what can be read of a damaged file, one batch at a time; returns how many measurements
    were dropped, as far as it tells."""
    dropped = 0
    with suppress(sqlite3.DatabaseError):
        _write(database, _notes(before))
    with suppress(sqlite3.DatabaseError):
        dropped = _holding(before, 0).dropped
    with suppress(sqlite3.DatabaseError):
        for number, measurements in before.execute("SELECT number, measurements FROM batch"):
            try:
                row = before.execute("SELECT * FROM batch WHERE number = ?", (number,)).fetchone()
                database.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            except sqlite3.DatabaseError:
                dropped += measurements
    return dropped


@contextmanager
def _errors(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        damaged = getattr(error, "sqlite_errorname", "").startswith(_DAMAGED)
        kind = _DamagedError if damaged else StorageError
        raise kind(f"spool {file} cannot be used: {error}") from error


def _size(database: sqlite3.Connection) -> int:
    """Bytes in use of the file; free pages are used again before it grows."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _count_given_up(database: sqlite3.Connection, measurements: int) -> None:
    database.execute("UPDATE given_up SET measurements = measurements + ?", (measurements,))


def _write(database: sqlite3.Connection, notes: Mapping[str, str]) -> None:
    database.executemany("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", notes.items())


def _notes(database: sqlite3.Connection) -> dict[str, str]:
    return dict(database.execute("SELECT name, value FROM note").fetchall())


def _holding(database: sqlite3.Connection, lost: int) -> Holding:
    batches, waiting = database.execute(
        "SELECT count(*), coalesce(sum(measurements), 0) FROM batch WHERE reason = ''"
    ).fetchone()
    (given_up,) = database.execute("SELECT measurements FROM given_up").fetchone()
    aside = database.execute(
        "SELECT id, measurements, reason, detail FROM batch WHERE reason <> '' ORDER BY number"
    )
    return Holding(
        batches=batches,
        measurements=waiting,
        size=_size(database),
        dropped=given_up + lost,
        aside=tuple(
            Aside(id=row[0], measurements=row[1], reason=row[2], detail=row[3]) for row in aside
        ),
    )
