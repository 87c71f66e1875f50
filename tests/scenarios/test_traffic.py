"""What a cycle takes of a line, on real packets: the estimate holds, modest cycles are modest."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork

pytestmark = pytest.mark.lab

CYCLE = """
import asyncio, json, pathlib, sys
from monitor.app.cycle_job import measure_and_judge
from monitor.app.cycle_runners import cycle_runner
from monitor.budget.budget import Effort
from monitor.config.load import load_config
from monitor.budget.bytes_used import bytes_of
from probes.measurement import QuicObservation

async def cycle():
    settings = load_config(pathlib.Path(sys.argv[1]), {})
    async with cycle_runner(settings, force_quic="quic" in sys.argv) as runner:
        return await measure_and_judge(runner, "line", Effort(sys.argv[2]))

made = asyncio.run(cycle())
print(json.dumps({
    "estimate": sum(bytes_of(look) for look in made.measurements if look.vantage == "line"),
    "quic": [str(o.failure or "") for look in made.measurements if look.vantage == "line"
             for o in look.observations if isinstance(o, QuicObservation)],
    "states": sorted({str(one.state) for one in made.platforms}),
    "seconds": (made.finished_at - made.started_at).total_seconds(),
}))
"""
"""One cycle of the shipped catalogue from one vantage."""


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """One network and one control."""
    with Lab([LabNetwork("line", 17557)], controls=1) as lab:
        yield lab


def counted(lab: Lab, *how: str) -> tuple[int, dict[str, Any]]:
    """Bytes that the vantage's interface counted, both ways, and what the cycle says of itself."""
    config, script = lab.config_file(), lab.directory / "cycle.py"
    script.write_text(CYCLE)
    before = interface_bytes(lab)
    done = lab.run(["python", str(script), str(config), *how], timeout=150, check=True)
    # A machine that others keep busy has the speed measured again, which the program logs.
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return interface_bytes(lab) - before, said


def interface_bytes(lab: Lab) -> int:
    """Of the one network's link, as the kernel counts them."""
    shown = lab.run(["ip", "-s", "-j", "link", "show", lab.network("line").interface], check=True)
    stats = json.loads(shown.stdout)[0]["stats64"]
    return int(stats["rx"]["bytes"]) + int(stats["tx"]["bytes"])


def test_the_estimate_of_a_healthy_cycle_is_a_little_high(running: Lab) -> None:
    """What is counted against the day's bytes is what the line carried, or up to a quarter more."""
    real, said = counted(running, "whole")
    assert said["states"] == ["ok"]
    assert real <= said["estimate"] <= 1.25 * real


def test_a_modest_cycle_takes_a_fraction_and_finds_the_same(running: Lab) -> None:
    """Every platform is found ok for less than a third of the bytes, estimated as well."""
    # What a busy machine answers late is sent again: the least of three is what a cycle takes.
    real, said = min((counted(running, "modest") for _ in range(3)), key=lambda one: one[0])
    assert said["states"] == ["ok"]
    assert real <= 500_000
    assert real <= said["estimate"] <= 1.25 * real


@pytest.fixture(scope="module")
def offering() -> Iterator[Lab]:
    """One network whose sites offer HTTP/3, and one control."""
    with Lab([LabNetwork("line", 17557)], controls=1, quic=True) as lab:
        yield lab


@pytest.mark.parametrize("blocked", [False, True])
def test_the_estimate_holds_over_http_3(offering: Lab, blocked: bool) -> None:
    """Whatever offers HTTP/3 is asked over it, and answers, or is silent on UDP."""
    if blocked:
        offering.network("line").block(udp=[443], how="drop")
    real, said = counted(offering, "whole", "quic")
    offering.reset()
    assert said["states"] == ["ok"]
    assert len(said["quic"]) > 40
    assert all(map(bool, said["quic"])) if blocked else not any(said["quic"])
    assert real <= said["estimate"] <= 1.25 * real


def endings(lab: Lab, effort: str) -> tuple[dict[str, int], list[str]]:
    """How many connections a cycle opened and how many it ended by a reset; the states it found."""
    command = ["python", "-m", "tests.scenarios.endings", lab.network("line").interface]
    watcher = lab.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert watcher.stdout is not None
    assert watcher.stdin is not None
    assert watcher.stdout.readline() == "ready\n"
    _, said = counted(lab, effort)
    watcher.stdin.close()
    ended: dict[str, int] = json.loads(watcher.stdout.readline())
    return ended, said["states"]


@pytest.mark.parametrize("effort", ["whole", "modest"])
def test_no_healthy_connection_ends_in_a_reset(running: Lab, effort: str) -> None:
    """What was answered is closed as browsers close it: resets show whoever keeps records that
    something other than a browser was there, and where something is blocked."""
    ended, states = endings(running, effort)
    assert states == ["ok"]
    assert ended["opened"] > 60
    assert ended["reset"] == 0


def test_a_hello_that_nobody_acknowledges_is_not_sent_on(running: Lab) -> None:
    """Closed in the ordinary way, the kernel would send it again for a minute, name included."""
    with running.network("line").block(sni=["x.com"], how="drop") as rule:
        ended, _ = endings(running, "modest")
        assert rule.hits
    assert 0 < ended["reset"] <= 2 * rule.hits
