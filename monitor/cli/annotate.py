"""`shutwatch annotate`: what happened around the events, from a file that people write."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from monitor.app.clock import utc_now
from monitor.cli.annotations_csv import AnnotationsError, read_annotations
from monitor.cli.console import plain_console
from monitor.cli.export import moment_of
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.cli.store_options import with_store
from monitor.config.catalog import shipped_catalog
from monitor.config.settings import Settings
from monitor.wording.plain import visible
from storage.store import Store
from storage.values.reviews import Annotation


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Elections, court orders, official denials: what happened, from CSV.")
    app.add_typer(group, name="annotate", no_args_is_help=True)

    @group.command("import")
    def import_file(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file; see docs/csv.md.")],
        config: ConfigOption = None,
    ) -> None:
        """Add the annotations of a CSV file; those already there are left alone."""
        settings = load_settings(config)
        annotations = _read(file, settings)

        async def add(store: Store) -> int:
            return await store.add_annotations(annotations)

        new = with_store(settings, add)
        typer.echo(f"{new} added, {len(annotations) - new} there already", err=True)

    @group.command("list")
    def show(
        since: Annotated[
            str, typer.Option(help="First moment, UTC: 2024-02-17 or 2024-02-17T18:00.")
        ] = "",
        until: Annotated[str, typer.Option(help="First moment no longer wanted, UTC.")] = "",
        country: Annotated[str, typer.Option(help="ISO 3166-1 alpha-2 code.")] = "",
        platform: Annotated[
            str, typer.Option(help="About this platform, or about none in particular.")
        ] = "",
        json: Annotated[
            bool, typer.Option("--json", help="One JSON object per annotation.")
        ] = False,
        config: ConfigOption = None,
    ) -> None:
        """List annotations by when they begin."""
        begin, end = moment_of("--since", since), moment_of("--until", until)

        async def read(store: Store) -> list[Annotation]:
            return await store.annotations(country.upper(), begin, end, platform)

        found = with_store(load_settings(config), read)
        if json:
            for one in found:
                sys.stdout.buffer.write(msgspec.json.encode(one) + b"\n")
            sys.stdout.flush()
        else:
            _print(found)

    @group.command()
    def remove(
        ids: Annotated[
            list[str], typer.Argument(metavar="ID…", help="Ids, as `annotate list` shows them.")
        ],
        config: ConfigOption = None,
    ) -> None:
        """Remove annotations, all of those named or none."""

        async def forget(store: Store) -> int:
            known = {one.id for one in await store.annotations()}
            unknown = [one for one in ids if one not in known]
            if unknown:
                raise fail(
                    f"there is no annotation {', '.join(map(repr, unknown))}: "
                    "`shutwatch annotate list` shows all; nothing was removed",
                    BAD_USAGE,
                )
            return await store.remove_annotations(ids)

        typer.echo(f"{with_store(load_settings(config), forget)} removed", err=True)


def _read(file: Path, settings: Settings) -> tuple[Annotation, ...]:
    """What the file holds. Prints every problem and exits with 2 when it has any."""
    platforms = {
        platform.name
        for catalog in (settings.catalog, shipped_catalog())
        for platform in catalog.platforms
    }
    try:
        return read_annotations(file.read_bytes(), platforms, utc_now())
    except OSError as error:
        raise fail(f"{file}: {error.strerror}", BAD_USAGE) from error
    except AnnotationsError as error:
        for problem in error.problems:
            typer.echo(f"{file}: {problem}", err=True)
        typer.echo("nothing was added", err=True)
        raise typer.Exit(BAD_USAGE) from error


def _print(found: list[Annotation]) -> None:
    if not found:
        typer.echo("No annotations.", err=True)
        return
    console = plain_console()
    for one in found:
        until = f" to {one.until:%Y-%m-%d %H:%M}Z" if one.until else ""
        about = f" ({one.platform})" if one.platform else ""
        when = f"{one.since:%Y-%m-%d %H:%M}Z{until}"
        for line in (
            f"{one.id}  {one.country}  {when}  {one.kind}{about}",
            f"    {visible(one.text)}",
            f"    {visible(one.source)}",
        ):
            console.print(line, markup=False, soft_wrap=True)
