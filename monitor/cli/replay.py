"""`shutwatch replay`: run recorded or imported data through the analysis."""

import asyncio
import csv as csv_format
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from monitor.cli.bars import progress
from monitor.cli.counts import counted
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import (
    STANDARD_OUTPUT,
    csv_text,
    opened_file,
    plain_console,
    print_json,
)
from monitor.cli.selection import Country, Platform, Since, Until, selection_of
from monitor.cli.store_options import opened
from monitor.config.catalog import shipped_catalog
from monitor.config.filters import Filters
from monitor.config.settings import Settings
from monitor.export.cells import cell
from monitor.export.columns import EVENT_COLUMNS
from monitor.judging.key_periods import with_agents
from monitor.judging.quarantine import Quarantined
from monitor.replay.annotations import Annotation, annotations_in
from monitor.replay.database import replay_store
from monitor.replay.formats import RowCounts, RowFilter, RowReader
from monitor.replay.imported_row import ReplayError, Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.plot import draw
from monitor.replay.replay import Replayed, replay_rows
from monitor.replay.results import CREDIT, json_lines
from monitor.replay.row_files import rows_in, rows_of
from monitor.sources.terms import TERMS, SourceKind
from storage import url as database_url
from storage.store import StorageError
from storage.values.archive_place import NO_ARCHIVE
from storage.values.selection import Selection

_DATABASE, _OONI = "db", "ooni"
Annotate = Annotated[
    list[Path] | None,
    typer.Option(
        help="What others published of that time: changepoints of OONI's detector, outages of IODA "
        "or Cloudflare Radar. Repeat for more.",
        metavar="FILE",
        show_default=False,
    ),
]


def replay(
    source: Annotated[
        str,
        typer.Argument(
            help="A file, `db` for the stored data, or `ooni` for OONI's public API.",
            metavar="SOURCE",
        ),
    ],
    country: Country = "",
    platform: Platform = "",
    since: Since = "",
    until: Until = "",
    json: JsonOption = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write events as CSV; - for standard output.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the timeline as a PNG.")] = None,
    timezone: Annotated[
        str, typer.Option(help="Time zone of weekly patterns, such as Africa/Nairobi.")
    ] = "UTC",
    database: Annotated[
        str, typer.Option(help="With `db`: URL of another database than the configured one.")
    ] = "",
    api: Annotated[str, typer.Option(help="With `ooni`: URL of the API.")] = TERMS[
        SourceKind.OONI
    ].api,
    cache: Annotated[
        Path | None,
        typer.Option(help="With `ooni`: folder to cache answers in.", show_default=False),
    ] = None,
    annotate: Annotate = None,
    config: ConfigOption = None,
) -> None:
    """Run recorded or imported data through the analysis, by its own clock."""
    settings = load_settings(config)
    if json and csv == STANDARD_OUTPUT:
        raise bad_usage("--json and --csv - both write to standard output")
    if database:
        with exit_on(ValueError, code=BAD_USAGE, prefix="--database: "):
            database_url.checked(database)
    zone = _zone(timezone)
    names = PlatformLookup(shipped_catalog())
    selection = selection_of(
        settings,
        Filters(since=since, until=until, country=country, platform=platform),
        database=(database or settings.database) if source == _DATABASE else "",
    )
    wanted = RowFilter(
        country=selection.country,
        platform=selection.platform,
        since=selection.since,
        until=selection.until,
    )
    tally = RowCounts()
    with exit_on(StorageError, OSError), exit_on(ReplayError, code=BAD_USAGE):
        if source == _DATABASE:
            url = database or settings.database
            with progress("replaying"):
                replayed = asyncio.run(_from_database(url, wanted, settings))
        else:
            if source == _OONI:
                rows = _from_api(api, cache or _cache_folder(), wanted, names, tally)
            else:
                with progress("reading"):
                    rows = rows_in(Path(source), names, wanted, tally)
            _print_tally(tally)
            with progress("replaying"):
                replayed = replay_rows(rows, names, settings.events)
            if source == _OONI:
                replayed = replayed.about(wanted.country, wanted.platform)
        annotations = [one for path in annotate or () for one in annotations_in(path, names)]
        if plot is not None:
            with progress("drawing"):
                draw(replayed, plot, ooni=source != _DATABASE)
        if csv is not None:
            _write_csv(replayed, csv)
    if json:
        print_json(json_lines(replayed, annotations))
    elif csv != STANDARD_OUTPUT:
        _print_text(replayed, zone, annotations, ooni=source != _DATABASE)


