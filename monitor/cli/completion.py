"""`shutwatch completion`: what a shell reads to complete commands, options and their values.

The scripts hold all words, so that pressing Tab starts no Python.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from monitor.cli.command_tree import Command, Parameter, all_commands


class Shell(StrEnum):
    """Shells with a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Your shell.")]) -> None:
    """Print a script that completes commands and options when you press Tab."""
    from monitor.cli.main import app  # which imports this module when it is called

    write = {Shell.BASH: _bash, Shell.ZSH: _zsh, Shell.FISH: _fish}[shell]
    typer.echo("\n".join(write(all_commands(app))))


def _bash(commands: Sequence[Command]) -> Iterator[str]:
    yield "_shutwatch() {"
    yield "  local at='' i found=''"
    yield "  for ((i = 1; i < COMP_CWORD; i++)); do"
    yield '    case "$at ${COMP_WORDS[i]}" in'
    yield f'      {_any(commands)}) at="$at ${{COMP_WORDS[i]}}" ;;'
    yield "    esac"
    yield "  done"
    yield '  case "$at ${COMP_WORDS[COMP_CWORD-1]}" in'
    for at, option in _with_choices(commands):
        keys = "|".join(_quoted(f"{at} {name}") for name in option.names)
        yield f"    {keys}) found={_quoted(' '.join(option.choices))} ;;"
    yield "  esac"
    yield '  [ -n "$found" ] || case "$at" in'
    for one in commands:
        yield f"    {_quoted(_at(one))}) found={_quoted(' '.join(_words(one)))} ;;"
    yield "  esac"
    yield '  COMPREPLY=($(compgen -W "$found" -- "${COMP_WORDS[COMP_CWORD]}"))'
    yield "}"
    yield "complete -o default -F _shutwatch shutwatch"


def _zsh(commands: Sequence[Command]) -> Iterator[str]:
    summaries = {one.path: one.summary for one in commands}
    yield "#compdef shutwatch"
    yield "_shutwatch() {"
    yield "  local at='' i; local -a found options"
    yield "  for ((i = 2; i < CURRENT; i++)); do"
    yield f'    case "$at $words[i]" in ({_any(commands)}) at="$at $words[i]" ;; esac'
    yield "  done"
    yield '  case "$at $words[CURRENT-1]" in'
    for at, option in _with_choices(commands):
        keys = "|".join(_quoted(f"{at} {name}") for name in option.names)
        yield f"    ({keys}) found=({' '.join(option.choices)}); _describe value found; return ;;"
    yield "  esac"
    yield '  case "$at" in'
    for one in commands:
        below = [f"{name}:{_plain(summaries[(*one.path, name)])}" for name in one.commands]
        below += [choice for argument in one.arguments for choice in argument.choices]
        options = [
            f"{name}:{_plain(option.help)}" for option in one.options for name in option.names
        ]
        yield f"    ({_quoted(_at(one))})"
        yield f"      found=({' '.join(map(_quoted, below))})"
        yield f"      options=({' '.join(map(_quoted, options))}) ;;"
    yield "  esac"
    yield "  _describe command found"
    yield "  _describe -o option options"
    yield "  (( $#found )) || _files"
    yield "}"
    yield 'if [ "$funcstack[1]" = _shutwatch ]; then _shutwatch "$@"; '
    yield "else compdef _shutwatch shutwatch; fi"


def _fish(commands: Sequence[Command]) -> Iterator[str]:
    summaries = {one.path: one.summary for one in commands}
    known = " ".join(_quoted(" ".join(one.path)) for one in commands if one.path)
    yield "function __shutwatch_at"
    yield "  set -l at"
    yield "  for word in (commandline -opc)[2..-1]"
    yield f"    contains -- (string join ' ' -- $at $word) {known}; and set -a at $word"
    yield "  end"
    yield '  test "$at" = "$argv"'
    yield "end"
    for one in commands:
        here = _quoted(" ".join(("__shutwatch_at", *one.path)))
        start = f"complete -c shutwatch -n {here}"
        if one.commands or any(argument.choices for argument in one.arguments):
            yield f"{start} -f"
        for name in one.commands:
            yield f"{start} -a {name} -d {_quoted(summaries[(*one.path, name)])}"
        for argument in one.arguments:
            if argument.choices:
                yield f"{start} -a {_quoted(' '.join(argument.choices))}"
        for option in one.options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            )
            value = "" if option.is_flag else " -r"
            if option.choices:
                value = f" -x -a {_quoted(' '.join(option.choices))}"
            yield f"{start} {names}{value} -d {_quoted(option.help)}"


def _with_choices(commands: Sequence[Command]) -> Iterator[tuple[str, Parameter]]:
    for one in commands:
        for option in one.options:
            if option.choices:
                yield _at(one), option


def _words(command: Command) -> Iterator[str]:
    yield from command.commands
    for argument in command.arguments:
        yield from argument.choices
    for option in command.options:
        yield from option.names


def _any(commands: Sequence[Command]) -> str:
    return "|".join(_quoted(_at(one)) for one in commands if one.path)


def _at(command: Command) -> str:
    """The commands typed so far, each with a space before it."""
    return "".join(f" {name}" for name in command.path)


def _plain(text: str) -> str:
    return text.replace(":", "\\:")


def _quoted(text: str) -> str:
    """In single quotes, for all three shells."""
    return "'" + text.replace("'", r"'\''") + "'"
