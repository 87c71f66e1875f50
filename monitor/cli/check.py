"""`shutwatch check`: every mistake in a configuration, or a summary of it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.config_summary import print_summary
from monitor.cli.exits import BAD_USAGE
from monitor.config.load import (
    CONFIG_VARIABLE,
    default_settings,
    find_config,
    load_config,
)
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError


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
    print_summary(_checked(find_config(path, os.environ)))


def _checked(path: Path | None) -> Settings:
    """The settings in the file. Prints every problem and exits when it has any."""
    if path is None:
        typer.echo(
            "No file is named, so these are the built-in settings. "
            "`shutwatch init` writes an example to start from.\n"
        )
        return default_settings()
    try:
        return load_config(path, os.environ)
    except ConfigError as error:
        number = len(error.problems)
        typer.echo(f"{path}: {number} {'problem' if number == 1 else 'problems'}", err=True)
        for problem in error.problems:
            typer.echo(f"\n{problem}", err=True)
        raise typer.Exit(BAD_USAGE) from error
