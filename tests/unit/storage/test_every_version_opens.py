"""Databases as every earlier version of the tables has them, opened by this one.

Releases are told apart by the version of their tables, so each version that there ever was stands
for the releases that had it: a database with rows is made by its migrations alone.
"""

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from monitor.analysis.events.event import EventKind
from storage.open_store import sql_store, table_versions
from storage.sql.migrate import newest_version, steps_after
from tests.contract.listing import EVERYTHING, flat
from tests.unit.storage.test_upgrade import EVENT, LINE, SNAPSHOT, at_revision, fill

VERSIONS = [step.version for step in steps_after(None)]
"""Oldest first."""
RENAMED = "0016"
"""From this version on a role is called a function."""
THEN: dict[str, object] = {
    **EVENT,
    "kind": "block",
    "functions": '["web"]',
    "doubts": "[]",
    "passing": "[]",
}
"""An event with what it has in any version."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An empty database of each version: each is the one before and one migration more."""
    folder = tmp_path_factory.mktemp("versions")
    growing, found = folder / "growing.db", {}
    for version in VERSIONS:
        at_revision(growing, version)
        found[version] = folder / f"{version}.db"
        shutil.copy(growing, found[version])
    return found


def counts_of(database: sqlite3.Connection, tables: Iterable[str]) -> dict[str, int]:
    return {
        table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for table in tables
    }


def _filled(file: Path, version: str) -> dict[str, int]:
    """Rows in the tables that all versions have; gives how many there are in each."""
    health: dict[str, object] = {
        "state": "ok",
        "families": "[]",
        "nat64": "[]",
        "passing": "[]",
        "vantage_role": "field",
    }
    name = "functions" if version >= RENAMED else "roles"
    line = LINE | {"snapshot": SNAPSHOT.replace('"roles"', f'"{name}"')}
    tables: dict[str, dict[str, object]] = {
        "cycle": {},
        "measurement": {"observations": b""},
        "verdict": {},
        "platform_verdict": {},
        "vantage_health": health,
        "latest_health": health,
        "latest_platform": {},
        "latest_verdict": {},
        "event": THEN,
        "event_log": line,
    }
    with closing(sqlite3.connect(file)) as database:
        for table, given in tables.items():
            fill(database, table, given)
        database.commit()
        return counts_of(database, tables)


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_row_survives(version: str, empty: dict[str, Path], tmp_path: Path) -> None:
    """A database of any version is opened, keeps every row and reads as it did; its log still
    refuses changes."""
    file = tmp_path / "old.db"
    shutil.copy(empty[version], file)
    before = _filled(file, version)
    url = f"sqlite:///{file}"
    assert table_versions(url) == (version, newest_version())
    store = sql_store(url)
    await store.open()
    (event,) = await flat(store.events(EVERYTHING))
    (line,) = await flat(store.event_log("event-1"))
    (state,) = await store.latest_health()
    await store.close()
    assert (event.kind, event.platform, event.networks_affected) == (EventKind.BLOCK, "x", (17557,))
    assert event.functions == line.snapshot.functions == ("web",)
    assert line.snapshot.kind is EventKind.BLOCK
    assert state.timeout_rate == 0.5
    with closing(sqlite3.connect(file)) as database:
        assert counts_of(database, before) == before == dict.fromkeys(before, 1)
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            database.execute("DELETE FROM event_log")


def test_steps_are_those_that_are_left() -> None:
    """From each version those after it, with a sentence each; from the newest none."""
    assert [step.version for step in steps_after(VERSIONS[-3])] == VERSIONS[-2:]
    assert steps_after(VERSIONS[-1]) == ()
    assert all(step.what.endswith(".") for step in steps_after(None))
