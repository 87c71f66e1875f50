"""The spool: what is put is there until it is acknowledged, in bounds, whatever the disk does."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from storage.agent.spool import Frozen, Share, Spool, Spooled, read_spool
from storage.store import StorageError

ROOM = Share(cycles=100, measurements=10_000, packed=10**7, unpacked=10**8)


def cycle(number: int, *, size: int = 1000, boot: str = "one") -> Spooled:
    """A cycle of ten measurements whose report does not compress."""
    return Spooled(
        id=f"cycle {number}",
        boot=boot,
        boottime=float(number),
        measurements=10,
        report=os.urandom(size),
    )


def make(cycles: Sequence[Spooled], behind: int, dropped: int) -> Frozen:
    """A batch that names what it was made of."""
    names = ", ".join(one.id for one in cycles)
    return Frozen(
        id=f"batch of {names}",
        encoding="gzip",
        measurements=sum(one.measurements for one in cycles),
        body=f"{names}; {behind} behind, {dropped} dropped".encode(),
    )


async def opened(file: Path, limit: int = 10**8) -> Spool:
    """A spool."""
    spool = Spool(file, limit=limit)
    assert await spool.open()
    return spool


async def test_what_is_frozen_stays_the_same_until_it_is_forgotten(tmp_path: Path) -> None:
    """However often it is asked for, by this process or the next, while more comes in."""
    spool = await opened(tmp_path / "spool.db")
    assert await spool.freeze(ROOM, make) is None
    await spool.put(cycle(1), {"note": "kept"})
    frozen = await spool.freeze(ROOM, make)
    await spool.put(cycle(2))
    assert await spool.freeze(ROOM, make) == frozen
    await spool.close()
    spool = await opened(tmp_path / "spool.db")
    assert await spool.notes() == {"note": "kept"}
    assert frozen is not None
    assert await spool.freeze(ROOM, make) == frozen
    assert (await spool.holding()).measurements == 20
    await spool.forget(frozen.id)
    after = await spool.freeze(ROOM, make)
    assert after is not None
    assert after.body == b"cycle 2; 0 behind, 0 dropped"
    await spool.forget(after.id)
    assert (await spool.holding()).measurements == 0
    await spool.close()


@pytest.mark.parametrize(
    ("share", "first"),
    [
        (Share(cycles=2, measurements=10**6, packed=10**7, unpacked=10**8), 2),
        (Share(cycles=100, measurements=35, packed=10**7, unpacked=10**8), 3),
        (Share(cycles=100, measurements=10**6, packed=4200, unpacked=10**8), 4),
        (Share(cycles=100, measurements=10**6, packed=10**7, unpacked=5000), 5),
        (Share(cycles=100, measurements=5, packed=10, unpacked=10), 1),
    ],
)
async def test_a_batch_keeps_every_limit_and_holds_one_cycle_at_least(
    tmp_path: Path, share: Share, first: int
) -> None:
    """The oldest come first; what waits behind is told."""
    spool = await opened(tmp_path / "spool.db")
    for number in range(8):
        await spool.put(cycle(number))
    frozen = await spool.freeze(share, make)
    assert frozen is not None
    assert frozen.measurements == 10 * first
    assert frozen.body.endswith(f"{80 - 10 * first} behind, 0 dropped".encode())
    await spool.close()


async def test_cycles_of_two_starts_of_the_machine_share_no_batch(tmp_path: Path) -> None:
    """They may be dated differently."""
    spool = await opened(tmp_path / "spool.db")
    for number, boot in enumerate(("one", "one", "two")):
        await spool.put(cycle(number, boot=boot))
    frozen = await spool.freeze(ROOM, make)
    assert frozen is not None
    assert frozen.measurements == 20
    await spool.close()


async def test_the_file_keeps_its_limit_by_giving_up_the_oldest(tmp_path: Path) -> None:
    """Two megabytes put into one: the newest are left, every measurement is there or counted, and
    the next batch tells how many are not."""
    limit = 1_000_000
    spool = await opened(tmp_path / "spool.db", limit)
    given_up = 0
    for number in range(200):
        given_up += await spool.put(cycle(number, size=10_000))
        assert (tmp_path / "spool.db").stat().st_size <= limit
    holding = await spool.holding()
    assert holding.dropped == given_up > 0
    assert holding.measurements + holding.dropped == 2000
    assert holding.measurements >= 700
    frozen = await spool.freeze(ROOM, make)
    assert frozen is not None
    assert frozen.body.startswith(f"cycle {given_up // 10},".encode())
    assert frozen.body.endswith(f"0 behind, {given_up} dropped".encode())
    await spool.close()


async def test_what_lies_aside_is_given_up_first_and_what_is_frozen_not_at_all(
    tmp_path: Path,
) -> None:
    """A collector may have the frozen batch already; nobody will ever take the other."""
    spool = await opened(tmp_path / "spool.db", 1_000_000)
    one = Share(cycles=1, measurements=10, packed=10**6, unpacked=10**6)
    await spool.put(cycle(0))
    refused = await spool.freeze(one, make)
    assert refused is not None
    await spool.put_aside(refused.id, "malformed", "as the test says")
    (aside,) = (await spool.holding()).aside
    assert (aside.reason, aside.measurements) == ("malformed", 10)
    await spool.put(cycle(1))
    frozen = await spool.freeze(one, make)
    for number in range(2, 200):
        await spool.put(cycle(number, size=10_000))
    assert (await spool.holding()).aside == ()
    assert await spool.freeze(one, make) == frozen
    await spool.close()


async def test_what_was_acknowledged_cannot_be_read_off_the_file(tmp_path: Path) -> None:
    """Its pages are overwritten when they are let go of."""
    spool = await opened(tmp_path / "spool.db")
    secret = b"what was seen" * 100
    await spool.put(
        Spooled(id="a", boot="one", boottime=1.0, measurements=1, report=os.urandom(100))
    )
    frozen = await spool.freeze(
        ROOM, lambda *_: Frozen(id="b", encoding="gzip", measurements=1, body=secret)
    )
    assert frozen is not None
    await spool.forget(frozen.id)
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
    await spool.put(cycle(1))
    await spool.close()
    assert (tmp_path / "spool.db.damaged").read_bytes().startswith(b"no database")
    assert read_spool(file)[0].measurements == 10


async def test_the_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """It holds what was seen, which the version that wrote it can hand in."""
    file = tmp_path / "spool.db"
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match="another version"):
        await Spool(file, limit=10**6).open()
