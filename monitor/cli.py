"""The command line: `shutwatch …`."""

import typer

from monitor import __version__

app = typer.Typer(
    name="shutwatch",
    help="Tell within minutes, with evidence, when a country blocks a platform.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def root() -> None:
    """Tell within minutes, with evidence, when a country blocks a platform."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"shutwatch {__version__}")


def main() -> None:
    """Entry point of the `shutwatch` command."""
    app()
