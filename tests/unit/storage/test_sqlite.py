"""SQLite in particular: durable settings, errors that say what to do, waiting off the loop."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from probes.measurement import HttpObservation
from storage.open_store import open_store, sql_store
from storage.sql import listing as reading
from storage.sql import schema
from storage.sql.listing import PAGE_WEIGHT, Listing
from storage.sql.store import SqlStore
from storage.sqlite.backend import RECORDING, SqliteBackend
from storage.store import InUseError, Recording, StorageError
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle, event, log_entry, measurement, verdict
from tests.contract.listing import EVERYTHING, contents, flat

ROOT = Path(__file__).parents[3]


def _store(file: Path, busy_timeout: float = 5.0) -> SqlStore:
    return sql_store(f"sqlite:///{file}", busy_timeout=busy_timeout)


def _allow(folder: Path, mode: int) -> None:
    folder.chmod(mode)


def _write(file: Path, text: str) -> None:
    file.write_text(text)


def _link(name: Path, file: Path) -> None:
    name.symlink_to(file)


def _files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    """An open, empty store in `store.db`."""
    store = _store(tmp_path / "store.db", busy_timeout=0.3)
    await store.open()
    yield store
    await store.close()


async def test_one_leads_by_whatever_name_it_reaches_the_file(tmp_path: Path) -> None:
    """Of two collectors on one database, one by a symlink, both led: each judged all that waited,
    and people were notified by both. The same held for who moves rows to the archive."""
    await asyncio.to_thread(_link, tmp_path / "link.db", tmp_path / "store.db")
    one, other = _store(tmp_path / "store.db"), _store(tmp_path / "link.db")
    await one.open()
    await other.open()
    assert [await one.lead(), await other.lead()] == [True, False]
    with (
        SqliteBackend(str(tmp_path / "store.db")).archiving() as mine,
        SqliteBackend(str(tmp_path / "link.db")).archiving() as theirs,
    ):
        assert (mine, theirs) == (True, False)
    await one.close()
    await other.close()


def test_what_is_stored_survives_a_power_cut(tmp_path: Path) -> None:
    """The writer syncs every commit (FULL) to a write-ahead log; readers cannot write."""
    backend = SqliteBackend(str(tmp_path / "a.db"), 1)
    read, write = backend.read_engine(1), backend.write_engine()
    with write.connect() as connection:
        for pragma, value in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}.items():
            assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value
    with read.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.execute(text("CREATE TABLE t (c)"))
    read.dispose()
    write.dispose()


def test_nothing_is_touched_before_open_is_awaited(tmp_path: Path) -> None:
    """A store that is only made has made no file."""
    open_store(f"sqlite:///{tmp_path}/a.db")
    assert _files(tmp_path) == []


async def test_memory_is_a_database_of_its_own_and_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`memory:` takes many calls at once, leads as soon as it asks, shares nothing with another
    store, writes no file, and has lost its rows when it is opened again."""
    monkeypatch.chdir(tmp_path)
    store, other = (open_store("memory:", recording=Recording.ALONE) for _ in range(2))
    await store.open()
    await other.open()
    cycles = [cycle(n) for n in range(20)]
    assert await store.lead()
    await asyncio.gather(
        *(store.save(one) for one in cycles), *(store.latest_health() for _ in range(100))
    )
    stored = await flat(store.cycles(EVERYTHING))
    assert [one.id for one in stored] == [one.id for one in cycles]
    assert await flat(store.measurements(EVERYTHING))
    assert await flat(other.cycles(EVERYTHING)) == []
    await other.close()
    await store.close()
    await store.open()
    assert await flat(store.cycles(EVERYTHING)) == []
    await store.close()
    assert _files(tmp_path) == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://user:s3cret@db.example/shutwatch", "SQLite or PostgreSQL"),
        ("shutwatch.db", '"sqlite:///" and the name of a file'),
        ("", '"sqlite:///" and the name of a file'),
        ("sqlite://", "three slashes before the file"),
        ("sqlite:///", "the name of a file to keep the data in"),
        ("sqlite:///:memory:", "the name of a file to keep the data in"),
        ("sqlite://var/lib/s3cret.db", "three slashes before the file"),
        ("sqlite:///a.db?mode=ro", "with nothing after it"),
        ("sqlite+aiosqlite:///a.db", "SQLite or PostgreSQL"),
    ],
)
def test_a_url_that_is_no_store_says_what_would_be(url: str, says: str) -> None:
    """The error shows a right URL and never repeats the wrong one, which may hold a password."""
    with pytest.raises(StorageError) as caught:
        open_store(url)
    assert says in str(caught.value)
    assert "sqlite:///shutwatch.db" in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The error names the file, the folder that is not there, and what to do."""
    file = tmp_path / "not" / "there" / "store.db"
    with pytest.raises(StorageError, match=r"no folder .*not/there.*create it") as caught:
        await _store(file).open()
    assert str(file) in str(caught.value)


async def test_a_file_that_cannot_be_made_is_named() -> None:
    """Where no file can be created, not even by root, the error says to check the folder."""
    with pytest.raises(StorageError, match=r"/proc/store\.db cannot be opened or created"):
        await sql_store("sqlite:////proc/store.db").open()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    """A folder the user may not write in gives an error that says so."""
    _allow(tmp_path, 0o500)
    with pytest.raises(StorageError, match="cannot be opened or created: check that"):
        await _store(tmp_path / "store.db").open()
    _allow(tmp_path, 0o700)


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    """A path that is a folder is refused like any file that cannot be opened."""
    with pytest.raises(StorageError, match="cannot be opened or created"):
        await _store(tmp_path).open()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """Text in place of a database is refused and left as it is."""
    file = tmp_path / "notes.db"
    file.write_text("my notes\n" * 500)
    with pytest.raises(StorageError, match="is not an SQLite database"):
        await _store(file).open()
    assert file.read_text() == "my notes\n" * 500


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """Overwritten pages raise StorageError with advice, not a stack of the driver's."""
    file = tmp_path / "store.db"
    store = _store(file)
    await store.open()
    for number in range(20):
        await store.save(cycle(number, endpoints=20))
    await store.close()
    size = file.stat().st_size
    with file.open("r+b") as broken:
        broken.seek(size // 4)
        broken.write(os.urandom(size // 2))
    store = _store(file)
    with pytest.raises(StorageError, match=rf"{file.name} is damaged"):
        await _open_and_read(store)
    await store.close()


async def _open_and_read(store: SqlStore) -> None:
    await store.open()
    await flat(store.measurements(EVERYTHING))
    await flat(store.verdicts(EVERYTHING))


async def test_a_missing_file_is_an_error_when_it_should_exist(tmp_path: Path) -> None:
    """Without `create` a mistyped path is an error, and no empty database appears."""
    store = open_store(f"sqlite:///{tmp_path}/typo.db", create=False)
    with pytest.raises(StorageError, match=r"typo\.db does not exist yet: .*collector` for"):
        await store.open()
    assert _files(tmp_path) == []


@pytest.mark.parametrize("second", [Recording.ALONE, Recording.COLLECTOR])
async def test_one_run_records_in_a_file(tmp_path: Path, second: Recording) -> None:
    """Beside `run` nobody else records, by whatever name of the file: each would find every event
    again. Whoever only reads or adds opens it, and once `run` has ended the next one may."""
    url = f"sqlite:///{tmp_path}/store.db"
    _link(tmp_path / "other.db", tmp_path / "store.db")
    first = open_store(url, recording=Recording.ALONE)
    await first.open()
    for name in ("store.db", "other.db"):
        refused = open_store(f"sqlite:///{tmp_path}/{name}", recording=second)
        with pytest.raises(InUseError, match=rf"{name} \(process {os.getpid()} since 20.* UTC\)"):
            await refused.open()
    reader = open_store(url, create=False)
    await reader.open()
    await first.save(cycle(1))
    assert len(await flat(reader.measurements(EVERYTHING))) == 4
    await first.close()
    await reader.close()
    after = open_store(url, recording=second)
    await after.open()
    await after.close()


async def test_collectors_share_a_file_among_themselves(tmp_path: Path) -> None:
    """One of them leads. `run` is refused until the last one ends; a file left by one that was
    killed keeps nobody out."""
    url = f"sqlite:///{tmp_path}/store.db"
    _write(tmp_path / f"store.db{RECORDING}", "1\n")
    both = [open_store(url, recording=Recording.COLLECTOR) for _ in range(2)]
    alone = open_store(url, recording=Recording.ALONE)
    for store in both:
        await store.open()
    for store in both:
        with pytest.raises(InUseError, match=r"a collector records in database .*: stop it, or"):
            await alone.open()
        await store.close()
    await alone.open()
    await alone.close()


async def test_a_row_from_elsewhere_is_named(store: SqlStore, tmp_path: Path) -> None:
    """A row this version cannot read names its table and key."""
    await store.save(cycle(1))
    with closing(sqlite3.connect(tmp_path / "store.db")) as database, database:
        database.execute("UPDATE verdict SET state = 'haunted' WHERE endpoint LIKE '%x.com/1'")
        database.execute("UPDATE measurement SET observations = x'00' WHERE platform = 'x'")
    with pytest.raises(StorageError, match=r"table verdict .*x\.com/1\).*haunted"):
        await flat(store.verdicts(EVERYTHING))
    with pytest.raises(StorageError, match=r"table measurement .*m-khi-ptcl-000001-x-0"):
        await flat(store.measurements(EVERYTHING))


async def test_another_programs_lock_is_waited_for_off_the_loop(
    store: SqlStore, tmp_path: Path
) -> None:
    """While a save waits for a lock, the event loop runs and readers read; then it goes through."""
    await store.save(cycle(1))
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        saving = asyncio.create_task(store.save(cycle(2)))
        for _ in range(5):
            await asyncio.wait_for(asyncio.sleep(0.01), 0.1)
            assert (await store.latest_health())[0].at == cycle(1).health.at
        assert not saving.done()
        other.execute("ROLLBACK")
        await saving
    assert (await store.latest_health())[0].at == cycle(2).health.at


async def test_a_lock_held_too_long_is_an_error_and_then_over(
    store: SqlStore, tmp_path: Path
) -> None:
    """After its patience a save fails with advice; once the lock is gone, saving works again."""
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="is locked by another program"):
            await store.save(cycle(1))
        other.execute("ROLLBACK")
    await store.save(cycle(1))
    assert len(await flat(store.measurements(EVERYTHING))) == 4


async def test_a_save_that_fails_leaves_nothing_behind(store: SqlStore) -> None:
    """One transaction: when the last table cannot be written, neither were the first ones."""
    impossible = msgspec.structs.replace(log_entry(1, event()), sequence=2**70)
    before = await contents(store, "event-1")
    with pytest.raises(OverflowError):
        await store.save(cycle(1), [event()], [impossible])
    assert await contents(store, "event-1") == before
    await store.save(cycle(1), [event()], [log_entry(1, event())])
    assert len(await flat(store.event_log("event-1"))) == 1


@pytest.mark.parametrize(
    "change",
    ["UPDATE event_log SET detail = 'x'", "DELETE FROM event_log", "DELETE FROM event"],
)
async def test_the_event_log_cannot_be_rewritten(
    store: SqlStore, tmp_path: Path, change: str
) -> None:
    """Not even by hand in SQL: the database itself refuses, and keeps the event it is about."""
    await store.save(cycle(1), [event()], [log_entry(1, event())])
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        database.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|FOREIGN KEY"):
            database.execute(change)
    assert await flat(store.event_log("event-1")) == [log_entry(1, event())]


async def test_programs_that_open_a_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    """Six stores on one file that does not exist yet: all open, and all can write."""
    stores = [_store(tmp_path / "new.db") for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.save(cycle(n)) for n, store in enumerate(stores)))
    assert len(await flat(stores[0].measurements(EVERYTHING))) == 6 * 4
    for store in stores:
        await store.close()


async def test_an_open_that_is_cancelled_can_be_closed(tmp_path: Path) -> None:
    """Cancelled while migrating, the store holds what it opened, so that closing lets go of it."""
    store = _store(tmp_path / "store.db")
    opening = asyncio.create_task(store.open())
    await asyncio.sleep(0.005)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await store.close()
    assert not (tmp_path / "store.db-wal").exists()


@pytest.mark.parametrize("country", ["", "PK"])
def test_listings_walk_an_index(tmp_path: Path, country: str) -> None:
    """No page sorts or scans the table, with or without a country, first page or later."""
    file = str(tmp_path / "plan.db")
    engine = SqliteBackend(file, 1).write_engine()
    schema.metadata.create_all(engine)
    wanted = Selection(since=at(0), until=at(10**6), country=country, platform="x")
    listings: list[tuple[Listing[Any], str]] = [
        (reading.MEASUREMENTS, "started_at"),
        (reading.VERDICTS, "judged_at"),
    ]
    for listing, time in listings:
        where, start = reading.matching(listing.table.c[time], wanted)
        later = ("2024-02-17T12:00:00.000000Z", *["PK"] * (len(listing.order) - 1))
        for after in (None, later):
            query = listing.query(list(listing.table.c), where, start, after, 500).compile(
                engine, compile_kwargs={"literal_binds": True}
            )
            with engine.connect() as connection:
                plan = [row[-1] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
            assert plan[0].startswith(f"SEARCH {listing.table.name} USING INDEX"), plan
            assert time in plan[0], plan
            # Only what has the same time is sorted; older SQLite does not say how much of it.
            sorted_part = "LAST" if sqlite3.sqlite_version_info >= (3, 42) else "RIGHT PART"
            assert all(sorted_part in step for step in plan[1:]), plan
    engine.dispose()


async def test_pages_of_big_bodies_are_short(store: SqlStore) -> None:
    """Kept bodies are half a megabyte each; a page of them stops after a few, losing none."""
    body = HttpObservation(
        start=0.0, duration=0.1, url="http://x.com/", address="", body="x" * 500_000
    )
    looks = tuple(measurement(f"m-{n:02}", n, observations=(body,)) for n in range(30))
    await store.save(cycle(1, measurements=looks))
    batches = [len(batch) async for batch in store.measurements(EVERYTHING)]
    assert sum(batches) == 30
    assert max(batches) <= PAGE_WEIGHT // 500_000 + 1


async def test_a_healthy_measurement_is_small(store: SqlStore, tmp_path: Path) -> None:
    """With its indexes, and what files show of it, a healthy measurement takes less than 500 bytes
    besides its observations."""
    for number in range(50):
        looks = tuple(
            measurement(
                f"01900000-0000-7000-8000-{number:06}{n:06}",
                number * 300 + n,
                cycle="01900000-0000-7000-8000-000000000000",
            )
            for n in range(60)
        )
        await store.save(cycle(number, measurements=looks))
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        count, packed = database.execute(
            "SELECT count(*), sum(length(observations)) FROM measurement"
        ).fetchone()
        try:
            (taken,) = database.execute(
                "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema "
                "WHERE tbl_name = 'measurement')"
            ).fetchone()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite was built without dbstat")
    assert count == 3000
    assert (taken - packed) / count < 500


async def test_arrivals_are_stamped_in_order(tmp_path: Path) -> None:
    """With a clock that stands still, each save still has a stamp of its own, in order."""
    store = sql_store(f"sqlite:///{tmp_path / 'a.db'}", clock=lambda: at(0))
    await store.open()
    for number in (3, 1, 2):
        await store.save(cycle(number))
    await store.close()
    with closing(sqlite3.connect(tmp_path / "a.db")) as database:
        rows = database.execute("SELECT id, received_at FROM cycle ORDER BY received_at").fetchall()
    assert [id_[-1] for id_, _ in rows] == ["3", "1", "2"]
    assert rows[2][1] == "2024-02-17T12:00:00.000002Z"


async def test_a_time_without_a_zone_is_refused(store: SqlStore) -> None:
    """Guessing a time zone would move an onset; nothing of such a cycle is stored."""
    naive = verdict(measurement("m-1"), 0)
    naive = msgspec.structs.replace(naive, judged_at=naive.judged_at.replace(tzinfo=None))
    with pytest.raises(ValueError, match="without a time zone"):
        await store.save(msgspec.structs.replace(cycle(1), verdicts=(naive,)))
    assert await flat(store.measurements(EVERYTHING)) == []


async def test_the_size_is_that_of_the_file(tmp_path: Path) -> None:
    """Also as the first question to it: SQLite knows the size of its pages once it has read one. A
    disk has room for more, memory has no disk."""
    file = tmp_path / "a.db"
    store = _store(file)
    await store.open()
    await store.save(cycle(1))
    size = await store.size()
    await store.close()
    assert size.used == file.stat().st_size
    assert size.free is not None
    assert size.free > 0
    memory = open_store("memory:")
    await memory.open()
    assert (await memory.size()).free is None
    await memory.close()


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in another file system than `tmp_path`."""
    memory = Path("/dev/shm")  # noqa: S108 # no file is named there
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system alone")
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


async def test_the_room_is_that_of_the_disk_that_a_link_leads_to(
    tmp_path: Path, other_disk: Path
) -> None:
    """What the disk of the link has was shown as free, while the disk with the data ran full."""
    file = tmp_path / "a.db"
    file.symlink_to(other_disk / "a.db")
    store = _store(file)
    await store.open()
    free = (await store.size()).free
    await store.close()
    there, here = (shutil.disk_usage(one).free for one in (other_disk, tmp_path))
    assert free is not None
    assert abs(free - there) < abs(free - here)
