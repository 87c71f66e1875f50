"""`shutwatch manual`: the manual page, made of the commands' own help."""

import re
from collections.abc import Iterator, Sequence

import typer

from monitor import __version__
from monitor.cli.command_tree import Command, Parameter, all_commands

EXIT_CODES = (
    ("0", "Done."),
    ("1", "Something outside failed, or a search for faults found one."),
    ("2", "The command or the configuration must be corrected."),
    ("3", "A check did not hold."),
)


def manual() -> None:
    """Print the manual page, for `man`."""
    from monitor.cli.main import app  # which imports this module when it is called

    typer.echo("\n".join(_page(all_commands(app))))


def _page(commands: Sequence[Command]) -> Iterator[str]:
    root, *others = commands
    yield f'.TH SHUTWATCH 1 "" "shutwatch {__version__}" "User Commands"'
    yield ".SH NAME"
    yield rf"shutwatch \- {_text(root.summary[0].lower() + root.summary[1:])}"
    yield ".SH SYNOPSIS"
    yield rf".B shutwatch\fR {_text(root.usage)}"
    yield ".SH DESCRIPTION"
    yield _text(root.help)
    yield from _parameters(root.options)
    yield ".SH COMMANDS"
    for one in others:
        typed = " ".join(("shutwatch", *one.path, one.usage))
        yield f".SS {_text(typed)}"
        for number, paragraph in enumerate(one.help.split("\n\n")):
            if number:
                yield ".PP"
            yield _text(" ".join(paragraph.split()))
        yield from _parameters(one.arguments)
        yield from _parameters([option for option in one.options if option.names != ("--help",)])
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES:
        yield from (".TP", f".B {code}", _text(meaning))
    yield ".SH ENVIRONMENT"
    yield ".TP"
    yield ".B SHUTWATCH_CONFIG"
    yield _text("The configuration file, where --config is left out.")


def _parameters(parameters: Sequence[Parameter]) -> Iterator[str]:
    for one in parameters:
        yield from (".TP", f".B {_text(one.shown)}", _text(one.help) or r"\&")


def _text(text: str) -> str:
    """For roff: nothing in it is a command, and a dash is one that can be copied."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^(?=[.'])", r"\\&", escaped, flags=re.MULTILINE)
