"""`shutwatch report`: one signed file to publish."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import PlainGroup
from monitor.cli.options import ConfigOption, load_settings
from monitor.cli.output import STANDARD_OUTPUT, named_when_full
from monitor.cli.own_files import refuse_own_file
from monitor.cli.report_seals import add_stamps, countersign, stamp
from monitor.cli.selection import Country, Platform, Since, selection_of
from monitor.cli.store_options import with_store
from monitor.cli.verify import checked
from monitor.config.filters import Filters, platform_titles
from monitor.keys.keys import KeyFileError, grouped, key_path, load_or_make
from monitor.wording.languages import BY_CODE, ENGLISH
from monitor.wording.words import words_in
from storage.store import CollectorStore

if TYPE_CHECKING:
    from monitor.report.build import Made

_USUAL = Path("report.zip")

app = typer.Typer(cls=PlainGroup, add_completion=False, rich_markup_mode=None)
app.command()(countersign)
app.command()(stamp)


@app.callback(invoke_without_command=True)
def report(
    context: typer.Context,
    country: Country = "",
    platform: Platform = "",
    since: Since = "",
    until: Annotated[str, typer.Option(help="Time before which to stop, UTC. Default: now.")] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=f"File to write. Default: {_USUAL}, which must not be there yet.",
            show_default=False,
        ),
    ] = None,
    with_vantages: Annotated[
        bool, typer.Option("--with-vantages", help="Name vantages, not only their networks.")
    ] = False,
    all_measurements: Annotated[
        bool,
        typer.Option(
            "--all-measurements",
            help="Include every measurement, not only those around the onset and the end.",
        ),
    ] = False,
    signed_batches: Annotated[
        bool,
        typer.Option(
            "--signed-batches",
            help="Include agents' signed batches unchanged; needs --with-vantages.",
        ),
    ] = False,
    even_if_nothing_known: Annotated[
        bool,
        typer.Option(
            "--even-if-nothing-known",
            help="Write the report even if no verdict was decided; its title then says so.",
        ),
    ] = False,
    timezone: Annotated[
        str,
        typer.Option(
            help="Time zone of the hours in availability.csv, and of times without an offset, such "
            "as Asia/Karachi. Default: UTC."
        ),
    ] = "",
    language: Annotated[
        str, typer.Option(help=f"Language of the document: {', '.join(BY_CODE)}.")
    ] = ENGLISH.code,
    config: ConfigOption = None,
) -> None:
    """Write one signed file to publish: PDF, web page, charts and the data behind them."""
    if context.invoked_subcommand is not None:
        return
    # What writes reports is imported here, which help does without.
    from monitor.report.archive import TooLargeError
    from monitor.report.build import NothingKnownError, build
    from monitor.report.findings import Wanted
    from monitor.report.names_between_marks import unmarked
    from monitor.report.optional_libraries import MissingExtraError
    from monitor.report.seals import Trusted

    if signed_batches and not with_vantages:
        raise bad_usage("--signed-batches needs --with-vantages: a signed batch names its vantage")
    if output == STANDARD_OUTPUT:
        raise bad_usage("--output -: a report is a file, which is read again: give it a name")
    if language not in BY_CODE:
        raise bad_usage(f"--language {language!r}: give one of {', '.join(BY_CODE)}")
    settings = load_settings(config)
    now = datetime.now(UTC)
    # A report covers no time after now.
    selection = selection_of(
        settings,
        Filters(since=since, until=until, country=country, platform=platform, timezone=timezone),
    )
    start, end = selection.since, min(selection.until or now, now)
    if not (country and platform and start is not None and start < end):
        raise bad_usage(
            "say what the report is about: --country, --platform and --since, which is in the past,"
            " as in --country PK --platform x --since 2024-02-17"
        )
    wanted = Wanted(
        country=selection.country,
        platform=platform,
        since=start,
        until=end,
        timezone=selection.timezone,
        with_vantages=with_vantages,
        all_measurements=all_measurements,
        signed_batches=signed_batches,
        controls=settings.may_have_controls,
    )
    if output is None and _USUAL.exists():  # an earlier report may be published already
        raise bad_usage(f"{_USUAL} exists already: name another with -o, or move it away")
    file = output or _USUAL
    refuse_own_file(file, settings)
    title = platform_titles(settings).get(platform, platform)
    path = key_path(settings.signing_key, settings.source, settings.database)

    async def work(store: CollectorStore) -> "Made":
        return await build(
            store,
            wanted,
            file,
            load_or_make(path),
            title=title,
            interval=settings.interval,
            generated_at=now,
            language=BY_CODE[language],
            even_if_nothing_known=even_if_nothing_known,
        )

    with (
        exit_on(KeyFileError, TooLargeError, OSError),
        exit_on(MissingExtraError, code=BAD_USAGE),
        named_when_full(file),
    ):
        try:
            made = with_store(settings, work, doing="writing the report")
        except NothingKnownError as error:
            where = words_in().country(wanted.country)
            raise bad_usage(
                f"nothing is known about {title} in {where} in this time: {error}; "
                "--even-if-nothing-known writes a report that says so"
            ) from error
    typer.echo(f"{file}: {unmarked(made.headline)}", err=True)
    typer.echo(f"signed by {grouped(made.manifest.fingerprint)} ({path})", err=True)
    if settings.timestamps.authorities or settings.timestamps.calendars:
        # A report without a stamp is a report all the same; why there is none is said.
        add_stamps(file, file, checked(file, "", Trusted()), settings.timestamps)
