"""`shutwatch check`: every mistake in a configuration, or a summary of it."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.exits import FOUND
from monitor.cli.findings_lines import json_line
from monitor.cli.options import JsonOption, load_settings
from monitor.cli.output import print_json
from monitor.config.load import CONFIG_VARIABLE
from monitor.measuring.weaknesses import weaknesses
from probes.sockets.system_resolvers import system_resolvers


def check(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help=f"Configuration to check. Default: ${CONFIG_VARIABLE}.",
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 where there is a warning.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List every mistake in a configuration, or what it watches and from where."""
    settings = load_settings(path, sends=True)
    found = weaknesses(settings, system_resolvers())
    if json:
        print_json(json_line("settings", one) for one in found)
    else:
        from monitor.cli.config_summary import print_summary  # loads rich

        print_summary(settings, found)
    if found and strict:
        raise typer.Exit(FOUND)
