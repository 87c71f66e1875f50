"""`shutwatch export`: stored data as files."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

import typer
from msgspec.structs import replace

from monitor.cli.bars import progress
from monitor.cli.counts import counted
from monitor.cli.coverage import coverage_in_words
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, load_settings
from monitor.cli.output import STANDARD_OUTPUT, csv_text, named_when_full, opened_file
from monitor.cli.selection import REFERENCES, Country, Platform, Since, Until, selection_of
from monitor.cli.store_options import opened, with_store
from monitor.config.filters import Filters, platform_titles
from monitor.config.settings import Settings
from monitor.export.csv import write_csv, write_csv_for_people
from monitor.export.dictionary import write_dictionary
from monitor.export.folder import write_folder
from monitor.export.for_people import Reader
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.no_rows import why_no_rows
from monitor.export.ooni_lines import write_ooni
from monitor.export.parquet import MissingExtraError, write_parquet
from monitor.export.stop import Omitted, omitted_events, write_stop
from monitor.export.xlsx import TooManyRowsError, write_xlsx
from monitor.wording.no_rows import no_rows_text
from monitor.wording.words import words_in
from storage.store import StorageError, Store
from storage.values.rollup import Period
from storage.values.selection import Selection


class By(StrEnum):
    """What one row of availability is about."""

    NETWORK = "network"
    COUNTRY = "country"


OutputOption = Annotated[
    Path, typer.Option("--output", "-o", help="File to write; - for standard output.")
]
RejudgingOption = Annotated[
    str, typer.Option(help="Export the results that `shutwatch rejudge` stored under this id.")
]
PeriodOption = Annotated[
    Period | None,
    typer.Option(help="For availability: one row per hour, day or month. Default: hour."),
]
TimezoneOption = Annotated[
    str,
    typer.Option(
        help="For availability, and for people: the time zone, such as Asia/Karachi. Default: UTC."
    ),
]
ByOption = Annotated[
    By | None,
    typer.Option(help="For availability: one row per network, or per country. Default: network."),
]
KindArgument = Annotated[Kind, typer.Argument(help="What to export.")]


app = command_group("Write stored data to files.")


_WORKBOOK = "xlsx"


class Audience(StrEnum):
    """Who reads a file."""

    PROGRAMS = "programs"
    SPREADSHEET = "spreadsheet"


AudienceOption = Annotated[
    Audience,
    typer.Option(
        "--for",
        help="For CSV: `spreadsheet` adds names, a sentence for each event and lengths in words, "
        "with times on the country's clocks. XLSX always has them.",
    ),
]


class _WriteRows(Protocol):
    def __call__(
        self,
        kind: Kind,
        store: Store,
        selection: Selection,
        out: BinaryIO,
        *,
        reader: Reader,
        rejudging: str,
    ) -> Awaitable[int]: ...


def _csv(audience: Audience) -> _WriteRows:
    async def write(
        kind: Kind,
        store: Store,
        selection: Selection,
        out: BinaryIO,
        *,
        reader: Reader,
        rejudging: str,
    ) -> int:
        with csv_text(out) as text:
            if audience is Audience.SPREADSHEET:
                return await write_csv_for_people(
                    kind, store, selection, text, reader=reader, rejudging=rejudging
                )
            return await write_csv(kind, store, selection, text, rejudging=rejudging)

    return write


def _parquet(audience: Audience) -> _WriteRows:
    if audience is Audience.SPREADSHEET:
        raise bad_usage("--for spreadsheet is for CSV: Parquet files are for programs")
    return lambda kind, store, selection, out, *, reader, rejudging: write_parquet(  # noqa: ARG005
        kind, store, selection, out, rejudging=rejudging
    )


def _add_table_command(
    name: str,
    writer: Callable[[Audience], _WriteRows],
    help: str,  # noqa: A002 # as typer
) -> None:
    """Add a command that writes a table in one format."""

    @app.command(name, help=help)
    def export(
        kind: KindArgument,
        since: Since = "",
        until: Until = "",
        country: Country = "",
        platform: Platform = "",
        output: OutputOption = STANDARD_OUTPUT,
        rejudging: RejudgingOption = "",
        period: PeriodOption = None,
        by: ByOption = None,
        timezone: TimezoneOption = "",
        audience: AudienceOption = Audience.PROGRAMS,
        config: ConfigOption = None,
    ) -> None:
        write = writer(audience)
        for_people = name == _WORKBOOK or audience is Audience.SPREADSHEET
        if timezone and kind is not Kind.AVAILABILITY and not for_people:
            raise bad_usage(
                f"--timezone is for availability alone, or for people: times of {kind} are in UTC"
            )
        for option, given in (("--period", period), ("--by", by)):
            if given and kind is not Kind.AVAILABILITY:
                raise bad_usage(f"{option} is for availability alone: leave it out")
        if name != "csv" and output == STANDARD_OUTPUT and sys.stdout.isatty():
            raise bad_usage(
                f"{name} is not text for a terminal: name a file, as in -o {kind}.{name}"
            )
        settings = _settings(config, kind, rejudging)
        selection = replace(
            selection_of(
                settings,
                Filters(
                    since=since,
                    until=until,
                    country=country,
                    platform=platform,
                    timezone=timezone,
                ),
                also=REFERENCES if kind is Kind.MEASUREMENTS else None,
                ahead=kind is Kind.ANNOTATIONS,
            ),
            period=period or Period.HOUR,
            by_network=by is not By.COUNTRY,
        )
        rows = _export(
            settings,
            output,
            lambda store, out: write(
                kind,
                store,
                selection,
                out,
                reader=Reader(titles=platform_titles(settings), zone=timezone),
                rejudging=rejudging,
            ),
        )
        _report(rows, kind)
        if not rows:
            _explain(settings, kind, selection, rejudging)


_add_table_command("csv", _csv, "Export to CSV. docs/csv.md explains the columns.")
_add_table_command(
    "parquet",
    _parquet,
    "Export to Parquet: the columns of the CSV files, with types. Needs DuckDB.",
)


_add_table_command(
    _WORKBOOK,
    lambda _: write_xlsx,
    "Export to an XLSX workbook, with names and local times, and a sheet that explains the "
    "columns. Needs XlsxWriter.",
)


@app.command()
def ooni(
    since: Since = "",
    until: Until = "",
    country: Country = "",
    platform: Platform = "",
    output: OutputOption = STANDARD_OUTPUT,
    config: ConfigOption = None,
) -> None:
    """Export measurements in OONI's data format, one JSON object per line."""
    settings = load_settings(config)
    filters = Filters(since=since, until=until, country=country, platform=platform)
    selection = selection_of(settings, filters, also=REFERENCES)
    rows = _export(settings, output, lambda store, out: write_ooni(store, selection, out))
    _report(rows, Kind.MEASUREMENTS)
    if not rows:
        _explain(settings, Kind.MEASUREMENTS, selection)


