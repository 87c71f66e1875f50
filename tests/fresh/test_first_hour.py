"""docs/fresh/first-hour.txt: a new user came to a message about a block with what the documents
give, in time."""

import ipaddress
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from monitor.cli.main import app
from tests.docs.command_blocks import command_lines
from tests.fresh import first_hour
from tests.fresh.machines import ROOT

TEXT = first_hour.TRANSCRIPT.read_text("utf-8")
TYPED = re.findall(r"^\[(\d+)\] (\d+):(\d\d) you@(\w+):\S+\$ (.+)$", TEXT, re.MULTILINE)
COMMANDS = [command for *_, command in TYPED]
MAKE = {("make", "run"), ("make", "demo")}
"""The first lines of the README give these, in a block that is no shell's."""
GROUP: Any = typer.main.get_command(app)


def words_of(command: str) -> tuple[str, ...]:
    """What a command is known by: the program without its folder, and the names of commands; of
    other programs the first word after it."""
    program, *rest = command.split()
    if Path(program).name != "shutwatch":
        return (program, *rest[:1])
    known, group = ["shutwatch"], GROUP
    while rest and rest[0] in getattr(group, "commands", ()):
        known.append(rest.pop(0))
        group = group.commands[known[-1]]
    return tuple(known)


def test_there_are_at_most_twelve_commands_in_their_order() -> None:
    """On all machines together, numbered, and each later than the one before."""
    assert [int(number) for number, *_ in TYPED] == [*range(1, len(TYPED) + 1)]
    assert 8 < len(TYPED) <= first_hour.COMMANDS
    times = [60 * int(minutes) + int(seconds) for _, minutes, seconds, *_ in TYPED]
    assert times == sorted(times)
    assert {machine for *_, machine, _ in TYPED} == {"monitor", "server", "agent"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_the_documents_give(command: str) -> None:
    """In the README or under docs/, and the command line still takes its options."""
    given = {words_of(line) for _, _, line in command_lines()}
    known = words_of(command)
    assert known in given | MAKE
    if known[0] != "shutwatch":
        return
    context, group = GROUP.make_context("shutwatch", ["check"]), GROUP
    for name in known[1:]:
        group = group.get_command(context, name)
    group.make_context(command, shlex.split(command)[len(known) :], parent=context)


def test_the_readme_begins_with_those_of_make() -> None:
    """Which stand there in a block that is no shell's."""
    assert all(f"    {' '.join(words)} " in (ROOT / "README.md").read_text() for words in MAKE)


def test_commands_that_are_shown_can_be_typed() -> None:
    """By the path of the program, since no shell finds its name."""
    shown = re.findall(r"^  ((?:\S*/)?shutwatch [a-z].*)$", TEXT, re.MULTILINE)
    assert len(shown) > 3
    assert [line for line in shown if not line.startswith(first_hour.SHUTWATCH)] == []


def test_every_limit_was_kept() -> None:
    """And the message about the block arrived."""
    result = TEXT.split("\nResult\n")[1]
    kept = re.findall(r"^  (.+): (\d+) \(at most (\d+)\): kept$", result, re.MULTILINE)
    limits = {
        "12": "commands",
        "60": "from `make demo`",
        "30": "from `agent join`",
        "600": "from n",
    }
    assert len(kept) == len(limits)
    for what, found, most in kept:
        assert what.startswith(limits[most])
        assert 0 < int(found) <= int(most)
    assert "MISSED" not in TEXT
    assert re.search(r"^  .*X is blocked in Pakistan$", result, re.MULTILINE)


def test_nothing_tells_of_the_machine_it_was_written_on() -> None:
    """Folders are a new user's and the demonstration's, and addresses those of the lab."""
    assert not re.search(r"/(root|work|srv|tmp/(?!shutwatch-demo-))", TEXT)
    for host in re.findall(r"\b\w+(?:\+\w+)?://(?:[^@\s]*@)?([^/:\s\"]+)", TEXT):
        assert ipaddress.ip_address(host).is_private
