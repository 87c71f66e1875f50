"""`shutwatch db`: copies of the database, and whether it holds."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.commands.options import BAD_USAGE, OUR_FAULT, ConfigOption, fail, load_settings
from storage.backup import BackupError, Copied, DamagedError, backup, check, restore
from storage.migrate import migrate_file
from storage.open_store import MEMORY_URL
from storage.sqlite import file_of
from storage.store import StorageError

DOES_NOT_HOLD = 3


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Back the database up, put a copy back, check it.")
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
        database = _database(config)
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
        database = _database(config)
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
        """Say whether the database, or a copy of it, holds; exit code 3 when it does not."""
        database = str(file) if file is not None else _database(config)
        try:
            problems = check(database)
        except StorageError as error:
            raise fail(str(error), _code(error)) from error
        for problem in problems:
            typer.echo(f"{database}: {problem}", err=True)
        if problems:
            raise typer.Exit(DOES_NOT_HOLD)
        typer.echo(f"{database}: holds")


def _database(config: Path | None) -> str:
    """The configured file; exits when there can be none."""
    url = load_settings(config).database
    if url == MEMORY_URL:
        raise fail('database is "memory:", which no file holds', BAD_USAGE)
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
