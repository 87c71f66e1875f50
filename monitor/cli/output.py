"""What commands print with: tables and JSON lines.

rich is imported when something is painted: help, JSON and files do without.
"""

import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import msgspec
import typer

from monitor.cli import exits
from monitor.cli.own_files import refuse_own_file
from monitor.export.output_file import written_file
from monitor.wording.file_errors import is_full
from monitor.wording.visible_text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from monitor.config.settings import Settings

STANDARD_OUTPUT = Path("-")
_ANY_WIDTH = 500
"""Columns of a table that nobody looks at."""


def escape(text: str) -> str:
    """`text` as a table shows it, whatever it holds: none of it is markup, or moves the cursor."""
    from rich.markup import escape as escaped

    return escaped(visible(text))


def plain_console() -> "Console":
    """Standard output; characters its encoding lacks are replaced instead of ending the command."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False)


def listing_console() -> "Console":
    """As `plain_console`, for tables with ids and addresses: what reads them from a file or a pipe
    has no width, so none is folded or cut there."""
    console = plain_console()
    if not console.is_terminal:
        console.width = _ANY_WIDTH
    return console


def print_lines(lines: Iterable[str]) -> None:
    """Lines of plain text, never wrapped nor read as markup."""
    console = plain_console()
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def print_json(values: Iterable[Any]) -> None:
    """One JSON document per line on standard output."""
    for value in values:
        sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.flush()


@contextmanager
def opened_file(output: Path, settings: "Settings | None" = None) -> Iterator[BinaryIO]:
    """The file to write, - for standard output. A file gets its name when it is complete. Exits
    with 2 for a file that the installation of these settings lives from."""
    if output != STANDARD_OUTPUT:
        refuse_own_file(output, settings)
        with named_when_full(output), written_file(output) as out:
            yield out
        return
    try:
        with (
            named_when_full(exits.STANDARD_OUTPUT),
            open(sys.stdout.fileno(), "wb", closefd=False) as out,
        ):
            yield out
    except BrokenPipeError as error:  # as `head` leaves
        raise typer.Exit(exits.OUR_FAULT) from error


@contextmanager
def named_when_full(output: object) -> Iterator[None]:
    """Give the system's error the name of what has no room or no reader, where it has none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and (is_full(error) or isinstance(error, BrokenPipeError)):
            error.filename = str(output)
        raise


@contextmanager
def csv_text(file: BinaryIO) -> Iterator[TextIO]:
    """Text in UTF-8 for a csv writer, which ends its own lines: a translation would double them."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        yield text
    finally:
        text.detach()


def minute(moment: datetime | None) -> str:
    """`2024-02-17 18:12Z` of a time in UTC; empty for None."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"


def table(*columns: str, title: str | None = None, header_style: str = "bold") -> "Table":
    """A table without lines whose columns fold, between words where there is room."""
    from monitor.cli.whole_words import WholeWords

    made = WholeWords(title, header_style)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
