"""`shutwatch db`: copies taken under load, put back whole, and refused when they do not hold."""

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from storage.open_store import sql_store
from storage.sql.migrate import MIGRATIONS
from storage.sqlite.backend import migrate_file
from storage.sqlite.backup import BackupError, backup, check
from tests.contract.cycles import annotation, cycle, event, log_entry, review

HEAD = max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("r*.py"))


class Installation:
    """A configuration and its database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "shutwatch.db"
        self.config = folder / "shutwatch.toml"
        self.config.write_text(
            f'database = "sqlite:///{self.file}"\n[[vantage]]\nid = "here"\ncountry = "PK"\n'
        )

    def fill(self, cycles: int = 20) -> None:
        """Store cycles, an event with its log, a review and an annotation."""

        async def fill() -> None:
            store = sql_store(f"sqlite:///{self.file}")
            await store.open()
            for number in range(cycles):
                await store.save(cycle(number))
            await store.save(cycle(cycles), [event()], [log_entry(1, event())])
            await store.add_review(review())
            await store.add_annotations([annotation()])
            await store.close()

        asyncio.run(fill())

    def run(self, *arguments: str) -> Result:
        """One command."""
        return CliRunner().invoke(app, ["db", *arguments, "--config", str(self.config)])


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """A database with something of everything in it."""
    made = Installation(tmp_path)
    made.fill()
    return made


def rows(file: Path) -> dict[str, list[Any]]:
    """Everything in a database, table by table, whatever the order."""
    with closing(sqlite3.connect(file)) as database:
        tables = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        return {
            table: sorted(database.execute(f"SELECT * FROM {table}").fetchall(), key=repr)  # noqa: S608
            for table in tables
        }


def digest(file: Path) -> str:
    """Of the file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


# -- backup --------------------------------------------------------------------------------------


def test_a_copy_has_every_row(here: Installation) -> None:
    """Of every table; it is one file, for its owner alone, and says what is in it."""
    copy = here.folder / "copy.db"
    done = here.run("backup", str(copy))
    assert done.exit_code == 0, done.output
    assert "84 measurements, 1 event, checked" in done.stdout
    assert rows(copy) == rows(here.file)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in here.folder.glob("copy*")) == ["copy.db"]


def test_a_file_that_is_there_is_never_overwritten_by_accident(here: Installation) -> None:
    """It stays as it is, exit code 2; with --force it is replaced whole."""
    copy = here.folder / "copy.db"
    copy.write_text("precious")
    done = here.run("backup", str(copy))
    assert (done.exit_code, "--force" in done.stderr, copy.read_text()) == (2, True, "precious")
    assert here.run("backup", str(copy), "--force").exit_code == 0
    assert rows(copy) == rows(here.file)
    assert here.run("backup", str(here.file), "--force").exit_code == 2


def test_a_backup_goes_into_a_regular_file_alone(here: Installation, tmp_path: Path) -> None:
    """A FIFO or a device stays what it is, also with --force, and a symlink stays a symlink."""
    pipe, link, copy = tmp_path / "pipe", tmp_path / "latest", tmp_path / "copy.db"
    os.mkfifo(pipe)
    done = here.run("backup", str(pipe), "--force")
    assert (done.exit_code, "is no regular file" in done.stderr) == (2, True)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    link.symlink_to("copy.db")
    for forced in ([], ["--force"]):
        assert here.run("backup", str(link), *forced).exit_code == 0
        assert (link.is_symlink(), copy.is_symlink(), check(str(copy))) == (True, False, [])


def test_two_copies_to_one_file_do_not_mix(here: Installation) -> None:
    """The second says so, and the first is not disturbed."""
    copy = here.folder / "copy.db"
    told: list[str] = []

    def again(_done: int, _total: int) -> None:
        if not told:
            with pytest.raises(BackupError) as caught:
                backup(str(here.file), copy)
            told.append(str(caught.value))

    backup(str(here.file), copy, progress=again)
    assert "being written by another process" in told[0]
    assert check(str(copy)) == []


def test_what_cannot_be_written_is_named(here: Installation) -> None:
    """A folder that is not there, exit code 2."""
    done = here.run("backup", str(here.folder / "nowhere" / "copy.db"))
    assert (done.exit_code, "nowhere" in done.stderr) == (2, True)


