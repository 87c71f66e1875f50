"""`shutwatch check`: every mistake in a configuration, or a summary of it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.config_summary import print_summary
from monitor.cli.options import load_settings
from monitor.config.load import CONFIG_VARIABLE, find_config


def check(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help=f"Configuration to check. Default: ${CONFIG_VARIABLE}.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List every mistake in a configuration, or what it watches and from where."""
    if find_config(path, os.environ) is None:
        typer.echo(
            "No file is named, so these are the built-in settings. "
            "`shutwatch init` writes an example to start from.\n"
        )
    print_summary(load_settings(path))
