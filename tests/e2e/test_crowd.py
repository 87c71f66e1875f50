"""Nobody blinds the monitor by its page: a real one, on real packets, under a crowd that tries.

As a soak test it writes docs/soak-crowd.md.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.keys.passwords import new_user
from storage.open_store import sql_store
from tests.contract.cycles import cycle
from tests.e2e.crowd import GUESSERS, IDLE, OFFERED, STALLED
from tests.e2e.running import Monitor, running, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.soak import table
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("SHUTWATCH_CROWD_SECONDS", "60"))
"""Of each part, with and without a crowd."""
OPERATORS = 6
LONGEST_SIGN_IN = 2.0
"""Seconds."""
SLOWER = 3.0
"""How much longer than in the quiet minute it may take instead, where the machine is busy with
other programs: a password costs 0.2 s of a processor."""
MOST_MEMORY = 400_000_000
"""Bytes."""
PACE = 0.1
"""Part of its cycles that a vantage may lack."""
EXTRA = """\
[server]
users = "users.txt"
public = true
[retention]
raw = "forever"
"""
_TEXT = """# The page under attack

Written by `make soak` (`pytest -m soak`). A real `shutwatch run` with two vantages in the lab of
network namespaces (tests/lab), a database of 60,000 measurements, and for a minute all at once:
{idle:,} connections that say nothing, {stalled:,} downloads that nobody reads, {offered:,} requests
a second, and {guessers} who guess passwords, each from addresses of its own. Whoever is closed
comes again. Meanwhile {operators} operators sign in, each for the first time, as in the quiet
minute before. Monitor and crowd share a machine of two processors, with other programs: the load
average was {load:.0f}. Of a sign-in, checking the password takes 0.2 s of a processor.

"""


async def _fill(file: Path) -> None:
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    for number in range(3000):
        await store.save(cycle(number, endpoints=10))
    await store.close()


def _users(folder: Path) -> tuple[Path, Path]:
    """Files of operators for both minutes, whose passwords cost as much as they do for real."""
    names = [f"asma-{number}" for number in range(2 * OPERATORS)]
    lines = [new_user(name, f"correct-horse-{name}").line for name in names]
    (folder / "users.txt").write_text("".join(f"{line}\n" for line in lines))
    files = folder / "early.txt", folder / "late.txt"
    for file, some in zip(files, (names[OPERATORS:], names[:OPERATORS]), strict=True):
        file.write_text("".join(f"{name}:correct-horse-{name}\n" for name in some))
    return files


def _cycles(monitor: Monitor) -> int:
    return len(monitor.cycles("ptcl")) + len(monitor.cycles("control-1"))


def _of_process(monitor: Monitor) -> tuple[int, int]:
    """The most memory it had, in bytes, and the descriptors it has open."""
    folder = Path(f"/proc/{monitor.process.pid}")
    (peak,) = [
        int(line.split()[1]) * 1024
        for line in (folder / "status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return peak, len(list((folder / "fd").iterdir()))


def _minute(
    lab: Lab, monitor: Monitor, passwords: Path, *how: str
) -> tuple[dict[str, Any], int, int]:
    """What came of a minute with a crowd, the cycles in it, and the most descriptors."""
    before = _cycles(monitor)
    # A crowd would be on machines of its own, and take nothing of the monitor's processor.
    program = ["nice", "-n", "4", sys.executable, "-m", "tests.e2e.crowd", "10100", str(SECONDS)]
    crowd = lab.popen(
        [*program, str(passwords), *how], env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    )
    most = 0
    while crowd.poll() is None:
        most = max(most, _of_process(monitor)[1])
        time.sleep(0.5)
    out, _ = crowd.communicate()
    return json.loads(out), _cycles(monitor) - before, most


@pytest.mark.soak
def test_a_crowd_does_not_blind_the_monitor() -> None:
    """Cycles keep their pace, memory and the log stay bounded, no vantage is called offline, and
    whoever has the right password signs in within two seconds."""
    with Lab([LabNetwork("ptcl", 17557)], controls=1) as lab:
        asyncio.run(_fill(lab.directory / "shutwatch.db"))
        early, late = _users(lab.directory)
        config = write_config(lab, interval="5s", platforms=["x", "facebook"], extra=EXTRA)
        with running(lab, config) as monitor:
            wait_for(lambda: len(monitor.cycles("ptcl")) > 2, "a quiet start")
            alone, quiet, few = _minute(lab, monitor, early, "quiet")
            quiet_memory, _ = _of_process(monitor)
            lines = len(monitor.log)
            came, crowded, descriptors = _minute(lab, monitor, late)
            logged = len(monitor.log) - lines - crowded
            memory, _ = _of_process(monitor)
            offline = [one for one in monitor.said("event") if "vantage" in one.get("kind", "")]
            written = sum(len(msgspec.json.encode(line)) for line in monitor.log[lines:])
    usual = max(alone["signed_in"])
    rows = [
        ("cycles", f"{quiet}", f"{crowded}"),
        ("most memory", f"{quiet_memory / 1e6:.0f} MB", f"{memory / 1e6:.0f} MB"),
        ("descriptors", f"{few}", f"{descriptors}"),
        ("log lines besides cycles", "0", f"{logged}"),
        ("log", "", f"{written / 1e3:.0f} kB"),
        ("requests sent", "0", f"{came['requests'] / SECONDS:,.0f} a second"),
        ("idle connections opened", "0", f"{came['idle begun']:,}"),
        ("downloads begun", "0", f"{came['downloads begun']:,}"),
        ("guesses", "0", f"{came['guesses']:,}"),
        ("longest sign-in", f"{usual:.2f} s", f"{max(came['signed_in']):.2f} s"),
    ]
    text = _TEXT.format(
        idle=IDLE,
        stalled=STALLED,
        offered=OFFERED,
        guessers=GUESSERS,
        operators=OPERATORS,
        load=os.getloadavg()[0],
    ) + table(("", "a quiet minute", "a minute with a crowd"), rows)
    print(text, came, offline)  # noqa: T201 # shown where it fails
    assert came["refused"] == []
    assert len(came["signed_in"]) == OPERATORS
    assert max(came["signed_in"]) <= max(LONGEST_SIGN_IN, SLOWER * usual)
    assert crowded >= quiet * (1 - PACE)
    assert memory < MOST_MEMORY
    assert offline == []
    assert written < 1_000_000
    assert came["requests"] >= OFFERED * SECONDS * 0.9
    assert came["guesses"] >= GUESSERS
    if "SHUTWATCH_SOAK_DRAFT" not in os.environ:
        (ROOT / "docs" / "soak-crowd.md").write_text(text, encoding="utf-8")
