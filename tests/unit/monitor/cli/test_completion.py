"""Completion and the manual page know every command, and no shell trips over a help text."""

import re
import subprocess

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app
from tests.docs.test_cli_docs import COMMANDS

TYPED = {
    "shutwatch ev": {"event"},
    "shutwatch event ": {"list", "show", "review", "--help"},
    "shutwatch event list --js": {"--json"},
    "shutwatch event -c here.toml list --js": {"--json"},
    "shutwatch export csv --period ": {"hour", "day", "month"},
    "shutwatch export csv rev": {"reviews"},
    "shutwatch vantage list list": set(),
}


def _printed(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_bash_completes_commands_options_and_values() -> None:
    """As bash calls it, with no Python started."""
    lines = [_printed("completion", "bash")]
    for typed in TYPED:
        lines += [
            f"IFS=' ' read -ra COMP_WORDS <<< '{typed}'",
            f"[[ '{typed}' != *' ' ]] || COMP_WORDS+=('')",
            "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); PATH= _shutwatch",
            'echo "${COMPREPLY[*]}"',
        ]
    done = subprocess.run(
        ["bash", "--norc", "-u"], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    assert not done.stderr
    found = [set(line.split()) for line in done.stdout.splitlines()]
    assert dict(zip(TYPED, found, strict=True)) == TYPED


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_and_option_is_in_it(shell: str) -> None:
    """And every quotation mark has its other half."""
    script = _printed("completion", shell)
    for name, command in COMMANDS.items():
        assert f"{name}'" in script
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                shown = option if shell != "fish" else option.replace("--", "-l ", 1)
                assert shown in script
    # Outside of a quoted text stands only what was written here.
    bare = re.sub(r"'[^']*'", "", script.replace(r"'\''", ""))
    assert "'" not in bare
    assert "`" not in bare


def test_the_manual_has_every_command() -> None:
    """No text begins a line as roff's commands do."""
    page = _printed("manual")
    for name in COMMANDS:
        assert f"\n.SS shutwatch {name.replace('-', chr(92) + '-')} " in page
    assert "`[server] users`" in page
    macros = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert macros == {".TH", ".SH", ".SS", ".TP", ".PP", ".B"}
