"""The options that most commands share, --config and --json, and the settings to run on.

Agents load this module, so it imports neither rich nor the database.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli.exits import BAD_USAGE, bad_usage
from monitor.config.load import default_settings, find_config, load_config
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError

_MOST_PROBLEMS = 50
"""Problems of a file that are shown; one with more is seldom a configuration."""


def _config_option(otherwise: str) -> Any:
    text = f"Configuration file. Default: $SHUTWATCH_CONFIG, else {otherwise}."
    return typer.Option("--config", "-c", help=text, show_default=False)


ConfigOption = Annotated[
    Path | None, _config_option("shipped settings, with shutwatch.db in this folder")
]
MeasuringConfigOption = Annotated[Path | None, _config_option("measure from this machine")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object per line on standard output.")
]


def load_settings(config: Path | None, *, sends: bool = False) -> Settings:
    """The settings to run on; prints every problem and exits with 2 when the file is bad.

    `sends`: the command sends notifications, or checks their addresses.
    """
    path = find_config(config, os.environ)
    if path is None:
        return default_settings()
    try:
        return load_config(path, os.environ, asks_apprise=sends)
    except ConfigError as error:
        number = len(error.problems)
        typer.echo(f"{path}: {number} {'problem' if number == 1 else 'problems'}", err=True)
        for problem in error.problems[:_MOST_PROBLEMS]:
            typer.echo(f"\n{problem}", err=True)
        if number > _MOST_PROBLEMS:
            typer.echo(f"\n… and {number - _MOST_PROBLEMS} more", err=True)
        raise typer.Exit(BAD_USAGE) from error


def load_settings_of_vantages(config: Path | None) -> Settings:
    """The same, to measure from here; exits with 2 where the file has no vantage."""
    settings = load_settings(config)
    if not settings.vantages:
        raise bad_usage(
            f"no vantage here: {settings.source} has no [[vantage]]; add one, or name another file "
            "with --config"
        )
    return settings
