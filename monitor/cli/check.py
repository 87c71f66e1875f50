"""`shutwatch check`: every mistake in a configuration, or a summary of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.exits import FOUND
from monitor.cli.findings_lines import json_line
from monitor.cli.options import JsonOption, load_settings
from monitor.cli.output import print_json
from monitor.config.load import CONFIG_VARIABLE
from monitor.config.settings import Settings
from monitor.measuring.weaknesses import weaknesses
from monitor.notify.apprise_service import limits_of
from monitor.notify.message_value import LONG_MESSAGE
from monitor.wording.findings import Finding, Level, What
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
    found = (*weaknesses(settings, system_resolvers()), *_short_messages(settings))
    if json:
        print_json(json_line("settings", one) for one in found)
    else:
        from monitor.cli.config_summary import print_summary  # loads rich

        print_summary(settings, found)
    if strict and any(one.level is not Level.NOTE for one in found):
        raise typer.Exit(FOUND)


def _short_messages(settings: Settings) -> Iterator[Finding]:
    """Each address of notifications whose service takes less than a long message."""
    for route in settings.notify.route:
        for target in route.urls:
            most = limits_of(target.url).body
            if most < LONG_MESSAGE:
                values = {
                    "route": route.name,
                    "target": target.name,
                    "fit": str(most),
                    "length": str(LONG_MESSAGE),
                }
                yield Finding(what=What.TARGET_SHORT, values=values)
