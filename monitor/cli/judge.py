"""`shutwatch judge ooni`: judge measurements that OONI's probes took, by shutwatch's rules."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from monitor.analysis.verdict import State
from monitor.cli.bars import Bar, progress
from monitor.cli.exits import BAD_USAGE, bad_usage, bounded
from monitor.cli.lazy_group import command_group
from monitor.cli.once import json_lines
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import escape, plain_console, print_json
from monitor.config.catalog import shipped_catalog
from monitor.config.settings import Settings
from monitor.judging.from_ooni import judge_imported
from monitor.ooni.convert import Imported, convert
from monitor.ooni.ooni_files import measurements_in
from monitor.ooni.ooni_format import OoniError, UnsupportedTestError, decode
from monitor.wording.file_errors import file_error
from monitor.wording.rules import RULE_MEANINGS
from monitor.wording.states import STATE_STYLES
from probes.catalog.catalog import Catalog
from probes.layers.bogon import BogonList
from storage.values.cycle import Cycle


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of a file, and its verdicts."""

    source: str
    """File name, followed by the line number in a file with several measurements."""
    imported: Imported
    cycle: Cycle


app = command_group("Judge measurements that others took.")


@app.callback()
def group() -> None:
    """Judge measurements that others took."""


@app.command()
def ooni(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="OONI measurements: one per file, or one per line; .gz too.", metavar="FILE..."
        ),
    ],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Judge OONI's raw measurements by the same rules as live ones. Stores nothing."""
    settings = load_settings(config)
    problems = _Problems()
    with progress("judging", len(files), results=sys.stdout) as bar:
        judged = _judge(files, settings, problems, bar)
        if json:
            print_json(_json_lines(judged))
        else:
            _print_blocks(judged)
    if problems.unreadable:
        raise typer.Exit(BAD_USAGE)
    if not problems.judged:
        raise bad_usage("no measurement could be judged")


class _Problems(msgspec.Struct):
    """Counts of measurements; problems are printed at once on standard error."""

    unreadable: int = 0
    judged: int = 0

    def warn(self, source: str, error: Exception) -> None:
        if isinstance(error, OSError):
            typer.echo(f"shutwatch: {file_error(error, source)}", err=True)
        else:
            typer.echo(f"shutwatch: {source}: {bounded(str(error))}", err=True)


def _judge(
    files: list[Path], settings: Settings, problems: _Problems, bar: Bar
) -> Iterator[Judged]:
    catalog = _whole_catalog(settings)
    bogons = BogonList(settings.probe.bogon_allow)
    for path in files:
        try:
            for source, text in measurements_in(path):
                judged = _judge_one(source, text, catalog, bogons, problems)
                if judged is not None:
                    problems.judged += 1
                    yield judged
        except (OoniError, OSError) as error:
            problems.unreadable += 1
            problems.warn(str(path), error)
        bar.advance()


def _judge_one(
    source: str, text: bytes, catalog: Catalog, bogons: BogonList, problems: _Problems
) -> Judged | None:
    try:
        wire, flag = decode(text)
        imported = convert(wire, flag, catalog, bogons=bogons)
    except UnsupportedTestError as error:
        problems.warn(source, error)
    except OoniError as error:
        problems.unreadable += 1
        problems.warn(source, error)
    else:
        return Judged(source=source, imported=imported, cycle=judge_imported(imported))
    return None


def _whole_catalog(settings: Settings) -> Catalog:
    """The configured catalogue, and the shipped platforms that are not measured live."""
    named = {platform.name for platform in settings.catalog.platforms}
    rest = (one for one in shipped_catalog().platforms if one.name not in named)
    return msgspec.structs.replace(settings.catalog, platforms=(*settings.catalog.platforms, *rest))


def _json_lines(judged: Iterator[Judged]) -> Iterator[dict[str, Any]]:
    for one in judged:
        flag = one.imported.flag
        origin: dict[str, Any] = {
            "source": one.source,
            "test": one.imported.test,
            "uid": one.imported.uid,
            "started_at": one.imported.started_at,
            "ooni_anomaly": None if flag is None else flag.anomaly,
        }
        for line in json_lines([one.cycle]):
            yield {**line, **origin}


def _print_blocks(judged: Iterator[Judged]) -> None:
    """For each measurement: its source, then the verdicts, then their reasons."""
    from rich.padding import Padding

    console = plain_console()
    for one in judged:
        vantage = one.imported.vantage
        console.print(f"[bold]{escape(one.source)}[/]", soft_wrap=True)
        for verdict in one.cycle.platforms:
            how = f" ({verdict.method}: {verdict.sub_method})" if verdict.method else ""
            state = f"[{STATE_STYLES[verdict.state]}]{verdict.state}[/]"
            console.print(
                f"  {one.imported.started_at:%Y-%m-%d %H:%M}  {vantage.country} AS{vantage.asn}  "
                f"{escape(verdict.platform)}: {state}{how}{_ooni_result(one.imported)}",
                soft_wrap=True,
            )
            if verdict.state is not State.OK:
                why = f"{RULE_MEANINGS.get(verdict.rule_id, '')} [dim]({verdict.rule_id})[/]"
                console.print(Padding(why, (0, 0, 0, 2)))


def _ooni_result(imported: Imported) -> str:
    flag = imported.flag
    if flag is None:
        return ""
    opinion = "confirmed" if flag.confirmed else "anomaly" if flag.anomaly else "ok"
    return f"  [dim]OONI: {opinion}[/]"
