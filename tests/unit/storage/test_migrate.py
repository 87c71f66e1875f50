"""Migrations lead to exactly the tables of schema.py, from any version, or change nothing."""

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from storage.open_store import sql_store
from storage.sql.migrate import MIGRATIONS, migrate, newest_version
from storage.sql.schema import metadata
from storage.sqlite.backend import SqliteBackend
from storage.store import StorageError
from tests.contract.cycles import cycle
from tests.contract.listing import EVERYTHING, flat
from tests.unit.storage.test_upgrade import at_revision

NEXT = '''"""A later release adds a column, then a table."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{before}"


def upgrade() -> None:
    with op.batch_alter_table("cycle") as table:
        table.add_column(sa.Column("note", sa.Text, nullable=False, server_default="none"))
    {also}
    op.create_table("extra", sa.Column("id", sa.Text, primary_key=True))
'''
HEAD = max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("r*.py"))


def _migrate(file: Path, scripts: Path = MIGRATIONS) -> None:
    backend = SqliteBackend(str(file), 1)
    read, write = backend.read_engine(1), backend.write_engine()
    try:
        migrate(read, write, str(file), scripts)
    finally:
        read.dispose()
        write.dispose()


def _objects(file: Path) -> dict[tuple[str, str], str]:
    """Everything in a database, as the SQL that made it."""
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute(
            "SELECT type, name, sql FROM sqlite_schema "
            "WHERE sql IS NOT NULL AND name != 'alembic_version'"
        ).fetchall()
    return {(kind, name): re.sub(r"\s+", " ", sql) for kind, name, sql in rows}


def _later_release(folder: Path, also: str = "") -> Path:
    """The shipped migrations and one more."""
    scripts = folder / "migrations"
    shutil.copytree(MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "r9999_next.py").write_text(NEXT.format(before=HEAD, also=also))
    return scripts


def test_versions_are_in_the_names_of_files_in_one_line() -> None:
    """A start without anything to migrate does without Alembic, and reads versions from names."""
    revisions = list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())
    named = [f"r{one.revision}_" for one in revisions]
    assert [Path(one.path).name[:6] for one in revisions] == named == sorted(named, reverse=True)
    assert newest_version() == revisions[0].revision


def test_migrating_gives_the_tables_of_the_schema(tmp_path: Path) -> None:
    """Alembic sees no difference between a migrated database and schema.py."""
    at_revision(tmp_path / "migrated.db", HEAD)
    engine = create_engine(f"sqlite:///{tmp_path / 'migrated.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrating_gives_the_same_sql_as_the_schema(tmp_path: Path) -> None:
    """Keys, indexes and triggers, which Alembic does not all compare, are the same text. So a new
    database is made without going through the migrations."""
    at_revision(tmp_path / "migrated.db", HEAD)
    _migrate(tmp_path / "made.db")
    made = _objects(tmp_path / "made.db")
    assert _objects(tmp_path / "migrated.db") == made
    assert {kind for kind, _ in made} == {"table", "index", "trigger"}


async def test_a_database_that_two_programs_make_at_once_is_made_once(tmp_path: Path) -> None:
    """Whoever comes second finds it made."""
    stores = [sql_store(f"sqlite:///{tmp_path / 'store.db'}") for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    for store in stores:
        await store.close()
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        assert database.execute("SELECT * FROM alembic_version").fetchall() == [(HEAD,)]


async def test_an_older_database_is_brought_up_to_date(tmp_path: Path) -> None:
    """A later release opens this one's file: new tables are there and no row is lost."""
    file = tmp_path / "old.db"
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await store.save(cycle(1))
    await store.close()
    _migrate(file, _later_release(tmp_path))
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT note FROM cycle").fetchall() == [("none",)]
        assert database.execute("SELECT count(*) FROM measurement").fetchone() == (4,)
        assert database.execute("SELECT * FROM extra").fetchall() == []


async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An older shutwatch says which version made the file, and changes nothing in it."""
    file = tmp_path / "new.db"
    _migrate(file, _later_release(tmp_path))
    before = _objects(file)
    with pytest.raises(StorageError, match=rf"9999, made by a newer shutwatch.*{HEAD}") as caught:
        await sql_store(f"sqlite:///{file}").open()
    assert str(file) in str(caught.value)
    assert _objects(file) == before


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Half a migration never stays: the file is as before, and the next attempt succeeds."""
    file = tmp_path / "store.db"
    _migrate(file)
    before = _objects(file)
    broken = _later_release(tmp_path, also="raise RuntimeError('power cut')")
    with pytest.raises(RuntimeError, match="power cut"):
        _migrate(file, broken)
    assert _objects(file) == before
    shutil.rmtree(broken)
    _migrate(file, _later_release(tmp_path))
    assert ("table", "extra") in _objects(file)


async def test_the_file_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A database with foreign tables is neither migrated nor switched to another journal."""
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    before = file.read_bytes()
    with pytest.raises(StorageError, match=r"belongs to another program.*recipes"):
        await sql_store(f"sqlite:///{file}").open()
    assert file.read_bytes() == before


async def test_a_percent_sign_in_the_path_is_only_a_letter(tmp_path: Path) -> None:
    """Paths with characters special to configuration files and URLs work."""
    scripts = tmp_path / "100% (sure)"
    scripts.mkdir()
    file = scripts / "a%20b.db"
    _migrate(file, _later_release(scripts))
    assert ("table", "extra") in _objects(file)


async def test_an_open_store_is_the_head_revision(tmp_path: Path) -> None:
    """Opening twice migrates once: the second opening finds nothing to do and writes nothing."""
    file = tmp_path / "store.db"
    for _ in range(2):
        store = sql_store(f"sqlite:///{file}")
        await store.open()
        assert await flat(store.events(EVERYTHING)) == []
        await store.close()
        with closing(sqlite3.connect(file)) as database:
            assert database.execute("SELECT * FROM alembic_version").fetchall() == [(HEAD,)]
