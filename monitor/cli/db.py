"""`shutwatch db`: copies of the database, its version, and whether it holds."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from monitor.cli.options import BAD_USAGE, OUR_FAULT, ConfigOption, fail, load_settings
from monitor.config.environ import expander
from monitor.wire.proof import fault_of
from monitor.wording.plain import visible
from storage import url as database_url
from storage.open_store import MEMORY_URL, open_store
from storage.sql.migrate import migrate_file
from storage.sqlite.backend import file_of
from storage.sqlite.backup import BackupError, Copied, DamagedError, backup, check, restore
from storage.store import StorageError

DOES_NOT_HOLD = 3


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="Back the database up, put a copy back, check it, bring it up to date, move it."
    )
    app.add_typer(group, name="db", no_args_is_help=True)

    @group.command("backup")
    def make(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.")],
        force: Annotated[
            bool, typer.Option("--force", help="Overwrite the file that is there.")
        ] = False,
        config: ConfigOption = None,
    ) -> None:
        """Copy the database to a file, also while shutwatch runs. The copy is checked."""
        database = _file(config)
        progress = Progress(
            TextColumn("copying"),
            BarColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        try:
            with progress:
                task = progress.add_task("copying", total=None)
                made = backup(
                    database,
                    file,
                    overwrite=force,
                    progress=lambda done, total: progress.update(task, completed=done, total=total),
                )
        except StorageError as error:
            raise fail(str(error), _code(error)) from error
        except OSError as error:
            raise fail(f"{file} cannot be written: {error.strerror}") from error
        typer.echo(f"{file}: {_told(made)}, checked")

    @group.command("restore")
    def put_back(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="Copy to put in its place.")],
        config: ConfigOption = None,
    ) -> None:
        """Put a copy in the place of the database; what was there is kept beside it."""
        database = _file(config)
        try:
            done = restore(file, database, migrate_file)
        except StorageError as error:
            raise fail(str(error), _code(error)) from error
        except OSError as error:
            raise fail(f"{database} cannot be replaced: {error.strerror}") from error
        typer.echo(f"{database}: {_told(done.content)}, restored from {file}")
        if done.aside is not None:
            typer.echo(f"What was there before is kept as {done.aside}")

    @group.command("check")
    def examine(
        file: Annotated[
            Path | None,
            typer.Argument(
                metavar="[FILE]",
                help="Copy to check. Default: the configured database.",
                show_default=False,
            ),
        ] = None,
        config: ConfigOption = None,
    ) -> None:
        """Say whether the database, or a copy of it, holds, and each batch of agents its signature;
        exit code 3 when not."""
        url = f"sqlite:///{file}" if file is not None else _database(config)
        name = str(file) if file is not None else _named(url)
        try:
            problems = _problems(url)
        except StorageError as error:
            raise fail(str(error), _code(error)) from error
        for problem in problems:
            typer.echo(f"{name}: {visible(problem)}", err=True)
        if problems:
            raise typer.Exit(DOES_NOT_HOLD)
        typer.echo(f"{name}: holds")

    @group.command("upgrade")
    def upgrade(config: ConfigOption = None) -> None:
        """Bring the tables to this version's, making them where there are none. `run` does, too."""
        url = _database(config)
        try:
            asyncio.run(_upgrade(url))
        except StorageError as error:
            raise fail(str(error), _code(error)) from error
        typer.echo(f"{_named(url)}: has the tables of this version")

    @group.command("copy")
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
        """Copy an SQLite database into PostgreSQL; once more to go on where it was interrupted."""
        from storage.sqlite.copying import (
            copy,  # brings PostgreSQL's driver, which nothing else needs
        )

        url = _target(target)
        try:
            with _counting() as progress:
                task = progress.add_task("", total=None)
                done = copy(
                    str(source),
                    url,
                    lambda table, rows, of: progress.update(
                        task, description=table, completed=rows, total=of
                    ),
                )
        except StorageError as error:
            raise fail(str(error), _code(error)) from error
        typer.echo(
            f"{_named(url)}: all {done.rows:,} rows of {source} are there, counted; among them "
            f"{done.measurements:,} measurements and {done.events:,} events"
        )


def _counting() -> Progress:
    return Progress(
        TextColumn("copying {task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} rows"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _problems(url: str) -> list[str]:
    if not database_url.is_postgresql(url):
        return check(file_of(url), fault_of)
    from storage.postgresql.integrity import check_postgresql  # brings PostgreSQL's driver

    return check_postgresql(url, fault_of)


async def _upgrade(url: str) -> None:
    store = open_store(url)
    await store.open()
    await store.close()


def _target(written: str) -> str:
    try:
        url = database_url.checked(expander(os.environ)(written))
    except ValueError as error:
        raise fail(f"POSTGRES cannot be used, it should be: {error}", BAD_USAGE) from error
    if not database_url.is_postgresql(url):
        raise fail("POSTGRES is to be the URL of a PostgreSQL database", BAD_USAGE)
    return url


def _named(url: str) -> str:
    return database_url.file_of(url) or database_url.shown(url)


def _database(config: Path | None) -> str:
    """The configured URL; exits when nothing is kept."""
    url = load_settings(config).database
    if url == MEMORY_URL:
        raise fail('database is "memory:", which no file holds', BAD_USAGE)
    return url


def _file(config: Path | None) -> str:
    """The configured file; exits when there can be none."""
    url = _database(config)
    if database_url.is_postgresql(url):
        raise fail(
            f"{_named(url)} is in PostgreSQL, which has tools of its own for that: use pg_dump and "
            "pg_restore, see docs/postgres.md",
            BAD_USAGE,
        )
    try:
        return file_of(url)
    except StorageError as error:
        raise fail(str(error), BAD_USAGE) from error


def _code(error: StorageError) -> int:
    if isinstance(error, DamagedError):
        return DOES_NOT_HOLD
    return BAD_USAGE if isinstance(error, BackupError) else OUR_FAULT


def _told(content: Copied) -> str:
    megabytes = content.size / 1e6
    return f"{megabytes:.1f} MB, {content.measurements:,} measurements, {content.events:,} events"
