"""`shutwatch db`: backups of the database, its version, and its integrity."""

import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.bars import progress
from monitor.cli.counts import counted
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import print_json
from monitor.cli.store_options import with_store
from monitor.config.environ import expander
from monitor.config.settings import Settings
from monitor.wording.visible_text import visible
from storage import url as database_url
from storage.store import CollectorStore, StorageError, Store
from storage.values.fleet import Enrolment
from storage.values.private_file import is_no_database
from storage.values.prunable import ARCHIVED_TABLES
from storage.values.steady_clock import utc_now

# What works on a database loads SQLAlchemy, which help and a mistyped command do without.
if TYPE_CHECKING:
    from storage.sql.migrate import Step
    from storage.sqlite.backup import Copied

DAMAGED = 3
"""Exit code for a database, or a copy, that is damaged."""
TO_DO = 4
"""Exit code of `db upgrade --check` where an upgrade would change something."""

app = command_group("Back up, restore, check, upgrade or move the database.")


@contextmanager
def _exits() -> Iterator[None]:
    """Exits with the code of what the database, or a copy of it, is found to be."""
    from storage.sqlite.backup import BackupError, DamagedError

    with (
        exit_on(StorageError, OSError),
        exit_on(BackupError, code=BAD_USAGE),
        exit_on(DamagedError, code=DAMAGED),
    ):
        yield