def test_nothing_is_copied_that_does_not_exist(tmp_path: Path) -> None:
    """And no empty database is made by trying."""
    empty = Installation(tmp_path)
    done = empty.run("backup", str(tmp_path / "copy.db"))
    assert (done.exit_code, "there is no file" in done.stderr) == (2, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shutwatch.toml"]


# -- restore -------------------------------------------------------------------------------------


def test_a_copy_put_back_has_every_row(here: Installation) -> None:
    """The database is as it was when the copy was made; what came after is kept aside, whole."""
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    before = rows(here.file)
    here.file.chmod(0o640)
    here.fill(40)
    after = rows(here.file)
    assert after != before
    done = here.run("restore", str(copy))
    assert done.exit_code == 0, done.output
    assert rows(here.file) == before
    assert here.file.stat().st_mode & 0o777 == 0o640
    (aside,) = here.folder.glob("shutwatch.db.before-*Z")
    assert str(aside) in done.stdout
    assert rows(aside) == after
    here.fill(41)  # and it works on


def test_a_database_that_is_a_link_to_another_disk_stays_there(
    here: Installation, tmp_path: Path
) -> None:
    """The link was replaced by the copy, which so came to lie on the small disk of the link."""
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    before = rows(here.file)
    disk = tmp_path / "disk"
    disk.mkdir()
    here.file.rename(disk / "data.db")
    here.file.symlink_to(disk / "data.db")
    here.fill(40)
    after = rows(here.file)
    done = here.run("restore", str(copy))
    assert done.exit_code == 0, done.output
    assert here.file.is_symlink()
    assert rows(disk / "data.db") == before
    (aside,) = disk.glob("data.db.before-*Z")
    assert str(aside) in done.stdout
    assert rows(aside) == after


def test_put_back_on_a_new_machine(here: Installation, tmp_path: Path) -> None:
    """Where there is no database yet there is nothing to keep."""
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    folder = tmp_path / "new"
    folder.mkdir()
    new = Installation(folder)
    (folder / "shutwatch.db-wal").write_bytes(b"left behind by another database")
    assert new.run("restore", str(copy)).exit_code == 0
    assert rows(new.file) == rows(here.file)


def test_a_damaged_database_can_be_replaced(here: Installation) -> None:
    """That is what copies are for; what is left of it is kept."""
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    before = rows(here.file)
    here.file.write_bytes(b"not a database any more" * 1000)
    assert here.run("check").exit_code == 3
    assert here.run("restore", str(copy)).exit_code == 0
    assert rows(here.file) == before
    (aside,) = here.folder.glob("*.before-*")
    assert aside.read_bytes().startswith(b"not a database")


def test_a_copy_that_does_not_hold_is_refused(here: Installation) -> None:
    """Exit code 3 with the reason, and the database stays as it is to the byte."""
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    content = bytearray(copy.read_bytes())
    middle = len(content) // 2 // 8192 * 8192
    content[middle : middle + 8192] = b"\xff" * 8192
    copy.write_bytes(content)
    before = digest(here.file)
    done = here.run("restore", str(copy))
    assert (done.exit_code, "nothing was changed" in done.stderr) == (3, True)
    assert digest(here.file) == before
    assert sorted(path.name for path in here.folder.glob("shutwatch.db*")) == ["shutwatch.db"]


def test_an_old_copy_is_brought_up_to_date(here: Installation) -> None:
    """A copy that an older release made gets this one's tables; the copy itself stays as it was."""
    old = here.folder / "old.db"
    _made_by_the_first_release(old)
    before = digest(old)
    assert here.run("restore", str(old)).exit_code == 0
    with closing(sqlite3.connect(here.file)) as database:
        assert database.execute("SELECT * FROM alembic_version").fetchall() == [(HEAD,)]
        assert database.execute("SELECT count(*) FROM cycle").fetchone() == (1,)
    assert digest(old) == before


def _made_by_the_first_release(file: Path) -> None:
    scripts = file.with_suffix(".migrations")
    shutil.copytree(MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (scripts / "versions").glob("r*.py"):
        if not path.name.startswith("r0001"):
            path.unlink()
    from storage.sql.migrate import migrate  # with other scripts, here only
    from storage.sqlite.backend import SqliteBackend

    backend = SqliteBackend(str(file), 1)
    read, write = backend.read_engine(1), backend.write_engine()
    migrate(read, write, str(file), scripts)
    read.dispose()
    write.dispose()
    with closing(sqlite3.connect(file)) as database:
        database.execute(
            "INSERT INTO cycle VALUES ('PK', 'c', 'v', '2024-01-01', '2024-01-01', '2024-01-01', "
            "0, 0, 0)"
        )
        database.commit()


def test_a_copy_of_a_newer_release_is_refused(here: Installation) -> None:
    """It is named as newer, and nothing is changed."""
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    with closing(sqlite3.connect(copy)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    before = digest(here.file)
    done = here.run("restore", str(copy))
    assert (done.exit_code, "made by a newer shutwatch" in done.stderr) == (1, True)
    assert f"{copy} is not restored, nothing was changed" in done.stderr
    assert digest(here.file) == before


# -- check ---------------------------------------------------------------------------------------


def test_what_holds_is_said_to_hold(here: Installation) -> None:
    """The configured database, and any copy; nothing is written by looking."""
    before = digest(here.file)
    assert ": OK" in here.run("check").stdout
    assert digest(here.file) == before
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    assert here.run("check", str(copy)).exit_code == 0


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (("DROP TRIGGER event_log_refuses_delete", "DELETE FROM event_log"), ""),
        (
            (
                "DROP TRIGGER event_log_refuses_update",
                "UPDATE event_log SET sequence = 3",
            ),
            "the log of event event-1 has a gap",
        ),
        (("DROP TRIGGER review_refuses_delete", "DELETE FROM event"), "that is not there"),
        (("DROP TABLE event_log",), "there is no table event_log"),
    ],
)
def test_what_does_not_hold_is_named(
    here: Installation, damage: tuple[str, ...], told: str
) -> None:
    """Exit code 3, with each problem."""
    with closing(sqlite3.connect(here.file)) as database:
        for statement in damage:
            database.execute(statement)
        database.commit()
    done = here.run("check")
    assert done.exit_code == (3 if told else 0)
    assert told in done.stderr


def test_damage_is_told_line_by_line_with_what_to_do(here: Installation) -> None:
    """Each thing that SQLite finds has a line, and the last line says what helps: another copy in
    place of a damaged one."""
    copy = here.folder / "copy.db"
    assert here.run("backup", str(copy)).exit_code == 0
    for file in (here.file, copy):
        with file.open("r+b") as damaged:
            damaged.seek(8192 * 12)
            damaged.write(b"\xff" * 8192 * 3)
    done = here.run("check")
    *problems, remedy = done.stderr.splitlines()
    assert done.exit_code == 3
    assert problems
    for line in problems:
        assert line.startswith(f"{here.file}: SQLite says: ")
        assert "***" not in line
        assert "\\u000a" not in line
    assert remedy == (
        "→ stop shutwatch, keep this file, and put back the newest whole copy: `shutwatch db "
        "restore FILE`, docs/backup.md"
    )
    assert "→ use an earlier copy" in here.run("check", str(copy)).stderr


def test_a_newer_version_is_not_called_ok(here: Installation) -> None:
    """Nothing else would open it: the same sentence, and exit code 1."""
    with closing(sqlite3.connect(here.file)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments in (["check"], ["check", str(here.file)], ["upgrade"]):
        done = here.run(*arguments)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "has tables of version 9999, made by a newer shutwatch" in done.stderr


def test_the_file_of_another_program_does_not_hold(here: Installation) -> None:
    """Neither a text nor another database passes, and none can be restored."""
    text, other = here.folder / "text.db", here.folder / "other.db"
    text.write_text("hello " * 1000)
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    for file in (text, other):
        assert here.run("check", str(file)).exit_code == 3
        assert here.run("restore", str(file)).exit_code == 3
    assert here.run("check", str(here.folder / "absent.db")).exit_code == 2


def test_a_memory_database_has_no_copies(here: Installation) -> None:
    """It says so, exit code 2."""
    here.config.write_text(here.config.read_text().replace(f"sqlite:///{here.file}", "memory:"))
    done = here.run("backup", str(here.folder / "copy.db"))
    assert (done.exit_code, "which is not a file" in done.stderr) == (2, True)


def test_migrating_a_file_twice_is_fine(tmp_path: Path) -> None:
    """Restoring migrates a copy that may be up to date already."""
    for _ in range(2):
        migrate_file(str(tmp_path / "store.db"))
    assert check(str(tmp_path / "store.db")) == []


# -- upgrade --check -----------------------------------------------------------------------------


def test_what_an_upgrade_would_do_is_said_and_not_done(here: Installation) -> None:
    """Each migration with a sentence, exit code 4, and not a byte changed; on a copy also how long
    it takes, and the copy is gone afterwards."""
    here.file.unlink()
    _made_by_the_first_release(here.file)
    before = digest(here.file), sorted(here.folder.iterdir())
    done = here.run("upgrade", "--check")
    assert done.exit_code == 4, done.output
    assert f"has tables of version 0001; `shutwatch db upgrade` brings them to {HEAD}:" in (
        done.stdout
    )
    assert "  0015  The append-only log." in done.stdout
    assert "0001  " not in done.stdout
    tried = here.run("upgrade", "--check", "--on-copy")
    assert tried.exit_code == 4, tried.output
    assert "On a copy all of it took " in tried.stdout
    as_json = here.run("upgrade", "--check", "--json")
    steps = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert (steps[0]["migration"], steps[-1]["migration"]) == ("0002", HEAD)
    assert steps[0]["version"] == "0001"
    assert (digest(here.file), sorted(here.folder.iterdir())) == before


def test_nothing_to_upgrade_is_exit_code_0(here: Installation) -> None:
    """Of this version's tables; a file that is not there would be made; a newer one is refused."""
    done = here.run("upgrade", "--check")
    assert (done.exit_code, "nothing to do" in done.stdout) == (0, True)
    assert here.run("upgrade", "--on-copy").exit_code == 2
    with closing(sqlite3.connect(here.file)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    newer = here.run("upgrade", "--check")
    assert (newer.exit_code, "made by a newer shutwatch" in newer.stderr) == (1, True)
    here.file.unlink()
    none = here.run("upgrade", "--check")
    assert (none.exit_code, "holds nothing yet" in none.stdout) == (4, True)
    assert not here.file.exists()
