"""The spool of an agent: cycles that no collector has acknowledged, in one SQLite file of limited
size.

    put → cycle ──freeze──→ batch ──receipt──→ deleted
                              └──refused for good──→ put aside

A cycle waits as it was measured. Before anything is sent, some of the oldest are *frozen* into a
batch: its id and its bytes are durable from then on. After a crash at any moment the agent sends
the same bytes again, and the collector recognises them. At most one batch waits; a batch that was
refused for good is put aside and blocks nothing.

When the file would exceed its limit, batches put aside are dropped first, and then the oldest
cycles; the batch that waits is kept, since the collector may have it already. All dropped
measurements are counted, also those that a full disk did not take.

This module uses the standard library's `sqlite3`: SQLAlchemy alone would take an eighth of the
memory that an agent may use.
"""

import asyncio
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from storage.store import StorageError
from storage.values.private_file import make_database_private

T = TypeVar("T")

_VERSION = 1
"""Of the file's format."""
_SLACK = 16 * 1024
"""Bytes kept free below the limit, for what a row takes besides its contents."""
_WAL = 4 * 2**20
"""Bytes to which the write-ahead log is truncated."""
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")

_TABLES = """
CREATE TABLE cycle (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    boot TEXT NOT NULL,
    boottime REAL NOT NULL,
    measurements INTEGER NOT NULL,
    unpacked INTEGER NOT NULL,
    report BLOB NOT NULL
);
CREATE TABLE batch (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    encoding TEXT NOT NULL,
    measurements INTEGER NOT NULL,
    body BLOB NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT ''
);
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE given_up (measurements INTEGER NOT NULL);
INSERT INTO given_up VALUES (0);
"""


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle that waits."""

    id: str
    """UUIDv7 of the cycle."""
    boot: str
    """The start of the machine during which it was measured."""
    boottime: float
    """Seconds from that start to the cycle's `finished_at`."""
    measurements: int
    report: bytes
    """JSON of a `monitor.wire.batch.CycleReport`."""


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it is sent, each time the same."""

    id: str
    """UUIDv7."""
    encoding: str
    """Content-Encoding of `body`."""
    measurements: int
    body: bytes


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one batch, which has at least one cycle. All its cycles are of one start of the
    machine, so that they can be dated together or not at all."""

    cycles: int
    measurements: int
    packed: int
    """Bytes of cycles, each compressed by itself."""
    unpacked: int
    """Bytes."""


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that was refused for good."""

    id: str
    measurements: int
    reason: str
    detail: str


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a spool."""

    cycles: int = 0
    """That wait, without those in the frozen batch."""
    measurements: int = 0
    """That wait, in cycles and in the frozen batch."""
    size: int = 0
    """Bytes in use of the file."""
    dropped: int = 0
    """Measurements ever dropped."""
    aside: tuple[Aside, ...] = ()
    """Oldest first."""


Freeze = Callable[[Sequence[Spooled], int, int], Frozen]
"""Makes a batch of cycles; gets the number of measurements that wait after it, and of those ever
dropped."""


