"""`shutwatch export`: what is stored, as files for reports."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from msgspec.structs import replace

from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.config.settings import Settings
from monitor.export.csv import write_csv
from monitor.export.dictionary import write_dictionary
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.ooni_lines import write_ooni
from monitor.export.parquet import MissingExtraError, write_parquet
from storage.open_store import open_store
from storage.store import StorageError, Store
from storage.values.rollup import Period
from storage.values.selection import Selection


class By(StrEnum):
    """What one row of availability speaks of."""

    NETWORK = "network"
    COUNTRY = "country"


SinceOption = Annotated[
    str, typer.Option(help="First moment, UTC: 2024-02-17 or 2024-02-17T18:00.")
]
UntilOption = Annotated[str, typer.Option(help="First moment no longer wanted, UTC.")]
CountryOption = Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code.")]
PlatformOption = Annotated[str, typer.Option(help="Platform name, as in the catalogue.")]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", help="File to write; - for standard output.")
]
RejudgingOption = Annotated[
    str, typer.Option(help="What `shutwatch rejudge` kept under this id, in their place.")
]
PeriodOption = Annotated[Period, typer.Option(help="Of availability: rows by hour or by day.")]
ByOption = Annotated[
    By, typer.Option(help="Of availability: each network, or a country's taken together.")
]
KindArgument = Annotated[Kind, typer.Argument(help="What to export.")]
STANDARD_OUTPUT = Path("-")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    export = typer.Typer(help="Write what is stored to files.", no_args_is_help=True)
    app.add_typer(export, name="export")

    @export.command()
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
        """What is stored, as CSV. The columns are explained in docs/csv.md."""
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

    @export.command()
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
        """The columns of the CSV files, with types, as Parquet. Needs shutwatch[parquet]."""
        settings = _settings(config, kind, rejudging)
        selection = replace(
            selection_of(since, until, country, platform),
            period=period,
            by_network=by is By.NETWORK,
        )

        async def write(store: Store, out: BinaryIO) -> int:
            return await write_parquet(kind, store, selection, out, rejudging=rejudging)

        _report(_export(settings, output, write), kind.value)

    @export.command()
    def ooni(
        since: SinceOption = "",
        until: UntilOption = "",
        country: CountryOption = "",
        platform: PlatformOption = "",
        output: OutputOption = STANDARD_OUTPUT,
        config: ConfigOption = None,
    ) -> None:
        """Measurements in OONI's data format, one JSON object a line."""
        settings = load_settings(config)
        selection = selection_of(since, until, country, platform)

        async def write(store: Store, out: BinaryIO) -> int:
            return await write_ooni(store, selection, out)

        _report(_export(settings, output, write), "measurements")

    @export.command()
    def dictionary(output: OutputOption = STANDARD_OUTPUT) -> None:
        """What every column of every file means, as CSV."""
        try:
            with _opened(output) as out:
                text = io.TextIOWrapper(out, encoding="utf-8", newline="")
                rows = write_dictionary(text)
                text.detach()
        except OSError as error:
            raise fail(str(error)) from error
        _report(rows, "columns")


def selection_of(since: str, until: str, country: str, platform: str) -> Selection:
    """What the options ask for; exits with 2 when a moment is no date."""
    return Selection(
        since=moment_of("--since", since),
        until=moment_of("--until", until),
        country=country.upper(),
        platform=platform,
    )


def _settings(config: Path | None, kind: Kind, rejudging: str) -> Settings:
    """The settings, once it is sure that what is asked for exists."""
    settings = load_settings(config)
    if rejudging and EXPORTS[kind].recomputed is None:
        raise fail(f"{kind} is never recomputed: leave --rejudging out", BAD_USAGE)
    if rejudging:
        try:
            asyncio.run(_check(settings, rejudging))
        except _NotThereError as error:
            raise fail(str(error), BAD_USAGE) from error
        except StorageError as error:
            raise fail(str(error)) from error
    return settings


def _report(rows: int, what: str) -> None:
    typer.echo(f"{rows} {what}", err=True)


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
    settings: Settings, output: Path, write: Callable[[Store, BinaryIO], Awaitable[int]]
) -> int:
    """Let `write` fill the file; exits with 1 when it cannot, with 2 without its library."""

    async def run(out: BinaryIO) -> int:
        store = open_store(settings.database, create=False)
        await store.open()
        try:
            return await write(store, out)
        finally:
            await store.close()

    try:
        with _opened(output) as out:
            return asyncio.run(run(out))
    except MissingExtraError as error:
        raise fail(str(error), BAD_USAGE) from error
    except (StorageError, OSError) as error:
        raise fail(str(error)) from error


@contextmanager
def _opened(output: Path) -> Iterator[BinaryIO]:
    """The file to write; whoever finds one of the name asked for finds a whole one."""
    if output == STANDARD_OUTPUT:
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            yield out
        return
    partial = output.with_name(output.name + ".partial")
    with partial.open("wb") as out:
        yield out
    partial.replace(output)


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
