"""Exits of commands that say why on standard error."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from monitor.wording.file_errors import file_error, is_full, is_misnamed
from monitor.wording.visible_text import visible

OUR_FAULT = 1
BAD_USAGE = 2
FOUND = 1
"""Of a command that looks for faults, and found one."""
STANDARD_OUTPUT = "standard output"
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
    it next time. So is a database that is none of ours. A full disk is OUR_FAULT.
    """
    try:
        yield
    except errors as error:
        raise fail(prefix + _why(error), _code(error, code, service=service)) from error


def _code(error: Exception, code: int, *, service: bool) -> int:
    if isinstance(error, OSError):
        misnamed = is_misnamed(error) and not service
        return OUR_FAULT if is_full(error) else BAD_USAGE if misnamed else code
    from storage.store import WrongDatabaseError  # which help does without

    return BAD_USAGE if isinstance(error, WrongDatabaseError) else code


@contextmanager
def exit_when_output_is_lost() -> Iterator[None]:
    """Exit where what was printed does not arrive: on a full disk with a sentence, silently where
    its reader has left."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.filename or not (is_full(error) or isinstance(error, BrokenPipeError)):
            raise
        # What is not written yet must not be tried again as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if is_full(error):
            typer.echo(f"shutwatch: {file_error(error, STANDARD_OUTPUT)}", err=True)
        sys.exit(OUR_FAULT)


def was_interrupted(abort: typer.Abort) -> bool:
    """Whether a question ended by Ctrl-C, not by the end of input."""
    return isinstance(abort.__context__, KeyboardInterrupt)


def from_standard_input(read: Callable[[], str]) -> str:
    """What `read` gets of it; exits with 2 where that is in another encoding."""
    try:
        return read()
    except UnicodeDecodeError as error:
        raise bad_usage(
            "standard input is not UTF-8: set the terminal, or what writes to it, to UTF-8"
        ) from error


def _why(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "is not text in UTF-8"
    if type(error) is ValueError:  # which may have an example besides
        return ": ".join(map(str, error.args))
    return file_error(error) if isinstance(error, OSError) else str(error)