@app.command()
def stop(
    since: Since = "",
    until: Until = "",
    country: Country = "",
    platform: Platform = "",
    output: OutputOption = STANDARD_OUTPUT,
    config: ConfigOption = None,
) -> None:
    """Export confirmed events in the columns of Access Now's STOP data set, as CSV."""
    settings = load_settings(config)
    filters = Filters(since=since, until=until, country=country, platform=platform)
    selection = selection_of(settings, filters)
    reader = Reader(titles=platform_titles(settings))

    async def write(store: Store, out: BinaryIO) -> int:
        with csv_text(out) as text:
            return await write_stop(store, selection, text, reader)

    rows = _export(settings, output, write)
    number = counted(rows, "stretch", "stretches")
    typer.echo(f"{number} of confirmed events", err=True)
    if rows:
        return
    if omitted := with_store(settings, lambda store: omitted_events(store, selection)):
        count, verb = omitted.total(), "is" if omitted.total() == 1 else "are"
        why = ", ".join(f"{omitted[one]} {one}" for one in Omitted if one in omitted)
        typer.echo(
            f"{counted(count, 'event')} {verb} not in this file, which has confirmed ones alone: "
            f"{why}; see `shutwatch event list`",
            err=True,
        )
    else:
        _explain(settings, Kind.EVENTS, selection)


