"""A secret as a QR code: drawn on standard error, or a picture where the terminal is too narrow."""

import io
import sys
from pathlib import Path

import typer
from rich.console import Console

from monitor.cli.exits import exit_on
from storage.values.private_file import write_private

_EDGES = (4, 2)
"""Modules left white around the code: as the standard has it, and the least that phones read."""
_SCALE = 8
"""Pixels of a module."""


def show_qr(text: str, picture: Path) -> None:
    """Show the code. Exits where the picture cannot be written."""
    import segno

    code = segno.make(text, error="l")  # the least of corrections: the code is on a screen
    terminal = Console(stderr=True)
    edges = _EDGES if terminal.is_terminal else _EDGES[:1]
    for edge in edges:
        if not terminal.is_terminal or code.symbol_size(border=edge)[0] <= terminal.width:
            code.terminal(out=sys.stderr, border=edge, compact=True)
            return
    made = io.BytesIO()
    code.save(made, kind="png", scale=_SCALE)
    with exit_on(OSError):
        write_private(picture, made.getvalue())
    typer.echo(
        f"The QR code is wider than this terminal: scan {picture}, and delete it afterwards.\n",
        err=True,
    )
