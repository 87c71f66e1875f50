"""What several commands share: the --config option, and loading it or exiting with the reasons."""

import os
from pathlib import Path
from typing import Annotated

import typer

from monitor.config.load import ConfigError, default_settings, find_config, load_config
from monitor.config.settings import Settings

OUR_FAULT = 1
BAD_USAGE = 2

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file. Default: $SHUTWATCH_CONFIG, else watch from this machine.",
        show_default=False,
    ),
]


def load_settings(config: Path | None) -> Settings:
    """The settings to run on; prints every problem and exits with 2 when the file is bad."""
    path = find_config(config, os.environ)
    if path is None:
        return default_settings()
    try:
        return load_config(path, os.environ)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_USAGE) from error


def fail(message: str, code: int = OUR_FAULT) -> typer.Exit:
    """Print why on standard error; raise what this returns."""
    typer.echo(f"shutwatch: {message}", err=True)
    return typer.Exit(code)
