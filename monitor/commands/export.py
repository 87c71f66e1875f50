"""`shutwatch export`: what is stored, as files for reports."""

import asyncio
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from monitor.commands.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.export.csv import write_csv
from monitor.settings import Settings
from storage.open_store import open_store
from storage.store import Selection, StorageError


class Kind(StrEnum):
    """What can be exported."""

    MEASUREMENTS = "measurements"
    VERDICTS = "verdicts"
    EVENTS = "events"


def register(app: typer.Typer) -> None:
    """Add the command group."""
    export = typer.Typer(help="Write what is stored to files.", no_args_is_help=True)
    app.add_typer(export, name="export")

    @export.command()
    def csv(
        kind: Annotated[Kind, typer.Argument(help="What to export.")],
        since: Annotated[
            str, typer.Option(help="First moment, UTC: 2024-02-17 or 2024-02-17T18:00.")
        ] = "",
        until: Annotated[str, typer.Option(help="First moment no longer wanted, UTC.")] = "",
        country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code.")] = "",
        platform: Annotated[str, typer.Option(help="Platform name, as in the catalogue.")] = "",
        output: Annotated[
            Path, typer.Option("--output", "-o", help="File to write; - for standard output.")
        ] = Path("-"),
        config: ConfigOption = None,
    ) -> None:
        """Measurements, verdicts or events as CSV. The columns are explained in docs/csv.md."""
        settings = load_settings(config)
        selection = Selection(
            since=moment_of("--since", since),
            until=moment_of("--until", until),
            country=country.upper(),
            platform=platform,
        )
        try:
            rows = _export(settings, kind, selection, output)
        except (StorageError, OSError) as error:
            raise fail(str(error)) from error
        typer.echo(f"{rows} {kind}", err=True)


def _export(settings: Settings, kind: Kind, selection: Selection, output: Path) -> int:
    if str(output) == "-":
        # A csv writer ends its own lines; a translating stream would double them.
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
            return asyncio.run(_copy(settings, kind, selection, out))
    partial = output.with_name(output.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as out:
        rows = asyncio.run(_copy(settings, kind, selection, out))
    # Whoever finds a file of the name asked for finds a whole one.
    partial.replace(output)
    return rows


async def _copy(settings: Settings, kind: Kind, selection: Selection, out: TextIO) -> int:
    store = open_store(settings.database, create=False)
    await store.open()
    try:
        return await write_csv(kind, store, selection, out)
    finally:
        await store.close()


def moment_of(option: str, text: str) -> datetime | None:
    """What a person wrote for a moment; None for nothing. Exits with 2 when it is no date."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise fail(
            f"{option} {text!r} is no date: write 2024-02-17 or 2024-02-17T18:00", BAD_USAGE
        ) from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
