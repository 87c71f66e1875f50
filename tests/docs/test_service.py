"""The units in packaging/ are such as systemd takes, hardened, and reload by signal."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from monitor.cli.main import app

PACKAGING = Path(__file__).parents[2] / "packaging"
CONTROL = "shutwatch-control.service"
UNITS = ("shutwatch.service", "shutwatch-agent.service")
EXPOSURE = 2.0
"""systemd's own measure, 0 to 10; a service without any hardening has 9.6."""


@pytest.fixture(params=UNITS)
def text(request: pytest.FixtureRequest) -> str:
    """A unit as it is shipped."""
    return (PACKAGING / str(request.param)).read_text()


@pytest.fixture(params=(*UNITS, CONTROL))
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit with a program that is there on every machine."""
    made = tmp_path / str(request.param)
    shipped = (PACKAGING / made.name).read_text()
    made.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", shipped, flags=re.MULTILINE))
    return made


def test_it_starts_a_command_there_is(text: str) -> None:
    """`run`, or an agent's, with a configuration, as the command line's own parser takes it."""
    (started,) = re.findall(r"^ExecStart=\S+/shutwatch (.+)$", text, re.MULTILINE)
    *names, option, config = started.split()
    found: Any = typer.main.get_command(app)
    for name in names:
        found = found.commands[name]
    context = found.make_context(names[-1], [option, config])
    assert context.params["config"] == Path(config)


def test_the_controls_unit_starts_a_command_there_is() -> None:
    """`control serve`, in the folder whose owner systemd makes up."""
    text = (PACKAGING / CONTROL).read_text()
    (started,) = re.findall(r"^ExecStart=\S+/shutwatch control serve (.+)$", text, re.MULTILINE)
    group: Any = typer.main.get_command(app)
    command = group.commands["control"].commands["serve"]
    context = command.make_context("serve", started.split())
    assert context.params["folder"] == Path("/var/lib/shutwatch-control")
    assert context.params["country"] == "NL"


def test_a_control_whose_address_comes_late_is_started_again(tmp_path: Path) -> None:
    """At boot an address of the machine, or the name that leads to it, may not be there yet."""
    typed = f"control serve --country NL --listen 192.0.2.1:1080 --folder {tmp_path}"
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *typed.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "this machine has no such address" in done.stderr
    text = (PACKAGING / CONTROL).read_text()
    assert "\nRestart=on-failure\n" in text
    ends = re.findall(r"^RestartPreventExitStatus=(.+)$", text, re.MULTILINE)
    assert str(done.returncode) not in " ".join(ends).split()


def test_reloading_it_sends_the_signal_that_reloads(text: str) -> None:
    """SIGHUP to the process itself."""
    assert re.findall(r"^ExecReload=(.+)$", text, re.MULTILINE) == ["/bin/kill -HUP $MAINPID"]


def test_an_agent_may_not_take_more_memory_than_it_needs() -> None:
    """80 MB and some room for a moment of need."""
    agents = (PACKAGING / "shutwatch-agent.service").read_text()
    assert re.findall(r"^MemoryMax=(.+)$", agents, re.MULTILINE) == ["96M"]


@pytest.mark.systemd
def test_systemd_takes_it(unit: Path) -> None:
    """No unknown key, no value it would ignore."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, told) == (0, [])


@pytest.mark.systemd
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
