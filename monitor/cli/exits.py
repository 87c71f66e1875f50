"""Exits of commands that say why on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from monitor.wording.file_errors import file_error, is_misnamed
from monitor.wording.visible_text import visible

OUR_FAULT = 1
BAD_USAGE = 2
FOUND = 1
"""Of a command that looks for faults, and found one."""
_LONGEST = 500
"""Characters of a line that repeats what was typed, or is in a file."""


def bad_usage(message: str) -> typer.Exit:
    """As `fail`, when the command or its files must be corrected."""
    return fail(message, BAD_USAGE)


def fail(message: str, code: int = OUR_FAULT) -> typer.Exit:
    """Print why on standard error; raise what this returns."""
    typer.echo(f"shutwatch: {bounded(message)}", err=True)
    return typer.Exit(code)


def bounded(message: str) -> str:
    """`message` as a terminal can take it: no line of it is long, and nothing moves the cursor."""
    return "\n".join(map(_bounded_line, message.split("\n")))


def _bounded_line(line: str) -> str:
    shown = visible(line)
    if len(shown) <= _LONGEST:
        return shown
    end = _LONGEST // 3
    return f"{shown[: _LONGEST - end]} … {shown[-end:]}"


@contextmanager
def exit_on(
    *errors: type[Exception], code: int = OUR_FAULT, prefix: str = "", service: bool = False
) -> Iterator[None]:
    """Exit with `code` on one of these errors; its text, after `prefix`, says why.

    A context or a decorator. Of several, the innermost comes first. A file that is not there, or is
    none, is BAD_USAGE whatever the code, but not of a `service`: what systemd starts again may find
    it next time.
    """
    try:
        yield
    except errors as error:
        misnamed = isinstance(error, OSError) and is_misnamed(error) and not service
        raise fail(prefix + _why(error), BAD_USAGE if misnamed else code) from error


def _why(error: Exception) -> str:
    return file_error(error) if isinstance(error, OSError) else str(error)