async def _from_database(url: str, wanted: RowFilter, settings: Settings) -> Replayed:
    selection = Selection(
        since=wanted.since, until=wanted.until, country=wanted.country, platform=wanted.platform
    )
    archive = settings.archive if url == settings.database else NO_ARCHIVE
    async with opened(url, archive) as store:
        quarantined = Quarantined(await store.quarantines())
        events = with_agents(settings.events, await store.enrolments())
        return await replay_store(store, selection, events, quarantined)


def _from_api(
    api: str, cache: Path, wanted: RowFilter, names: PlatformLookup, tally: RowCounts
) -> list[Row]:
    from monitor.replay.ooni_api import OoniApi, questions  # loads what sends

    if not (wanted.country and wanted.platform and wanted.since):
        raise ReplayError("`replay ooni` needs --country, --platform and --since")
    until = wanted.until or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    if until <= wanted.since:
        raise ReplayError("--until must be later than --since")
    if not (names.test_of(wanted.platform) or names.sites(wanted.platform)):
        raise ReplayError(f"OONI has no test of {wanted.platform}, and it has no site")
    asked = questions(names, wanted.platform, wanted.country, wanted.since, until)
    found: dict[tuple[str, str, str], Row] = {}
    beside = RowFilter(since=wanted.since, until=until)
    reader = RowReader(names, beside, tally)
    with progress("asking OONI", len(asked)) as bar:

        def warn(text: str) -> None:
            typer.echo(f"shutwatch: OONI: {text}", err=True)

        client = OoniApi(api, cache, on_delay=warn)
        try:
            for query, end in asked:
                for page in client.pages(query, end):
                    for row in rows_of(page, api, reader):
                        uid = row.uid or f"{row.at}{row.asn}{row.test}"
                        found.setdefault((uid, row.platform, row.part), row)
                    bar.update(what=f"asking OONI: {tally.rows:,} measurements")
                bar.advance()
        finally:
            client.close()
    return list(found.values())


def _print_tally(tally: RowCounts) -> None:
    """How many rows are used, and why the others are not."""
    lines = [f"{tally.kept:,} of {counted(tally.rows, 'row')}"]
    if tally.site:
        lines.append(f"web measurements counted for {tally.site}")
    if tally.unknown:
        lines.append(f"{tally.unknown} about tests or sites of no platform in the catalogue")
    if tally.silent:
        lines.append(f"{tally.silent} without a result")
    typer.echo(f"shutwatch: {'; '.join(lines)}", err=True)


def _write_csv(replayed: Replayed, path: Path) -> None:
    with opened_file(path) as out, csv_text(out) as text:
        writer = csv_format.writer(text, lineterminator="\r\n")
        writer.writerow([column.name for column in EVENT_COLUMNS])
        for event in replayed.events:
            writer.writerow([cell(column.value(event)) for column in EVENT_COLUMNS])


def _print_text(
    replayed: Replayed, zone: tzinfo, annotations: Sequence[Annotation], *, ooni: bool
) -> None:
    from monitor.replay.result_lines import text_lines  # loads rich

    console = plain_console()
    width = min(shutil.get_terminal_size((100, 24)).columns, 140)
    for line in text_lines(replayed, width, zone, annotations):
        console.print(line, soft_wrap=True)
    if ooni:
        console.print(f"[dim]{CREDIT}[/]", soft_wrap=True)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise bad_usage(
            f"--timezone {name!r} is unknown: write one such as Africa/Nairobi"
        ) from error


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "shutwatch" / "ooni"
