"""What is printed and does not arrive ends a command with 1, and a full disk with a sentence."""

import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from storage.open_store import open_store
from tests.contract.cycles import cycle
from tests.lab.namespaces import with_own_mounts
from tests.unit.monitor.cli.test_no_traceback import OFFLINE, ROOT

FULL = "/dev/full"
"""A device on which there is never room."""
COMMANDS = ["--version", "event --help", "manual", "catalog", "catalog --json", "check"]
EXPORTS = ["csv measurements", "ooni", "parquet measurements", "dictionary"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a cycle is stored."""
    made = tmp_path_factory.mktemp("output")
    (made / "offline.toml").write_text(OFFLINE.format(folder=made, port=10199))

    async def make() -> None:
        store = open_store(f"sqlite:///{made}/watch.db")
        await store.open()
        await store.save(cycle(1))
        await store.close()

    asyncio.run(make())
    return made


def _typed(command: str, folder: Path, shell: str) -> tuple[int, str]:
    """Exit code, and what is on standard error, of the program in that line of a shell."""
    done = subprocess.run(
        ["bash", "-c", f"{shell}", "bash", sys.executable, "-m", "monitor", *command.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SHUTWATCH_CONFIG": "offline.toml"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, *(f"export {one}" for one in EXPORTS)])
def test_a_full_disk_behind_standard_output_is_named(command: str, folder: Path) -> None:
    """As in `shutwatch manual > file`."""
    said = "shutwatch: standard output: No space left on device: make room there, or name another"
    code, errors = _typed(command, folder, f'"$@" > {FULL}')
    assert code == 1, errors
    assert errors.startswith(said)
    assert errors.count("\n") == 1


def test_a_full_disk_behind_a_named_file_is_named(folder: Path) -> None:
    """By the name that was typed."""
    code, errors = _typed(f"export csv measurements -o {FULL}", folder, '"$@"')
    assert code == 1
    assert errors.startswith(f"shutwatch: {FULL}: No space left on device: make room there")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("export package {}/whole", "{}/whole: "),
        ("init {}/full.toml --example", "cannot write {}/full.toml: "),
        ("export xlsx measurements -o {}/m.xlsx", "{}/m.xlsx: "),
        ("db backup {}/copy.db", "database {}/copy.db.part"),
    ],
)
@pytest.mark.lab
def test_a_full_disk_is_named_and_not_the_database(
    command: str, name: str, folder: Path, tmp_path: Path
) -> None:
    """The disk of what is written, by the name that was typed."""
    small = f"mount -t tmpfs -o size=4k tmpfs {tmp_path}"
    inside = f'{shlex.join(with_own_mounts(["bash", "-c"]))} \'{small} && exec "$0" "$@"\' "$@"'
    code, errors = _typed(command.format(tmp_path), folder, inside)
    assert code == 1, errors
    assert errors.startswith(f"shutwatch: {name.format(tmp_path)}")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("command", ["manual", "catalog", "catalog --json", "export csv verdicts"])
def test_a_reader_that_left_hears_nothing(command: str, folder: Path) -> None:
    """As in `shutwatch manual | head -0`."""
    assert _typed(command, folder, '"$@" > >(exec 0<&-); exit $?')[1] == ""
    assert _typed(command, folder, '("$@"; echo $? >&2) | exec true')[1] == "1\n"


@pytest.mark.parametrize("command", ["--version", "catalog --json", "export dictionary"])
def test_nobody_need_listen(command: str, folder: Path) -> None:
    """As programs start that close what they do not use."""
    code, errors = _typed(command, folder, '"$@" >&-')
    assert code == 0
    assert "Traceback" not in errors
