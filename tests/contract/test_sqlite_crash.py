"""kill -9: whatever was reported stored is there, whole, and the file is sound."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from storage.open_store import sql_store
from tests.contract.crash_writer import ENDPOINTS
from tests.contract.cycles import cycle
from tests.contract.listing import EVERYTHING, flat

LONGEST = 60.0
"""Seconds for a writer to open the file and store a few cycles, however busy the machine is."""
ROOT = Path(__file__).parents[2]


class Writers:
    """A process that starts writers for us to kill."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.stored: list[str] = []
        self._wanted = 0
        self._reached = asyncio.Event()

    async def write_and_be_killed(self, file: Path, first: int, stored: int, after: float) -> None:
        """A writer works on `file` until it has reported so many cycles stored, then for `after`
        seconds, then is killed."""
        assert self._process.stdin
        self._process.stdin.write(f"{file} {first}\n".encode())
        word, pid = (await self._line()).split()
        assert word == "writer"
        self._wanted = len(self.stored) + stored
        self._reached.clear()
        ended = asyncio.create_task(self._until_ended())
        try:
            # By what was stored and not by time alone: on a busy machine a second can pass before
            # the first cycle is.
            if stored:
                reached = asyncio.create_task(self._reached.wait())
                first_of = {reached, ended}
                await asyncio.wait(first_of, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
                reached.cancel()
            await asyncio.wait({ended}, timeout=after)
        finally:
            os.kill(int(pid), signal.SIGKILL)
            await ended

    async def _until_ended(self) -> None:
        while (line := await self._line()) != "ended":
            word, cycle_id = line.split()
            assert word == "stored"
            self.stored.append(cycle_id)
            if len(self.stored) >= self._wanted:
                self._reached.set()

    async def _line(self) -> str:
        assert self._process.stdout
        # The killed writer may have died in the middle of nothing longer than one line.
        return (await self._process.stdout.readline()).decode().strip()


@asynccontextmanager
async def _writers() -> AsyncIterator[Writers]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contract.crash_writer"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Writers(process)
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()


def _whole_cycles(file: Path) -> set[str]:
    """Cycles stored with all that belongs to them; fails if any is stored in part."""
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        parts = {
            table: dict(database.execute(f"SELECT cycle, count(*) FROM {table} GROUP BY cycle"))  # noqa: S608
            for table in ("measurement", "verdict", "platform_verdict", "vantage_health")
        }
        cycles = database.execute(
            "SELECT id, measurement_count, verdict_count, platform_count FROM cycle"
        ).fetchall()
        assert len(database.execute("SELECT * FROM event_log").fetchall()) == len(cycles)
    assert all(set(count) == {id_ for id_, *_ in cycles} for count in parts.values())
    for id_, measurements, verdicts, platforms in cycles:
        assert measurements == verdicts == parts["measurement"][id_] == 2 * ENDPOINTS
        assert parts["verdict"][id_] == 2 * ENDPOINTS
        assert parts["platform_verdict"][id_] == platforms == 2
        assert parts["vantage_health"][id_] == 1
    return {id_ for id_, *_ in cycles}


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
async def test_every_cycle_reported_stored_survives_kill_9(tmp_path: Path, seed: int) -> None:
    """Twenty writers killed in a row, some while the file is being made: nothing reported is
    lost, nothing is there in part, and the next writer takes up where the last one died."""
    file = tmp_path / "crash.db"
    chance = random.Random(seed)
    async with _writers() as writers:
        for round_ in range(20):
            # The first ones are killed while they make the tables, the others while they write.
            stored = 0 if round_ < 5 else chance.randint(1, 4)
            await writers.write_and_be_killed(file, round_ * 1000, stored, chance.random() * 0.1)
            if file.exists() and writers.stored:
                assert set(writers.stored) <= _whole_cycles(file)
    assert len(writers.stored) > 20

    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await store.save(cycle(10**5))
    found = {look.cycle for look in await flat(store.measurements(EVERYTHING))}
    assert found >= {*writers.stored, cycle(10**5).id}
    await store.close()
