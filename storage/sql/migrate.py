"""Bring a database to this version's tables, from any older version, all or nothing."""

import threading
from functools import cache
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from storage.store import StorageError

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_LOCK = 0x73687574776D6967
"""An advisory lock of PostgreSQL for migrations. SQLite's writers exclude each other anyway."""

_one_at_a_time = threading.Lock()
"""Alembic keeps what it is working on in a global."""


def migrate(
    read: Engine, write: Engine, name: str, scripts: Path = MIGRATIONS, *, create: bool = True
) -> None:
    """Upgrade the database behind both engines, while no other process does.

    `name` is for errors; `scripts` is the folder of revisions. Raises StorageError for a database
    that belongs to a newer version or to another program, and without `create` for one without
    tables, leaving it as it was.
    """
    with read.connect() as connection:
        if _is_current(connection, _revisions(scripts), name):
            return
        if not create and version_of(connection)[0] is None:
            raise StorageError(
                f"database {name} holds nothing yet: `shutwatch run` makes its tables; check "
                "`database`"
            )
    with _one_at_a_time, write.begin() as connection:
        if write.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        # Another process may have migrated while this one waited: then nothing is left to do.
        config = _config(scripts)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def version_of(connection: Connection) -> tuple[str | None, str]:
    """The version of the tables that are there, None when there are none, and this release's."""
    return MigrationContext.configure(connection).get_current_revision(), newest_version()


def newest_version() -> str:
    """This release's."""
    newest = _revisions(MIGRATIONS).get_current_head()
    assert newest is not None  # noqa: S101 # there is one line of revisions
    return newest


def examined(connection: Connection, name: str) -> tuple[str | None, str]:
    """As `version_of`. StorageError for tables of a newer release, or of another program."""
    _is_current(connection, _revisions(MIGRATIONS), name)
    return version_of(connection)


class Step(NamedTuple):
    """One migration."""

    version: str
    what: str
    """What it changes, in one sentence."""


def steps_after(version: str | None) -> tuple[Step, ...]:
    """The migrations from tables of that version to this release's, in their order; None for a
    database without tables."""
    if version == newest_version():
        return ()
    script = _revisions(MIGRATIONS)
    found = script.iterate_revisions("head", version or "base")
    steps = [Step(one.revision, (one.doc or "").partition("\n")[0]) for one in found]
    return tuple(reversed(steps))


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    return config


@cache
def _revisions(scripts: Path) -> ScriptDirectory:
    """What is in that folder, whose files are compiled each time they are read."""
    return ScriptDirectory.from_config(_config(scripts))


def _is_current(connection: Connection, script: ScriptDirectory, name: str) -> bool:
    found = MigrationContext.configure(connection).get_current_heads()
    known = {revision.revision for revision in script.walk_revisions()}
    if unknown := sorted(set(found) - known):
        raise StorageError(
            f"database {name} has tables of version {', '.join(unknown)}, made by a newer "
            f"shutwatch; this one knows versions up to {script.get_current_head()}: install the "
            "newer shutwatch again, or set `database` to another one"
        )
    if not found and (tables := inspect(connection).get_table_names()):
        raise StorageError(
            f"database {name} belongs to another program (it has a table {tables[0]}): set "
            "`database` to another one"
        )
    return set(found) == set(script.get_heads())
