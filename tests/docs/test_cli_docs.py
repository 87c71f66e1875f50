"""docs/cli.md and the README know every command and every option, and name no other."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer

from monitor.cli.main import app

ROOT = Path(__file__).parents[2]
CLI = (ROOT / "docs/cli.md").read_text()
COMMON = {"--config", "-c", "--help"}


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    # Typed loosely, since typer brings a command class of its own.
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield f"{prefix}{name}", command
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(_commands(typer.main.get_command(app)))


def _titles(part: str) -> Iterator[str]:
    """The commands a section is about: `export csv|xlsx` is two."""
    heading = part.partition("\n")[0].strip("`").removeprefix("shutwatch ")
    return (" ".join(words) for words in product(*(word.split("|") for word in heading.split(" "))))


def _is_about(part: str, command: str) -> bool:
    return any(f"{title} ".startswith(f"{command} ") for title in _titles(part))


def _section(command: str) -> str:
    parts = [part for part in re.split(r"^## ", CLI, flags=re.M) if part.startswith("`shutwatch ")]
    below = [one for one in COMMANDS if one.startswith(f"{command} ")]
    found = [part for part in parts if _is_about(part, command)]
    found = [part for part in found if not any(_is_about(part, one) for one in below)]
    assert len(found) == 1, f"{len(found)} sections of docs/cli.md for `shutwatch {command}`"
    return found[0]


def _options(command: Any) -> set[str]:
    return {
        option
        for parameter in command.params
        if parameter.param_type_name == "option"
        for option in (*parameter.opts, *parameter.secondary_opts)
    } - COMMON


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented_and_no_other(command: str) -> None:
    """A command's section names exactly the options it has."""
    named = set(re.findall(r"`(--?[a-z][a-z-]*)", _section(command)))
    assert named - COMMON == _options(COMMANDS[command])


def test_every_section_is_a_command() -> None:
    """What is documented exists."""
    sections = re.findall(r"^## `shutwatch ([a-z ]+[a-z])", CLI, flags=re.MULTILINE)
    for section in sections:
        assert any(
            command.startswith(section) or section.startswith(command) for command in COMMANDS
        )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command: str) -> None:
    """A stranger finds each command in the README."""
    assert command.split()[0] in (ROOT / "README.md").read_text()


def test_the_two_commands_come_first() -> None:
    """The README begins with what it is and the two commands that do all the set-up."""
    first_screen = (ROOT / "README.md").read_text()[:900]
    assert first_screen.index("make run") < first_screen.index("make test")
