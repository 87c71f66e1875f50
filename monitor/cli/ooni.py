"""`shutwatch judge ooni`: what our rules say about measurements that OONI's probes took."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.padding import Padding

from monitor.analysis.verdict import State
from monitor.cli.console import plain_console
from monitor.cli.once import STYLES, json_lines
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.config.catalog import shipped_catalog
from monitor.config.settings import Settings
from monitor.ooni.convert import Imported, convert
from monitor.ooni.judge_ooni import judge_imported
from monitor.ooni.ooni_files import measurements_in
from monitor.ooni.ooni_format import OoniError, UnsupportedTestError, decode
from monitor.wording.rules import RULE_MEANINGS
from probes.catalog.catalog import Catalog
from probes.layers.bogon import BogonList
from storage.store import Cycle


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of a file, and what it means."""

    source: str
    """The file, with the line where it has several."""
    imported: Imported
    cycle: Cycle


def register(app: typer.Typer) -> None:
    """Add the command group."""
    judge = typer.Typer(help="Judge measurements that others took.", no_args_is_help=True)
    app.add_typer(judge, name="judge")

    @judge.callback()
    def group() -> None:
        """Judge measurements that others took."""

    @judge.command()
    def ooni(
        files: Annotated[
            list[Path],
            typer.Argument(
                help="One OONI measurement a file, or one a line; .gz too.", metavar="FILE..."
            ),
        ],
        json: Annotated[
            bool, typer.Option("--json", help="One JSON object per line on standard output.")
        ] = False,
        config: ConfigOption = None,
    ) -> None:
        """Judge OONI's raw measurements by the rules live looks are judged by. Stores nothing."""
        settings = load_settings(config)
        problems = _Problems()
        judged = _judge(files, settings, problems)
        if json:
            _print_json(judged)
        else:
            _print_blocks(judged)
        if problems.unreadable:
            raise typer.Exit(BAD_USAGE)
        if not problems.judged:
            raise fail("there is no measurement that could be judged", BAD_USAGE)


class _Problems(msgspec.Struct):
    """What went wrong on the way, said at once on standard error."""

    unreadable: int = 0
    judged: int = 0

    def say(self, source: str, error: Exception) -> None:
        typer.echo(f"shutwatch: {source}: {error}", err=True)


def _judge(files: list[Path], settings: Settings, problems: _Problems) -> Iterator[Judged]:
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
            problems.say(str(path), error)


def _judge_one(
    source: str, text: bytes, catalog: Catalog, bogons: BogonList, problems: _Problems
) -> Judged | None:
    try:
        wire, flag = decode(text)
        imported = convert(wire, flag, catalog, bogons=bogons)
    except UnsupportedTestError as error:
        problems.say(source, error)
    except OoniError as error:
        problems.unreadable += 1
        problems.say(source, error)
    else:
        return Judged(source=source, imported=imported, cycle=judge_imported(imported))
    return None


def _whole_catalog(settings: Settings) -> Catalog:
    """The configured catalogue, and the shipped platforms that are not watched live."""
    named = {platform.name for platform in settings.catalog.platforms}
    rest = (one for one in shipped_catalog().platforms if one.name not in named)
    return msgspec.structs.replace(settings.catalog, platforms=(*settings.catalog.platforms, *rest))


def _print_json(judged: Iterator[Judged]) -> None:
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
            sys.stdout.buffer.write(msgspec.json.encode({**line, **origin}) + b"\n")
    sys.stdout.flush()


def _print_blocks(judged: Iterator[Judged]) -> None:
    """For each measurement where it stands, then who saw what, then why."""
    console = plain_console()
    for one in judged:
        vantage = one.imported.vantage
        console.print(f"[bold]{escape(one.source)}[/]", soft_wrap=True)
        for verdict in one.cycle.platforms:
            how = f" ({verdict.method}: {verdict.sub_method})" if verdict.method else ""
            console.print(
                f"  {one.imported.started_at:%Y-%m-%d %H:%M}  {vantage.country} AS{vantage.asn}  "
                f"{escape(verdict.platform)}: [{STYLES[verdict.state]}]{verdict.state}[/]{how}"
                f"{_ooni_says(one.imported)}",
                soft_wrap=True,
            )
            if verdict.state is not State.OK:
                why = f"{RULE_MEANINGS.get(verdict.rule_id, '')} [dim]({verdict.rule_id})[/]"
                console.print(Padding(why, (0, 0, 0, 2)))


def _ooni_says(imported: Imported) -> str:
    flag = imported.flag
    if flag is None:
        return ""
    opinion = "confirmed" if flag.confirmed else "anomaly" if flag.anomaly else "ok"
    return f"  [dim]OONI: {opinion}[/]"
