"""`shutwatch doctor`: try everything that a configuration names, and say what to do."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.bars import progress
from monitor.cli.exits import FOUND
from monitor.cli.findings_lines import json_line
from monitor.cli.options import JsonOption, MeasuringConfigOption, load_settings
from monitor.cli.output import escape, plain_console, print_json
from monitor.config.settings import Settings
from monitor.logs import LogSettings, configure
from monitor.wording.findings import Level, finding_sentences
from monitor.wording.words import words_in
from probes.sockets.system_resolvers import system_resolvers
from storage.values.steady_clock import utc_now

if TYPE_CHECKING:
    from monitor.doctor.trial import Checked

_STYLES = {
    Level.NOTE: "[dim]note[/dim]",
    Level.WARNING: "[yellow]warning[/yellow]",
    Level.PROBLEM: "[bold red]problem[/bold red]",
}


def doctor(
    config: MeasuringConfigOption = None,
    json: JsonOption = False,
    send: Annotated[
        bool, typer.Option("--send", help="Send a test message to every address, too.")
    ] = False,
    prometheus: Annotated[
        str, typer.Option(metavar="URL", help="Ask this Prometheus whether it reads the metrics.")
    ] = "",
) -> None:
    """Try everything once: lines, controls, clock, disk, database, messages.

    Exit code 1 when something does not work.
    """
    settings = load_settings(config, sends=True)
    configure(LogSettings(level="warning", format=settings.log.format))
    checked = asyncio.run(examined(settings, send=send, prometheus=prometheus))
    if json:
        print_json(json_line(one.check, one.finding, one.about) for one in checked)
    else:
        print_checked(checked)
    if any(one.finding is not None and one.finding.level is Level.PROBLEM for one in checked):
        raise typer.Exit(FOUND)


async def examined(
    settings: Settings, *, send: bool = False, prometheus: str = ""
) -> list["Checked"]:
    """What every check says, with a progress bar on standard error."""
    # Imports all that can be tried, which help does without.
    from monitor.doctor.examine import CHECKS, examine
    from monitor.doctor.trial import Trial
    from monitor.measuring.probers import Probers

    with progress("trying everything", len(CHECKS)) as bar:
        async with Probers(settings, now=utc_now) as probers:
            trial = Trial(
                settings=settings,
                probers=probers,
                system=system_resolvers(),
                send=send,
                prometheus=prometheus,
            )
            return await examine(trial, bar.advance)


def print_checked(checked: Sequence["Checked"]) -> None:
    """A line for each, and below what does not work the remedy."""
    from rich.table import Table

    words = words_in()
    shown = Table.grid(padding=(0, 2))
    for one in checked:
        if one.finding is None:
            shown.add_row("[green]ok[/green]", one.check, escape(one.about))
            continue
        problem, remedy = finding_sentences(words, one.finding)
        shown.add_row(_STYLES[one.finding.level], one.check, escape(problem))
        shown.add_row("", "", f"→ {escape(remedy)}")
    plain_console().print(shown)
