"""`doctor` calls no database ok that `run` refuses to start with."""

import contextlib
import os
import sqlite3
from pathlib import Path

import msgspec
import pytest

from monitor.config.load import default_settings
from monitor.doctor.folders import try_folders
from monitor.doctor.tables import try_database
from monitor.doctor.trial import Trial
from monitor.measuring.probers import Probers
from monitor.wording.findings import What, finding_sentences
from monitor.wording.words import words_in
from storage.open_store import sql_store
from storage.sql import readable
from storage.values.steady_clock import utc_now
from tests.contract.cycles import cycle, event, log_entry

_PAGE = 8192


async def filled(file: Path) -> None:
    """A database of many pages."""
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await store.save(cycle(1), [event()], [log_entry(1, event(updated=601))])
    for number in range(2, 40):
        await store.save(cycle(number))
    await store.close()


async def said(file: Path) -> str:
    """What is found, with the remedy; or `ok` and what it is about."""
    settings = msgspec.structs.replace(default_settings(), database=f"sqlite:///{file}")
    async with Probers(settings, now=utc_now) as probers:
        (one,) = await try_database(Trial(settings=settings, probers=probers))
    if one.finding is None:
        return f"ok {one.about}"
    return " → ".join(finding_sentences(words_in(), one.finding))


def spoil(file: Path, pages: range) -> None:
    """Overwrite these pages, as a failing disk does."""
    with file.open("r+b") as out:
        for page in pages:
            out.seek(page * _PAGE)
            out.write(os.urandom(_PAGE))


async def test_a_database_that_is_a_link_is_tried_where_it_leads(tmp_path: Path) -> None:
    """The disk of the link was tried, and its room shown, while the disk with the data was full."""
    disk, file = tmp_path / "disk", tmp_path / "watch.db"
    disk.mkdir()
    file.symlink_to(disk / "data.db")
    settings = msgspec.structs.replace(default_settings(), database=f"sqlite:///{file}")
    async with Probers(settings, now=utc_now) as probers:
        room = {disk: 3_000_000}
        trial = Trial(
            settings=settings,
            probers=probers,
            free_bytes=lambda folder: room.get(folder, 10**12),
        )
        (one,) = await try_folders(trial)
    assert (one.about, one.finding and one.finding.what) == (str(disk), What.DISK_FULL)


async def test_a_whole_database_is_ok(tmp_path: Path) -> None:
    """Nothing of it changes."""
    file = tmp_path / "watch.db"
    await filled(file)
    before = file.read_bytes()
    assert await said(file) == f"ok sqlite:///{file}"
    assert file.read_bytes() == before


async def test_a_table_that_is_gone_is_named(tmp_path: Path) -> None:
    """The version says that it is there."""
    file = tmp_path / "watch.db"
    await filled(file)
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("DROP TABLE event")
    assert await said(file) == (
        f"database {file} lacks the table event. → Stop shutwatch, and restore a copy:"
        " docs/backup.md."
    )


@pytest.mark.parametrize("whole", [True, False])
async def test_damaged_pages_are_found(
    tmp_path: Path, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a small file is read. Of a large one, what a start reads and the ends of tables."""
    file = tmp_path / "watch.db"
    await filled(file)
    if not whole:
        monkeypatch.setattr(readable, "WHOLE", 0)
        assert await said(file) == (
            f"ok sqlite:///{file}, read in part: `shutwatch db check` reads all"
        )
    with contextlib.closing(sqlite3.connect(file)) as database:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'latest_verdict'"
        (root,) = database.execute(query).fetchone()
    pages = file.stat().st_size // _PAGE
    spoil(file, range(pages - 3, pages) if whole else range(root - 1, root))
    found = await said(file)
    assert "is damaged" in found
    assert "→ Stop shutwatch, keep a copy, and restore a backup" in found


async def test_a_database_that_cannot_be_made_is_not_ok(tmp_path: Path) -> None:
    """It has no folder; where it has one, the first start makes it."""
    assert await said(tmp_path / "watch.db") == (
        f"ok sqlite:///{tmp_path}/watch.db, made at the first start"
    )
    folder = tmp_path / "gone"
    assert await said(folder / "watch.db") == (
        f"database {folder}/watch.db cannot be created, there is no folder {folder}. → Create it,"
        " or set `database` to another file."
    )
