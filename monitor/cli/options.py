"""What every command shares: --config, --json, and exits that say why.

Agents load this module, so it imports neither rich nor the database.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from monitor.config.load import default_settings, find_config, load_config
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError

OUR_FAULT = 1
BAD_USAGE = 2

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file. Default: $SHUTWATCH_CONFIG, else measure from this machine.",
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object per line on standard output.")
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


@contextmanager
def exit_on(*errors: type[Exception], code: int = OUR_FAULT, prefix: str = "") -> Iterator[None]:
    """Exit with `code` on one of these errors; its text, after `prefix`, says why.

    A context or a decorator. Of several, the innermost comes first.
    """
    try:
        yield
    except errors as error:
        raise fail(prefix + _why(error), code) from error


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
