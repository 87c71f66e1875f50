"""Backups beside other processes: of a database in use, and killed in the middle."""

import asyncio
import multiprocessing
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from storage.open_store import sql_store
from storage.sqlite.backend import migrate_file
from storage.sqlite.backup import PARTIAL, backup, check, restore
from tests.contract.cycles import cycle
from tests.contract.listing import EVERYTHING, flat
from tests.unit.monitor.cli.test_db_command import Installation, rows

ROOT = Path(__file__).parents[2]
WRITER = """\
import asyncio, sys
from storage.open_store import sql_store
from storage.sql.store import SqlStore
from tests.contract.cycles import cycle

async def write():
    store = sql_store(f"sqlite:///{sys.argv[1]}")
    await store.open()
    number = 1000
    while True:
        await store.save(cycle(number))
        print(number, flush=True)
        number += 1

asyncio.run(write())
"""
"""Stores a cycle after the other until it is killed, and says so after each."""


def _killed(after: float, being_made: Path, work: Callable[[], object]) -> None:
    """Have another process do it, and kill it so many seconds after it began to write."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    deadline = time.monotonic() + 60
    while not being_made.exists() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(after)
    process.kill()
    process.join()


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """A database with something of everything in it."""
    made = Installation(tmp_path)
    made.fill()
    return made


@pytest.fixture
def writer(here: Installation) -> Iterator["subprocess.Popen[str]"]:
    """Another process that stores cycles all the time."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(here.file)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_copy_under_load_is_of_one_moment(
    here: Installation, writer: "subprocess.Popen[str]"
) -> None:
    """While cycles are stored all the time, copies hold whole cycles, all those stored before each
    began among them, and the writer is never held up for long."""
    assert writer.stdout is not None
    for number in range(5):
        stored = int(writer.stdout.readline())
        copy = here.folder / f"copy-{number}.db"
        backup(str(here.file), copy)
        assert check(str(copy)) == []
        with closing(sqlite3.connect(copy)) as database:
            (newest,) = database.execute(
                "SELECT max(id) FROM cycle WHERE id LIKE 'cycle-khi-ptcl-001%'"
            ).fetchone()
            assert int(newest[-6:]) >= stored
            halves = database.execute(
                "SELECT cycle.id FROM cycle LEFT JOIN measurement ON measurement.cycle = cycle.id "
                "GROUP BY cycle.id HAVING count(measurement.id) <> 4"
            ).fetchall()
            assert halves == []
    assert writer.poll() is None


def test_killed_in_the_middle_nothing_half_is_left(here: Installation) -> None:
    """At twenty moments: a file of the name asked for is there whole or not at all; whatever was
    being made is taken over by the next attempt."""
    here.fill(400)
    copy = here.folder / "copy.db"
    being_made = copy.with_name(copy.name + PARTIAL)
    whole = 0
    for attempt in range(20):
        _killed(attempt * 0.003, being_made, partial(backup, str(here.file), copy))
        if copy.exists():
            assert check(str(copy)) == []
            whole += 1
            copy.unlink()
    assert whole < 20
    assert here.run("backup", str(copy)).exit_code == 0
    assert rows(copy) == rows(here.file)
    assert sorted(path.name for path in here.folder.glob("copy*")) == ["copy.db"]


async def test_a_database_in_use_is_not_replaced(here: Installation) -> None:
    """Not even when whoever has it open does nothing: exit code 2, and everything stays."""
    copy = here.folder / "copy.db"
    backup(str(here.file), copy)
    before = rows(here.file)
    store = sql_store(f"sqlite:///{here.file}")
    await store.open()
    command = [sys.executable, "-m", "monitor", "db", "restore", str(copy)]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--config", str(here.config)),
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    _, told = await process.communicate()
    assert (process.returncode, b"is in use: stop shutwatch" in told) == (2, True)
    assert len(await flat(store.events(EVERYTHING))) == 1
    await store.save(cycle(999))
    await store.close()
    assert rows(here.file)["event_log"] == before["event_log"]
    assert not list(here.folder.glob("*.before-*"))
    assert here.run("restore", str(copy)).exit_code == 0


def test_killed_while_restoring_the_database_is_one_of_the_two(here: Installation) -> None:
    """At ten moments: the old one or the copy, whole, and never nothing."""
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    here.fill(200)
    being_made = here.file.with_name(here.file.name + PARTIAL)
    for attempt in range(10):
        moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=attempt)
        put_back = partial(restore, copy, str(here.file), migrate_file, moment)
        _killed(attempt * 0.01, being_made, put_back)
        assert check(str(here.file)) == []
