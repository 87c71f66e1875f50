"""The command line: `shutwatch …`. Each command lives in a module of its own."""

import typer

from monitor import __version__
from monitor.cli import (
    agent,
    annotate,
    collector,
    config,
    db,
    demo,
    event,
    export,
    notify,
    once,
    ooni,
    password,
    probe,
    rejudge,
    replay,
    report,
    run,
    vantage,
)

app = typer.Typer(
    name="shutwatch",
    help="Tell within minutes, with evidence, when a country blocks a platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shutwatch {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Tell within minutes, with evidence, when a country blocks a platform."""


for command in (
    run,
    collector,
    agent,
    once,
    probe,
    demo,
    export,
    report,
    notify,
    ooni,
    replay,
    rejudge,
    event,
    annotate,
    config,
    db,
    password,
    vantage,
):
    command.register(app)


def main() -> None:
    """Entry point of the `shutwatch` command."""
    app()
