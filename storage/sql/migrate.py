"""Bring a database to this version's tables, from any older version, all or nothing."""

import ast
import threading
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine, inspect, text

from storage.sql.schema import metadata
from storage.store import StorageError, WrongDatabaseError

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
        if _is_current(connection, scripts, name):
            return
        if not create and version_of(connection)[0] is None:
            raise WrongDatabaseError(
                f"database {name} holds nothing yet: `shutwatch run` makes its tables, or "
                "`shutwatch collector` for agents; check `database`"
            )
    with _one_at_a_time, write.begin() as connection:
        if write.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        elif scripts == MIGRATIONS and not inspect(connection).get_table_names():
            _make(connection)
            return
        _upgrade(connection, scripts)


def version_of(connection: Connection) -> tuple[str | None, str]:
    """The version of the tables that are there, None when there are none, and this release's."""
    return _found(connection), newest_version()


def newest_version() -> str:
    """This release's."""
    return _known(MIGRATIONS)[-1]


def examined(connection: Connection, name: str) -> tuple[str | None, str]:
    """As `version_of`. StorageError for tables of a newer release, or of another program."""
    _is_current(connection, MIGRATIONS, name)
    return version_of(connection)


class Step(NamedTuple):
    """One migration."""

    version: str
    what: str
    """What it changes, in one sentence."""


def steps_after(version: str | None) -> tuple[Step, ...]:
    """The migrations from tables of that version to this release's, in their order; None for a
    database without tables."""
    left = [one for one in _known(MIGRATIONS) if version is None or one > version]
    return tuple(Step(one, _first_line(one)) for one in left)


def _first_line(version: str) -> str:
    """Of what a migration says of itself; it is read, not run, which would load Alembic."""
    (path,) = (MIGRATIONS / "versions").glob(f"r{version}_*.py")
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0]


def _make(connection: Connection) -> None:
    """The tables of this release in an empty SQLite database, as all migrations together give them,
    which tests hold. To go through them would take a second of CPU, with loading Alembic."""
    metadata.create_all(connection)
    connection.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(
        text("INSERT INTO alembic_version VALUES (:newest)"), {"newest": newest_version()}
    )


def _upgrade(connection: Connection, scripts: Path) -> None:
    # To load Alembic takes a fifth of a start, and most starts have nothing to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    # Another process may have migrated while this one waited: then nothing is left to do.
    command.upgrade(config, "head")


@cache
def _known(scripts: Path) -> tuple[str, ...]:
    """Versions in that folder, oldest first: a file's name begins with its own."""
    return tuple(sorted(path.name[1:5] for path in (scripts / "versions").glob("r[0-9]*_*.py")))


def _found(connection: Connection) -> str | None:
    """What Alembic noted. It keeps one row, and an empty table when it was stopped at once."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    noted = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if noted is None else str(noted)


def _is_current(connection: Connection, scripts: Path, name: str) -> bool:
    found, known = _found(connection), _known(scripts)
    if found is not None and found not in known:
        raise StorageError(
            f"database {name} has tables of version {found}, made by a newer "
            f"shutwatch; this one knows versions up to {known[-1]}: install the "
            "newer shutwatch again, or set `database` to another one"
        )
    if found is None and (tables := inspect(connection).get_table_names()):
        raise WrongDatabaseError(
            f"database {name} belongs to another program (it has a table {tables[0]}): set "
            "`database` to another one"
        )
    return found == known[-1]
