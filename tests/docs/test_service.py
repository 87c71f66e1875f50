"""packaging/shutwatch.service is a unit that systemd takes, hardened, and reloads by signal."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from monitor.cli import app

UNIT = Path(__file__).parents[2] / "packaging" / "shutwatch.service"
TEXT = UNIT.read_text()
EXPOSURE = 2.0
"""systemd's own measure, 0 to 10; a service without any hardening has 9.6."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there on every machine."""
    made = tmp_path / UNIT.name
    made.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", TEXT, flags=re.MULTILINE))
    return made


def test_it_starts_a_command_there_is() -> None:
    """`run` with a configuration, as the command line's own parser takes it."""
    (started,) = re.findall(r"^ExecStart=\S+/shutwatch (.+)$", TEXT, re.MULTILINE)
    name, *words = started.split()
    group = typer.main.get_command(app)
    group.commands[name].make_context(name, words)  # type: ignore[attr-defined]


def test_reloading_it_sends_the_signal_that_reloads() -> None:
    """SIGHUP to the process itself."""
    assert re.findall(r"^ExecReload=(.+)$", TEXT, re.MULTILINE) == ["/bin/kill -HUP $MAINPID"]


@needs_systemd
def test_systemd_takes_it(unit: Path) -> None:
    """No unknown key, no value it would ignore."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, told) == (0, [])


@needs_systemd
def test_it_may_do_little(unit: Path) -> None:
    """What a service can reach by systemd's own count is small."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    if found is None:
        pytest.skip("this systemd cannot look at a unit that is not installed")
    assert float(found[1]) <= EXPOSURE
