"""`shutwatch export`: stored data as files."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from msgspec.structs import replace

from monitor.cli.lazy_group import command_group
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.cli.selection import (
    CountryOption,
    PlatformOption,
    SinceOption,
    UntilOption,
    selection_of,
)
from monitor.cli.store_options import opened, with_store
from monitor.config.settings import Settings
from monitor.export.csv import write_csv
from monitor.export.dictionary import write_dictionary
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.ooni_lines import write_ooni
from monitor.export.parquet import MissingExtraError, write_parquet
from storage.store import StorageError, Store
from storage.values.rejudging import Rejudging
from storage.values.rollup import Period


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
PeriodOption = Annotated[Period, typer.Option(help="For availability: one row per hour or day.")]
ByOption = Annotated[
    By, typer.Option(help="For availability: one row per network, or per country.")
]
KindArgument = Annotated[Kind, typer.Argument(help="What to export.")]
STANDARD_OUTPUT = Path("-")


app = command_group("Write stored data to files.")


@app.command()
def csv(
    kind: KindArgument,
    since: SinceOption = "",
    until: UntilOption = "",
    country: CountryOption = "",
    platform: PlatformOption = "",
    output: OutputOption = STANDARD_OUTPUT,
    rejudging: RejudgingOption = "",
    period: PeriodOption = Period.HOUR,
    by: ByOption = By.NETWORK,
    config: ConfigOption = None,
) -> None:
    """Export to CSV. docs/csv.md explains the columns."""
    settings = _settings(config, kind, rejudging)
    selection = replace(
        selection_of(since, until, country, platform),
        period=period,
        by_network=by is By.NETWORK,
    )

    async def write(store: Store, out: BinaryIO) -> int:
        # A csv writer ends its own lines; a translating stream would double them.
        text = io.TextIOWrapper(out, encoding="utf-8", newline="")
        try:
            return await write_csv(kind, store, selection, text, rejudging=rejudging)
        finally:
            text.detach()

    _report(_export(settings, output, write), kind.value)


@app.command()
def parquet(
    kind: KindArgument,
    since: SinceOption = "",
    until: UntilOption = "",
    country: CountryOption = "",
    platform: PlatformOption = "",
    output: OutputOption = STANDARD_OUTPUT,
    rejudging: RejudgingOption = "",
    period: PeriodOption = Period.HOUR,
    by: ByOption = By.NETWORK,
    config: ConfigOption = None,
) -> None:
    """Export to Parquet: the columns of the CSV files, with types. Needs shutwatch[parquet]."""
    settings = _settings(config, kind, rejudging)
    selection = replace(
        selection_of(since, until, country, platform),
        period=period,
        by_network=by is By.NETWORK,
    )

    async def write(store: Store, out: BinaryIO) -> int:
        return await write_parquet(kind, store, selection, out, rejudging=rejudging)

    _report(_export(settings, output, write), kind.value)


@app.command()
def ooni(
    since: SinceOption = "",
    until: UntilOption = "",
    country: CountryOption = "",
    platform: PlatformOption = "",
    output: OutputOption = STANDARD_OUTPUT,
    config: ConfigOption = None,
) -> None:
    """Export measurements in OONI's data format, one JSON object per line."""
    settings = load_settings(config)
    selection = selection_of(since, until, country, platform)

    async def write(store: Store, out: BinaryIO) -> int:
        return await write_ooni(store, selection, out)

    _report(_export(settings, output, write), "measurements")


@app.command()
def dictionary(output: OutputOption = STANDARD_OUTPUT) -> None:
    """Export the meaning of every column of every file, as CSV."""
    try:
        with _opened(output) as out:
            text = io.TextIOWrapper(out, encoding="utf-8", newline="")
            rows = write_dictionary(text)
            text.detach()
    except OSError as error:
        raise fail(str(error)) from error
    _report(rows, "columns")


def _settings(config: Path | None, kind: Kind, rejudging: str) -> Settings:
    """The settings; exits with 2 when there is no finished recomputation of that id."""
    settings = load_settings(config)
    if not rejudging:
        return settings
    if EXPORTS[kind].recomputed is None:
        raise fail(f"{kind} is never recomputed: leave --rejudging out", BAD_USAGE)

    async def stored(store: Store) -> dict[str, Rejudging]:
        return {one.id: one for one in await store.rejudgings()}

    known = with_store(settings.database, stored)
    if rejudging not in known:
        newest = ", ".join(list(known)[-3:])
        hint = f"the newest are {newest}" if newest else "`shutwatch rejudge` makes one"
        raise fail(f"--rejudging {rejudging!r}: there is no such recomputation; {hint}", BAD_USAGE)
    if known[rejudging].finished_at is None:
        raise fail(
            f"--rejudging {rejudging}: it was interrupted, or is still running; run "
            "`shutwatch rejudge` again",
            BAD_USAGE,
        )
    return settings


def _report(rows: int, what: str) -> None:
    typer.echo(f"{rows} {what}", err=True)


def _export(
    settings: Settings, output: Path, write: Callable[[Store, BinaryIO], Awaitable[int]]
) -> int:
    """Let `write` fill the file; exits with 1 when it cannot, with 2 without its library."""

    async def run(out: BinaryIO) -> int:
        async with opened(settings.database) as store:
            return await write(store, out)

    try:
        with _opened(output) as out:
            return asyncio.run(run(out))
    except MissingExtraError as error:
        raise fail(str(error), BAD_USAGE) from error
    except (StorageError, OSError) as error:
        raise fail(str(error)) from error


@contextmanager
def _opened(output: Path) -> Iterator[BinaryIO]:
    """The file to write. It gets its name when it is complete."""
    if output == STANDARD_OUTPUT:
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            yield out
        return
    partial = output.with_name(output.name + ".partial")
    with partial.open("wb") as out:
        yield out
    partial.replace(output)