@app.command("backup")
@_exits()
def make(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file that is there.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Copy the database to a file, even while shutwatch runs, and check the copy."""
    from storage.sqlite.backup import backup

    database = _file(config)
    with progress("copying, in pages") as bar:
        made = backup(database, file, overwrite=force, progress=bar.update)
    typer.echo(f"{file}: {_content(made)}, checked")


@app.command("restore")
@_exits()
def put_back(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Backup to restore.")],
    config: ConfigOption = None,
) -> None:
    """Replace the database by a backup; the old file is kept next to it."""
    from storage.sqlite.backend import migrate_file
    from storage.sqlite.backup import restore

    database = _file(config)
    with progress("restoring"):
        done = restore(file, database, migrate_file)
    typer.echo(f"{database}: {_content(done.content)}, restored from {file}")
    if done.aside is not None:
        typer.echo(f"The database before is kept as {done.aside}")


@app.command("check")
@_exits()
def examine(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="Copy to check. Default: the configured database.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Check a database or a backup, the signatures of agents' batches, and the archive.

    Exit code 3 when something is damaged.
    """
    if file is not None and file.is_dir():
        raise bad_usage(f"{file} is a folder: name the file in it")
    url = f"sqlite:///{file}" if file is not None else _database(config)
    name = str(file) if file is not None else _named(url)
    with progress("checking"):
        problems = _problems(url)
        remedy = _remedy(url, file) if problems else ""
        if not problems:
            _refuse_newer(url)
            problems = [] if file else _problems_of_archive(load_settings(config))
    if json:
        print_json({"database": name, "problem": visible(problem)} for problem in problems)
    else:
        for problem in problems:
            typer.echo(f"{name}: {visible(problem)}", err=True)
        if remedy:
            typer.echo(f"→ {remedy}", err=True)
        if not problems:
            typer.echo(f"{name}: OK")
    if problems:
        raise typer.Exit(DAMAGED)


@app.command("upgrade")
@_exits()
def upgrade(
    only_check: Annotated[
        bool,
        typer.Option(
            "--check", help="Say what would be done, and change nothing. Exit code 4 then."
        ),
    ] = False,
    on_copy: Annotated[
        bool,
        typer.Option(
            "--on-copy", help="With --check: do it on a copy of the SQLite file, and say how long."
        ),
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Create the tables, or bring them to this version. `run` does so too."""
    url = _database(config)
    if only_check:
        _say_what_upgrading_does(url, on_copy=on_copy, json=json)
        return
    if on_copy or json:
        raise bad_usage("--on-copy and --json are for --check")

    async def upgraded(_: Store) -> None:
        """Opening the store does it."""

    with_store(load_settings(config), upgraded, create=True, doing="upgrading")
    typer.echo(f"{_named(url)}: has the tables of this version")


def _say_what_upgrading_does(url: str, *, on_copy: bool, json: bool) -> None:
    from storage.open_store import table_versions
    from storage.sql.migrate import steps_after

    if on_copy and database_url.is_postgresql(url):
        raise bad_usage("--on-copy copies an SQLite file: of PostgreSQL, restore a dump elsewhere")
    found, newest = table_versions(url)
    steps = steps_after(found)
    took = _tried_on_copy(database_url.file_of(url)) if on_copy and found and steps else None
    if json:
        print_json(
            {
                "database": _named(url),
                "version": found or "",
                "newest": newest,
                "migration": step.version,
                "what": step.what,
                "seconds": took,
            }
            for step in steps
        )
    else:
        for line in _told(_named(url), found, newest, steps):
            typer.echo(line)
        if took is not None:
            typer.echo(f"On a copy all of it took {took:.1f} s. Nothing was changed.")
    if steps:
        raise typer.Exit(TO_DO)


def _told(name: str, found: str | None, newest: str, steps: Sequence["Step"]) -> Iterator[str]:
    if not steps:
        yield f"{name}: has the tables of this version ({newest}); nothing to do"
        return
    if found is None:
        yield f"{name}: holds nothing yet; `shutwatch db upgrade` makes the tables ({newest})"
        return
    yield f"{name}: has tables of version {found}; `shutwatch db upgrade` brings them to {newest}:"
    for step in steps:
        yield f"  {step.version}  {step.what}"
    yield "Back it up first (docs/backup.md): an older shutwatch cannot use it afterwards."


def _tried_on_copy(file: str) -> float:
    """Seconds that the upgrade of a copy beside the file takes. The copy is removed."""
    from storage.sqlite.backend import migrate_file
    from storage.sqlite.backup import copy_as_it_is

    beside = Path(file).absolute().parent
    with (
        tempfile.TemporaryDirectory(prefix=".upgrade-", dir=beside) as folder,
        progress("copying, in pages") as bar,
    ):
        copy = Path(folder) / "copy.db"
        copy_as_it_is(file, copy, bar.update)
        bar.update(what="upgrading the copy")
        began = time.monotonic()
        migrate_file(str(copy))
        return time.monotonic() - began


@app.command("archive")
@_exits()
def move_to_archive(
    older_than: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Move days that ended longer ago, such as 30d. Default: retention.raw.",
            show_default=False,
        ),
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Move old measurements, verdicts and batches from the database to the archive now."""
    settings = load_settings(config)
    if not settings.archive.shown:
        raise bad_usage("there is no archive: set [archive] in the configuration, docs/archive.md")
    seconds = _age(older_than) if older_than else settings.retention.raw
    if isinf(seconds):
        raise bad_usage('retention.raw is "forever": say what to move with --older-than')
    before = utc_now() - timedelta(seconds=seconds)
    with progress("moving") as bar:

        async def move(store: Store) -> dict[str, int]:
            moved: dict[str, int] = {}
            for what in ARCHIVED_TABLES:
                async for rows in store.prune(what, before):
                    moved[what] = moved.get(what, 0) + rows
                    bar.update(moved[what], what=f"moving rows of {what}")
            return moved

        moved = with_store(settings, move)
    named = (
        ", ".join(f"{what} {rows:,}" for what, rows in moved.items()) or "nothing was old enough"
    )
    typer.echo(f"{settings.archive.shown}: {named}")


def _age(written: str) -> float:
    if not re.fullmatch(r"\d{1,5}d", written, re.ASCII):
        raise bad_usage(f'--older-than {written!r}: a number of days, such as "30d"')
    return int(written[:-1]) * 86400.0


@app.command("copy")
@_exits()
def copy_all(
    source: Annotated[Path, typer.Argument(metavar="SQLITE", help="SQLite file to copy.")],
    target: Annotated[
        str,
        typer.Argument(
            metavar="POSTGRES",
            help="URL of an empty PostgreSQL database; ${NAME} is taken from the environment.",
        ),
    ],
) -> None:
    """Copy an SQLite file into PostgreSQL; run again to continue an interrupted copy."""
    from storage.postgresql.backend import PostgresqlBackend
    from storage.sqlite.copying import copy

    url = _target(target)
    if not source.is_file():
        raise bad_usage(f"there is no file {source}: name the SQLite file to copy")
    if is_no_database(source):
        # Found in the middle of the copy, it would be told of the other database.
        raise bad_usage(f"{source} is not an SQLite database: name the SQLite file to copy")
    with progress("copying rows") as bar:
        done = copy(
            str(source),
            PostgresqlBackend(url),
            lambda table, rows, of: bar.update(rows, of, f"copying rows of {table}"),
        )
    typer.echo(
        f"{_named(url)}: all {counted(done.rows, 'row')} of {source} are there, counted; among "
        f"them {counted(done.measurements, 'measurement')} and {counted(done.events, 'event')}"
    )


def _problems(url: str) -> list[str]:
    from monitor.wire.proof import fault_of

    if not database_url.is_postgresql(url):
        from storage.sqlite.backup import check

        return check(database_url.file_of(url), fault_of)
    from storage.postgresql.integrity import check_postgresql  # imports PostgreSQL's driver

    return check_postgresql(url, fault_of)


def _remedy(url: str, copy: Path | None) -> str:
    if copy is not None:
        return "use an earlier copy, and keep this one: docs/backup.md"
    if database_url.is_postgresql(url):
        return "stop shutwatch, and restore the newest dump that holds: docs/postgres.md"
    return (
        "stop shutwatch, keep this file, and put back the newest whole copy: `shutwatch db "
        "restore FILE`, docs/backup.md"
    )


def _refuse_newer(url: str) -> None:
    from storage.open_store import table_versions

    table_versions(url)


def _problems_of_archive(settings: Settings) -> list[str]:
    if not settings.archive.shown:
        return []
    # Loads DuckDB, which only those who have an archive need.
    from monitor.wire.proof import fault_of
    from storage.archive.archive_check import archive_problems
    from storage.archive.archived_store import ArchivedStore
    from storage.archive.place import PlaceError
    from storage.open_store import place_of

    async def read(store: CollectorStore) -> tuple[list[Enrolment], bool]:
        return await store.enrolments(), isinstance(store, ArchivedStore) and store.used

    keys, used = with_store(settings, read)
    with exit_on(PlaceError):
        return archive_problems(place_of(settings.archive), keys, fault_of, used=used)


def _target(written: str) -> str:
    with exit_on(ValueError, code=BAD_USAGE, prefix="POSTGRES: "):
        url = database_url.checked(expander(os.environ)(written))
    if not database_url.is_postgresql(url):
        raise bad_usage(
            "POSTGRES must be the URL of a PostgreSQL database, such as "
            "postgresql://shutwatch@db.example/shutwatch"
        )
    return url


def _named(url: str) -> str:
    return database_url.file_of(url) or database_url.shown(url)


def _database(config: Path | None) -> str:
    """The configured URL; exits when it is in memory only."""
    url = load_settings(config).database
    if url == database_url.MEMORY:
        raise bad_usage(
            'database is "memory:", which is not a file: name a configuration with another --config'
        )
    return url


def _file(config: Path | None) -> str:
    """The configured file; exits when there can be none."""
    url = _database(config)
    if database_url.is_postgresql(url):
        raise bad_usage(
            f"{_named(url)} is in PostgreSQL, which has its own tools: use pg_dump and "
            "pg_restore, see docs/postgres.md"
        )
    return database_url.file_of(url)


def _content(content: "Copied") -> str:
    measurements = counted(content.measurements, "measurement")
    return f"{content.size / 1e6:.1f} MB, {measurements}, {counted(content.events, 'event')}"
