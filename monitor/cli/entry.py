"""The `shutwatch` program.

An agent lives where memory is short: what only other commands need is not even loaded for it, nor
what libraries would load by themselves to paint on a terminal.
"""

import sys

import typer

_PAINT = ("rich", "httpx._main")
"""Loaded where they can be had, by typer and structlog the one and by httpx the other: a tenth of
what an agent may hold. None in their place makes an import of them fail, as if not installed."""


def main() -> None:
    """Entry point of the `shutwatch` command."""
    if sys.argv[1:2] == ["agent"]:
        app = _agent()
    else:
        from monitor.cli.main import app
    app()


def _agent() -> typer.Typer:
    """`shutwatch agent` alone."""
    sys.modules.update(dict.fromkeys(_PAINT))  # type: ignore[arg-type] # None is what it takes
    from monitor.cli import agent

    app = typer.Typer(name="shutwatch", add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    agent.register(app)
    return app
