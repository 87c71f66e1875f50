"""The spool: what is put is there until it is acknowledged, in bounds, whatever the disk does."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage.agent.spool import Spool, Waiting, read_spool
from storage.store import StorageError


def batch(number: int, *, size: int = 1000, undated: bytes = b"") -> Waiting:
    """A sealed batch of ten measurements, which does not compress."""
    return Waiting(
        id=f"batch {number}",
        measurements=10,
        digest=f"{number:064x}",
        body=os.urandom(size),
        undated=undated,
    )


async def opened(file: Path, limit: int = 10**8) -> Spool:
    """A spool."""
    spool = Spool(file, limit=limit)
    assert await spool.open()
    return spool


async def test_the_next_stays_the_same_until_it_is_forgotten(tmp_path: Path) -> None:
    """However often it is asked for, by this process or the next, while more comes in."""
    spool = await opened(tmp_path / "spool.db")
    assert await spool.next() is None
    first, second = batch(1), batch(2)
    await spool.put(first, {"note": "kept"})
    assert await spool.next() == first
    await spool.put(second)
    assert await spool.next() == first
    await spool.close()
    spool = await opened(tmp_path / "spool.db")
    assert await spool.notes() == {"note": "kept"}
    assert await spool.next() == first
    holding = await spool.holding()
    assert (holding.batches, holding.measurements) == (2, 20)
    await spool.forget(first.id)
    assert await spool.next() == second
    await spool.forget(second.id)
    assert (await spool.holding()).measurements == 0
    await spool.close()


async def test_what_has_no_date_is_dated_in_place_and_once(tmp_path: Path) -> None:
    """In its turn, under its id; what cannot be dated goes as it is. What dated it is not kept."""
    spool = await opened(tmp_path / "spool.db")
    for one in (batch(1, undated=b"one"), batch(2), batch(3, undated=b"lost")):
        await spool.put(one)
    asked: list[bytes] = []

    def dated(waiting: Waiting) -> Waiting | None:
        asked.append(waiting.undated)
        return (
            Waiting(id="-", measurements=0, digest="d", body=b"dated") if len(asked) == 1 else None
        )

    for _ in range(2):
        await spool.date(dated)
    assert asked == [b"one", b"lost"]
    first = await spool.next()
    assert first == Waiting(id="batch 1", measurements=10, digest="d", body=b"dated")
    for name in ("batch 1", "batch 2"):
        await spool.forget(name)
    third = await spool.next()
    assert third is not None
    assert (third.id, third.digest, third.undated) == ("batch 3", f"{3:064x}", b"")
    await spool.close()


async def test_the_file_keeps_its_limit_by_giving_up_the_oldest(tmp_path: Path) -> None:
    """Two megabytes put into one: the newest are left, and the one that a collector may have
    already; every measurement is there or counted."""
    limit = 1_000_000
    spool = await opened(tmp_path / "spool.db", limit)
    given_up = 0
    for number in range(200):
        given_up += await spool.put(batch(number, size=10_000))
        assert (tmp_path / "spool.db").stat().st_size <= limit
    holding = await spool.holding()
    assert holding.dropped == given_up > 0
    assert holding.measurements + holding.dropped == 2000
    assert holding.measurements >= 700
    await spool.forget("batch 0")
    after = await spool.next()
    assert after is not None
    assert after.id == f"batch {given_up // 10 + 1}"
    await spool.close()


async def test_what_lies_aside_is_given_up_first_and_the_next_not_at_all(tmp_path: Path) -> None:
    """A collector may have the next one already; nobody will ever take the other."""
    spool = await opened(tmp_path / "spool.db", 1_000_000)
    await spool.put(batch(0))
    await spool.put_aside("batch 0", "malformed", "as the test says")
    (aside,) = (await spool.holding()).aside
    assert (aside.reason, aside.measurements) == ("malformed", 10)
    first = batch(1)
    await spool.put(first)
    for number in range(2, 200):
        await spool.put(batch(number, size=10_000))
    assert (await spool.holding()).aside == ()
    assert await spool.next() == first
    await spool.close()


async def test_what_was_acknowledged_cannot_be_read_off_the_file(tmp_path: Path) -> None:
    """Its pages are overwritten when they are let go of."""
    spool = await opened(tmp_path / "spool.db")
    secret = b"what was seen" * 100
    await spool.put(Waiting(id="a", measurements=1, digest="", body=secret, undated=secret))
    await spool.forget("a")
    await spool.close()  # which empties the write-ahead log into the file
    assert b"what was seen" not in (tmp_path / "spool.db").read_bytes()


async def test_it_is_durable_before_it_says_so(tmp_path: Path) -> None:
    """The log is flushed with every transaction, as SQLite does with synchronous=FULL."""
    spool = await opened(tmp_path / "spool.db")
    assert spool._database is not None
    assert spool._database.execute("PRAGMA synchronous").fetchone() == (2,)
    await spool.close()


async def test_a_damaged_file_is_moved_away_and_a_new_one_begun(tmp_path: Path) -> None:
    """An agent that nobody can visit goes on; what was there is kept for whoever can."""
    file = tmp_path / "spool.db"
    file.write_bytes(b"no database at all, and longer than a header would be" * 100)
    spool = Spool(file, limit=10**6)
    assert not await spool.open()
    await spool.put(batch(1))
    await spool.close()
    assert (tmp_path / "spool.db.damaged").read_bytes().startswith(b"no database")
    assert read_spool(file)[0].measurements == 10


@pytest.mark.parametrize("running", [False, True])
async def test_one_damaged_page_costs_what_was_on_it_and_stops_nothing(
    tmp_path: Path, running: bool
) -> None:
    """A worn card lost a page in the midst of what waits. The spool opened, and could hand out
    nothing ever again: an agent that nobody can visit sent no more results."""
    file = tmp_path / "spool.db"
    spool = await opened(file)
    waiting = [batch(number, size=30_000) for number in range(20)]
    for one in waiting:
        await spool.put(one, {"note": "kept"})
    await spool.close()
    told: list[str] = []
    spool = Spool(file, limit=10**8, damaged=lambda: told.append("damaged"))
    if running:
        assert await spool.open()
    whole = file.read_bytes()
    lost = waiting[9].body
    at = whole.index(lost[10_000:10_100]) // 4096 * 4096
    file.write_bytes(whole[:at] + bytes(4096) + whole[at + 4096 :])
    if not running:
        assert await spool.open()
    found = []
    while (first := await spool.next()) is not None:
        found.append(first)
        await spool.forget(first.id)
    assert found == [*waiting[:9], *waiting[10:]]
    assert told == ["damaged"]
    assert await spool.notes() == {"note": "kept"}
    assert (await spool.holding()).dropped == 10
    await spool.put(batch(99))
    assert (await spool.holding()).measurements == 10
    await spool.close()
    assert (tmp_path / "spool.db.damaged").exists()


async def test_the_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """It holds what was seen, which the version that wrote it can hand in."""
    file = tmp_path / "spool.db"
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match="another version"):
        await Spool(file, limit=10**6).open()


@pytest.mark.parametrize("holds", [True, False])
async def test_a_file_of_before_batches_were_sealed_is_left_alone_if_anything_waits(
    tmp_path: Path, holds: bool
) -> None:
    """Else a new one takes its place."""
    file = tmp_path / "spool.db"
    with closing(sqlite3.connect(file)) as database:
        for name in ("cycle", "batch", "note", "given_up"):
            database.execute(f"CREATE TABLE {name} (a)")
        database.execute("PRAGMA user_version = 1")
        if holds:
            database.execute("INSERT INTO cycle VALUES (1)")
            database.commit()
    spool = Spool(file, limit=10**6)
    if holds:
        with pytest.raises(StorageError, match="another version"):
            await spool.open()
    else:
        assert await spool.open()
        await spool.put(batch(1))
    await spool.close()
