"""`shutwatch replay SOURCE`: recorded or imported data, through the analysis once more."""

import asyncio
import csv as csv_format
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.cli.console import plain_console
from monitor.cli.export import moment_of
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.config.catalog import shipped_catalog
from monitor.config.settings import Settings
from monitor.export.cells import cell
from monitor.export.columns import EVENT_COLUMNS
from monitor.judging.quarantine import Quarantined
from monitor.replay.database import replay_store
from monitor.replay.formats import Tally, Wanted
from monitor.replay.imported_row import ReplayError, Row
from monitor.replay.ooni_api import PUBLIC_API, OoniApi, questions
from monitor.replay.platform_of import Names
from monitor.replay.plot import draw
from monitor.replay.replay import Replayed, replay_rows
from monitor.replay.results import CREDIT, json_lines, text_lines
from monitor.replay.row_files import rows_in, rows_of
from storage.open_store import open_store
from storage.store import StorageError
from storage.values.selection import Selection

_DATABASE, _OONI = "db", "ooni"


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    wanted: Wanted
    database: str
    api: str
    cache: Path


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def replay(
        source: Annotated[
            str,
            typer.Argument(
                help="A file, `db` for what is stored, `ooni` for OONI's public API.",
                metavar="SOURCE",
            ),
        ],
        country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code.")] = "",
        platform: Annotated[str, typer.Option(help="Platform name, as in the catalogue.")] = "",
        since: Annotated[
            str, typer.Option(help="First moment, UTC: 2024-02-17 or 2024-02-17T18:00.")
        ] = "",
        until: Annotated[str, typer.Option(help="First moment no longer wanted, UTC.")] = "",
        json: Annotated[
            bool, typer.Option("--json", help="One JSON object per event on standard output.")
        ] = False,
        csv: Annotated[
            Path | None, typer.Option(help="Write events as CSV; - for standard output.")
        ] = None,
        plot: Annotated[Path | None, typer.Option(help="Draw the timeline as a PNG.")] = None,
        timezone: Annotated[
            str, typer.Option(help="Of the hours in weekly patterns: Africa/Nairobi.")
        ] = "UTC",
        database: Annotated[
            str, typer.Option(help="With `db`: another database than the configured one.")
        ] = "",
        api: Annotated[str, typer.Option(help="With `ooni`: where the API is.")] = PUBLIC_API,
        cache: Annotated[
            Path | None,
            typer.Option(help="With `ooni`: folder that keeps answers.", show_default=False),
        ] = None,
        config: ConfigOption = None,
    ) -> None:
        """Run recorded or imported data through the analysis, by its own clock."""
        settings = load_settings(config)
        if json and csv is not None and str(csv) == "-":
            raise fail("--json and --csv - both want standard output", BAD_USAGE)
        zone = _zone(timezone)
        names = Names(shipped_catalog())
        if platform and platform not in names.platforms:
            raise fail(
                f"--platform {platform!r} is not in the catalogue: {', '.join(names.platforms)}",
                BAD_USAGE,
            )
        wanted = Wanted(
            country=country.upper(),
            platform=platform,
            since=moment_of("--since", since),
            until=moment_of("--until", until),
        )
        options = _Options(
            source=source,
            wanted=wanted,
            database=database or settings.database,
            api=api,
            cache=cache or _cache_folder(),
        )
        try:
            replayed = _replay(options, settings, names)
            if plot is not None:
                draw(replayed, plot, ooni=source != _DATABASE)
            if csv is not None:
                _write_csv(replayed, csv)
        except ReplayError as error:
            raise fail(str(error), BAD_USAGE) from error
        except (StorageError, OSError) as error:
            raise fail(str(error)) from error
        if json:
            _print_json(replayed)
        elif str(csv) != "-":
            _print_text(replayed, zone, ooni=source != _DATABASE)


def _replay(options: _Options, settings: Settings, names: Names) -> Replayed:
    if options.source == _DATABASE:
        return asyncio.run(_from_database(options, settings))
    tally = Tally()
    if options.source == _OONI:
        rows = _from_api(options, names, tally)
    else:
        rows = rows_in(Path(options.source), names, options.wanted, tally)
    _tell(tally)
    return replay_rows(rows, names, settings.events)


async def _from_database(options: _Options, settings: Settings) -> Replayed:
    wanted = options.wanted
    selection = Selection(
        since=wanted.since, until=wanted.until, country=wanted.country, platform=wanted.platform
    )
    store = open_store(options.database, create=False)
    await store.open()
    try:
        left_out = Quarantined(await store.quarantines())
        return await replay_store(store, selection, settings.events, left_out)
    finally:
        await store.close()


def _from_api(options: _Options, names: Names, tally: Tally) -> list[Row]:
    wanted = options.wanted
    if not (wanted.country and wanted.platform and wanted.since):
        raise ReplayError("`replay ooni` needs --country, --platform and --since")
    until = wanted.until or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    if until <= wanted.since:
        raise ReplayError("--until must lie after --since")
    asked = questions(names, wanted.platform, wanted.country, wanted.since, until)
    if not asked:
        raise ReplayError(f"OONI has no test of {wanted.platform}, and it has no site")
    found: dict[str, Row] = {}
    console = Console(stderr=True)
    columns = (
        TextColumn("OONI"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} questions, {task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("0 measurements", total=len(asked))
        client = OoniApi(options.api, options.cache, say=_say(progress))
        try:
            for query, end in asked:
                for page in client.pages(query, end):
                    for row in rows_of(page, options.api, names, wanted, tally):
                        found.setdefault(row.uid or f"{row.at}{row.asn}{row.test}", row)
                    progress.update(task, description=f"{tally.rows} measurements")
                progress.advance(task)
        finally:
            client.close()
    return list(found.values())


def _say(progress: Progress) -> Callable[[str], None]:
    return lambda text: progress.console.print(f"shutwatch: OONI: {text}", markup=False)


def _tell(tally: Tally) -> None:
    """What was left out, and why."""
    lines = [f"{tally.kept} of {tally.rows} rows"]
    if tally.site:
        lines.append(f"web measurements taken for those of {tally.site}")
    if tally.unknown:
        lines.append(f"{tally.unknown} about tests or sites of no platform in the catalogue")
    if tally.silent:
        lines.append(f"{tally.silent} that say nothing")
    typer.echo(f"shutwatch: {'; '.join(lines)}", err=True)


def _write_csv(replayed: Replayed, path: Path) -> None:
    if str(path) == "-":
        with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as out:
            _write_rows(replayed, out)
        return
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as out:
        _write_rows(replayed, out)
    partial.replace(path)


def _write_rows(replayed: Replayed, out: TextIO) -> None:
    writer = csv_format.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in EVENT_COLUMNS])
    for event in replayed.events:
        writer.writerow([cell(column.value(event)) for column in EVENT_COLUMNS])


def _print_json(replayed: Replayed) -> None:
    line: dict[str, Any]
    for line in json_lines(replayed):
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.flush()


def _print_text(replayed: Replayed, zone: tzinfo, *, ooni: bool) -> None:
    console = plain_console()
    width = min(shutil.get_terminal_size((100, 24)).columns, 140)
    for line in text_lines(replayed, width, zone):
        console.print(line, soft_wrap=True)
    if ooni:
        console.print(f"[dim]{CREDIT}[/]", soft_wrap=True)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise fail(f"--timezone {name!r} is not known: write Africa/Nairobi", BAD_USAGE) from error


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "shutwatch" / "ooni"
