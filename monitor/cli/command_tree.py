"""All commands with their options, as values: for completions of shells and the manual page."""

from collections.abc import Iterator
from typing import Any

import msgspec
import typer


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """An option or an argument."""

    names: tuple[str, ...]
    """`--output` and `-o`; of an argument as usage has it."""
    shown: str
    """With its value, as help shows it."""
    help: str
    choices: tuple[str, ...] = ()
    is_flag: bool = False


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command, or a group of them."""

    path: tuple[str, ...]
    """`event` and `list`; empty for the program itself."""
    help: str
    usage: str
    """What follows the program's name."""
    options: tuple[Parameter, ...]
    arguments: tuple[Parameter, ...]
    commands: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return " ".join(self.help.split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def all_commands(app: typer.Typer) -> tuple[Command, ...]:
    """Every command, groups before what is in them. Imports all of them."""
    return tuple(_commands(typer.main.get_command(app), ()))


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[Command]:
    # Typed loosely, since typer brings a command class of its own.
    below: dict[str, Any] = dict(getattr(command, "commands", {}))
    context = typer.Context(command, info_name=" ".join(("shutwatch", *path)))
    parameters = [(one, _parameter(one, context)) for one in command.get_params(context)]
    yield Command(
        path=path,
        help=(command.help or "").strip(),
        usage=" ".join(command.collect_usage_pieces(context)),
        options=tuple(made for one, made in parameters if one.param_type_name == "option"),
        arguments=tuple(made for one, made in parameters if one.param_type_name == "argument"),
        commands=tuple(below),
    )
    for name, inner in below.items():
        yield from _commands(inner, (*path, name))


def _parameter(one: Any, context: Any) -> Parameter:
    shown, text = one.get_help_record(context) or (one.display_name_raw, one.help or "")
    found = one.type_descriptor.choices if one.type_descriptor is not None else None
    return Parameter(
        names=(*one.opts, *one.secondary_opts),
        shown=" ".join(shown.split()),
        help=" ".join(text.split()),
        choices=tuple(str(getattr(choice, "value", choice)) for choice in found or ()),
        is_flag=bool(getattr(one, "is_flag", False)),
    )
