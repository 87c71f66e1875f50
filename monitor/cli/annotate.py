"""`shutwatch annotate`: dated facts about the world, from a CSV file that people write."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.acting.acts import COMMAND_LINE, act_of
from monitor.acting.annotating import platforms_of
from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import minute, print_json, print_lines
from monitor.cli.selection import Country, Since, Until, selection_of
from monitor.cli.store_options import with_store
from monitor.config.annotations_csv import AnnotationsError, read_annotations
from monitor.config.filters import Filters
from monitor.config.settings import Settings
from monitor.wording.visible_text import visible
from storage.store import Store
from storage.values.acts import ActKind
from storage.values.reviews import Annotation
from storage.values.steady_clock import utc_now

app = command_group("Import, list and remove dated facts: elections, court orders, denials.")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file; see docs/csv.md.")],
    config: ConfigOption = None,
) -> None:
    """Add the annotations of a CSV file that are not stored yet."""
    settings = load_settings(config)
    annotations = _read(file, settings)
    act = act_of(COMMAND_LINE, utc_now(), ActKind.ANNOTATE, "annotations", f"{len(annotations)}")
    new = with_store(settings, lambda store: store.add_annotations(annotations, act))
    typer.echo(f"{new} added, {len(annotations) - new} there already", err=True)


@app.command("list")
def show(
    since: Since = "",
    until: Until = "",
    country: Country = "",
    platform: Annotated[
        str, typer.Option(help="Annotations about this platform or about no platform.")
    ] = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List annotations, earliest first."""
    settings = load_settings(config)
    filters = Filters(since=since, until=until, country=country, platform=platform)
    wanted = selection_of(settings, filters, ahead=True)
    found = with_store(
        settings,
        lambda store: store.annotations(
            wanted.country, wanted.since, wanted.until, wanted.platform
        ),
    )
    if json:
        print_json(found)
    else:
        _print(found)


@app.command()
def remove(
    ids: Annotated[
        list[str], typer.Argument(metavar="ID…", help="Ids, as `annotate list` shows them.")
    ],
    config: ConfigOption = None,
) -> None:
    """Remove annotations: all that are named, or none when one is unknown."""

    async def delete(store: Store) -> int:
        known = {one.id for one in await store.annotations()}
        unknown = [one for one in ids if one not in known]
        if unknown:
            raise bad_usage(
                f"there is no annotation {', '.join(map(repr, unknown))}: "
                "`shutwatch annotate list` shows all; nothing was removed"
            )
        act = act_of(COMMAND_LINE, utc_now(), ActKind.REMOVE_ANNOTATION, " ".join(ids))
        return await store.remove_annotations(ids, act)

    typer.echo(f"{with_store(load_settings(config), delete)} removed", err=True)


@exit_on(OSError, code=BAD_USAGE)
def _read(file: Path, settings: Settings) -> tuple[Annotation, ...]:
    """The annotations in the file. Prints every problem and exits with 2 when it has any."""
    try:
        return read_annotations(file.read_bytes(), platforms_of(settings), utc_now())
    except AnnotationsError as error:
        for problem in error.problems:
            typer.echo(f"{file}: {problem}", err=True)
        typer.echo("nothing was added", err=True)
        raise typer.Exit(BAD_USAGE) from error


def _print(found: list[Annotation]) -> None:
    if not found:
        typer.echo("No annotations.", err=True)
        return
    for one in found:
        until = f" to {minute(one.until)}" if one.until else ""
        about = f" ({one.platform})" if one.platform else ""
        when = f"{minute(one.since)}{until}"
        print_lines(
            (
                f"{one.id}  {one.country}  {when}  {one.kind}{about}",
                f"    {visible(one.text)}",
                f"    {visible(one.source)}",
            )
        )