class Spool:
    """One file. One thread does the work, in the order of the calls. Every method but `open` and
    `close` raises StorageError, and changes all or nothing."""

    def __init__(self, file: Path, *, limit: int) -> None:
        """`limit` is in bytes; the write-ahead log next to the file may take 4 MiB more."""
        self._file = file
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

    async def put(self, cycle: Spooled, notes: Mapping[str, str] = {}) -> int:
        """Store a cycle and some notes durably; returns how many measurements were dropped for it.

        A cycle that cannot be stored counts as dropped.
        """
        return await self._run(partial(self._put, cycle, notes))

    async def give_up(self, measurements: int) -> None:
        """Count measurements as dropped that were never put."""
        self._lost += measurements
        await self._run(partial(self._note, {}))

    async def freeze(self, share: Share, make: Freeze) -> Frozen | None:
        """The batch to send next: the waiting one, else a new one of the oldest cycles; None when
        nothing waits."""
        return await self._run(partial(self._freeze, share, make))

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
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # -- in the thread -------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise StorageError(f"spool {self._file} is not open")
        return self._database

    def _open(self) -> bool:
        sound = True
        make_database_private(self._file)
        with _errors(self._file):
            try:
                self._database = _connect(self._file)
            except sqlite3.DatabaseError as error:
                if not error.sqlite_errorname.startswith(_DAMAGED):
                    raise
                _move_aside(self._file)
                make_database_private(self._file)
                self._database = _connect(self._file)
                sound = False
        return sound

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

    def _put(self, cycle: Spooled, notes: Mapping[str, str]) -> int:
        packed = zlib.compress(cycle.report)
        given_up = 0
        try:
            with self._writing() as database:
                given_up = self._make_room(database, len(packed))
                database.execute(
                    "INSERT INTO cycle (id, boot, boottime, measurements, unpacked, report) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        *(cycle.id, cycle.boot, cycle.boottime, cycle.measurements),
                        *(len(cycle.report), packed),
                    ),
                )
                _write(database, notes)
        except StorageError:
            self._lost += cycle.measurements
            raise
        return given_up

    def _make_room(self, database: sqlite3.Connection, size: int) -> int:
        """Drop the oldest until so many bytes fit; returns how many measurements were dropped."""
        given_up = 0
        while _size(database) + size + _SLACK > self._limit:
            oldest = database.execute(
                "SELECT 0, number, measurements FROM batch WHERE reason <> '' "
                "UNION ALL SELECT 1, number, measurements FROM cycle ORDER BY 1, 2 LIMIT 1"
            ).fetchone()
            if oldest is None:
                break
            table = ("batch", "cycle")[oldest[0]]
            database.execute(f"DELETE FROM {table} WHERE number = ?", oldest[1:2])  # noqa: S608 # ours
            given_up += oldest[2]
        if given_up:
            _count_given_up(database, given_up)
        return given_up

    def _freeze(self, share: Share, make: Freeze) -> Frozen | None:
        waiting = self._waiting()
        if waiting is not None:
            return waiting
        with self._writing() as database:
            cycles = list(_oldest(database, share))
            if not cycles:
                return None
            first, last = cycles[0][0], cycles[-1][0]
            (behind,) = database.execute(
                "SELECT coalesce(sum(measurements), 0) FROM cycle WHERE number > ?", (last,)
            ).fetchone()
            (given_up,) = database.execute("SELECT measurements FROM given_up").fetchone()
            made = make([cycle for _, cycle in cycles], behind, given_up)
            database.execute("DELETE FROM cycle WHERE number BETWEEN ? AND ?", (first, last))
            database.execute(
                "INSERT INTO batch (id, encoding, measurements, body) VALUES (?, ?, ?, ?)",
                (made.id, made.encoding, made.measurements, made.body),
            )
        return made

    def _waiting(self) -> Frozen | None:
        with _errors(self._file):
            row = (
                self._opened()
                .execute(
                    "SELECT id, encoding, measurements, body FROM batch WHERE reason = '' "
                    "ORDER BY number LIMIT 1"
                )
                .fetchone()
            )
        if row is None:
            return None
        return Frozen(id=row[0], encoding=row[1], measurements=row[2], body=row[3])

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
        if version not in (0, _VERSION):
            raise StorageError(
                f"spool {file} was written by another version of shutwatch: "
                "deliver it with that version, or move it away"
            )
        if version == 0:
            begun = f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;"
            database.executescript(begun)
        database.execute("SELECT count(*) FROM cycle, batch, given_up, note").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _move_aside(file: Path) -> None:
    try:
        for name in ("", "-wal", "-shm"):
            old = file.with_name(file.name + name)
            if old.exists():
                old.replace(file.with_name(f"{file.name}.damaged{name}"))
    except OSError as error:
        raise StorageError(f"spool {file} is damaged and cannot be moved away: {error}") from error


@contextmanager
def _errors(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"spool {file} cannot be used: {error}") from error


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
    cycles, waiting = database.execute(
        "SELECT count(*), coalesce(sum(measurements), 0) FROM cycle"
    ).fetchone()
    (frozen,) = database.execute(
        "SELECT coalesce(sum(measurements), 0) FROM batch WHERE reason = ''"
    ).fetchone()
    (given_up,) = database.execute("SELECT measurements FROM given_up").fetchone()
    aside = database.execute(
        "SELECT id, measurements, reason, detail FROM batch WHERE reason <> '' ORDER BY number"
    )
    return Holding(
        cycles=cycles,
        measurements=waiting + frozen,
        size=_size(database),
        dropped=given_up + lost,
        aside=tuple(
            Aside(id=row[0], measurements=row[1], reason=row[2], detail=row[3]) for row in aside
        ),
    )


def _oldest(database: sqlite3.Connection, share: Share) -> Iterator[tuple[int, Spooled]]:
    """The oldest cycles with their numbers, as many as fit one batch."""
    measured = packed = unpacked = 0
    boots = set()
    rows = database.execute(
        "SELECT number, id, boot, boottime, measurements, unpacked, report FROM cycle "
        "ORDER BY number LIMIT ?",
        (share.cycles,),
    )
    for number, name, boot, boottime, measurements, size, report in rows:
        boots.add(boot)
        measured += measurements
        packed += len(report)
        unpacked += size
        much = measured > share.measurements or packed > share.packed or unpacked > share.unpacked
        if packed > len(report) and (much or len(boots) > 1):
            return
        yield (
            number,
            Spooled(
                id=name,
                boot=boot,
                boottime=boottime,
                measurements=measurements,
                report=zlib.decompress(report),
            ),
        )