@app.command()
def package(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write; it must be new or empty.")
    ],
    kinds: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Kind to export; may be repeated. Default: all."),
    ] = None,
    since: Since = "",
    until: Until = "",
    country: Country = "",
    platform: Platform = "",
    config: ConfigOption = None,
) -> None:
    """Export several kinds as CSV into a folder, with datapackage.json (Frictionless)."""
    settings = load_settings(config)
    filters = Filters(since=since, until=until, country=country, platform=platform)
    selection = selection_of(settings, filters)
    wanted = tuple(dict.fromkeys(kinds or Kind))

    async def write(store: Store) -> dict[Kind, int]:
        return await write_folder(store, selection, wanted, folder)

    with exit_on(OSError), exit_on(FileExistsError, code=BAD_USAGE), named_when_full(folder):
        counts = with_store(settings, write, doing="exporting")
    for kind, rows in counts.items():
        _report(rows, kind)
        if not rows:
            _explain(settings, kind, selection)


@app.command()
@exit_on(OSError)
def dictionary(output: OutputOption = STANDARD_OUTPUT) -> None:
    """Export the meaning of every column of every file, as CSV."""
    with opened_file(output) as out, csv_text(out) as text:
        rows = write_dictionary(text)
    typer.echo(counted(rows, "column"), err=True)


def _settings(config: Path | None, kind: Kind, rejudging: str) -> Settings:
    """The settings; exits with 2 when there is no finished recomputation of that id."""
    settings = load_settings(config)
    if not rejudging:
        return settings
    if EXPORTS[kind].recomputed is None:
        raise bad_usage(f"{kind} is never recomputed: leave --rejudging out")
    stored = with_store(settings, lambda store: store.rejudgings())
    known = {one.id: one for one in stored}
    if rejudging not in known:
        newest = ", ".join(list(known)[-3:])
        hint = f"the newest are {newest}" if newest else "`shutwatch rejudge` makes one"
        raise bad_usage(f"--rejudging {rejudging!r}: there is no such recomputation; {hint}")
    if known[rejudging].finished_at is None:
        raise bad_usage(
            f"--rejudging {rejudging}: it was interrupted, or is still running; run "
            "`shutwatch rejudge` again"
        )
    return settings


def _explain(settings: Settings, kind: Kind, selection: Selection, rejudging: str = "") -> None:
    """Say why there are no rows, and what their absence is worth."""
    why = with_store(
        settings,
        lambda store: why_no_rows(EXPORTS[kind], store, selection, rejudging),
    )
    typer.echo(no_rows_text(words_in(), why), err=True)
    if kind in (Kind.EVENTS, Kind.STRETCHES) and not rejudging:
        typer.echo(coverage_in_words(settings, selection), err=True)


def _report(rows: int, kind: Kind) -> None:
    one = "stretch" if kind is Kind.STRETCHES else kind.value.removesuffix("s")
    typer.echo(counted(rows, one, kind.value), err=True)


@exit_on(StorageError, OSError)
@exit_on(MissingExtraError, TooManyRowsError, code=BAD_USAGE)
def _export(
    settings: Settings, output: Path, write: Callable[[Store, BinaryIO], Awaitable[int]]
) -> int:
    """Let `write` fill the file; exits with 1 when it cannot, with 2 without its library."""

    async def run(out: BinaryIO) -> int:
        async with opened(settings.database, settings.archive) as store:
            return await write(store, out)

    with opened_file(output, settings) as out, progress("exporting", results=out):
        return asyncio.run(run(out))
