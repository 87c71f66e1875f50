"""Exits of commands that say why on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

OUR_FAULT = 1
BAD_USAGE = 2
FOUND = 1
"""Of a command that looks for faults, and found one."""


def bad_usage(message: str) -> typer.Exit:
    """As `fail`, when the command or its files must be corrected."""
    return fail(message, BAD_USAGE)


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
