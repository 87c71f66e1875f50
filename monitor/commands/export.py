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
        rejudging: Annotated[
            str, typer.Option(help="What `shutwatch rejudge` kept under this id, in their place.")
        ] = "",
        config: ConfigOption = None,
    ) -> None:
        """Measurements, verdicts or events as CSV. The columns are explained in docs/csv.md."""
        settings = load_settings(config)
        if rejudging and kind is Kind.MEASUREMENTS:
            raise fail("measurements are never recomputed: leave --rejudging out", BAD_USAGE)
        selection = Selection(
            since=moment_of("--since", since),
            until=moment_of("--until", until),
            country=country.upper(),
            platform=platform,
        )
        try:
            if rejudging:
                asyncio.run(_check(settings, rejudging))
            rows = _export(settings, kind, selection, output, rejudging)
        except _NotThereError as error:
            raise fail(str(error), BAD_USAGE) from error
        except (StorageError, OSError) as error:
            raise fail(str(error)) from error
        typer.echo(f"{rows} {kind}", err=True)


class _NotThereError(Exception):
    """There is no whole recomputation of that id."""


async def _check(settings: Settings, rejudging: str) -> None:
    store = open_store(settings.database, create=False)
    await store.open()
    try:
        known = {one.id: one for one in await store.rejudgings()}
    finally:
        await store.close()
    if rejudging not in known:
        newest = ", ".join(list(known)[-3:])
        there = f"the newest are {newest}" if newest else "`shutwatch rejudge` makes one"
        raise _NotThereError(f"--rejudging {rejudging!r}: there is no such recomputation; {there}")
    if known[rejudging].finished_at is None:
        raise _NotThereError(
            f"--rejudging {rejudging}: it was cut short, or is still under way; run "
            "`shutwatch rejudge` again"
        )


def _export(
    settings: Settings, kind: Kind, selection: Selection, output: Path, rejudging: str
) -> int:
    if str(output) == "-":
        # A csv writer ends its own lines; a translating stream would double them.
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
            return asyncio.run(_copy(settings, kind, selection, out, rejudging))
    partial = output.with_name(output.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as out:
        rows = asyncio.run(_copy(settings, kind, selection, out, rejudging))
    # Whoever finds a file of the name asked for finds a whole one.
    partial.replace(output)
    return rows


async def _copy(
    settings: Settings, kind: Kind, selection: Selection, out: TextIO, rejudging: str
) -> int:
    store = open_store(settings.database, create=False)
    await store.open()
    try:
        return await write_csv(kind, store, selection, out, rejudging=rejudging)
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
