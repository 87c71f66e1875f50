"""A vantage whose own machine has no time: what seems slow there accuses nobody."""

import random
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.lab.hosts import Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import Line, Seen, seen
from tests.scenarios.test_throttling import ROOMY, THROTTLING

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

HOSTS = {
    "x": "x.com",
    "facebook": "www.facebook.com",
    "tiktok": "www.tiktok.com",
}
NETWORKS = ("ptcl", "zong")
CYCLES = 6
"""At most, until a transfer was held up long enough to be in doubt."""
GIVEN = 0.03
"""Seconds, on average, that the prober has a processor for."""
TAKEN = 0.15
"""Seconds, on average, until it gets one again. Both vary, as turns on a busy machine do."""
PATIENCE = 240.0
"""Seconds for a cycle."""


def starved(lab: Lab, command: Sequence[str]) -> Seen:
    """What the prober sees that seldom gets a processor, and never knows when: it is stopped again
    and again, which takes no time from what else is tested on this machine."""
    chance = random.Random(7)
    said, errors = lab.directory / "said", lab.directory / "errors"
    with said.open("w") as out, errors.open("w") as also:
        child = lab.popen(command, stdout=out, stderr=also)
    ends = time.monotonic() + PATIENCE
    while child.poll() is None:
        assert time.monotonic() < ends
        time.sleep(chance.expovariate(1 / GIVEN))
        child.send_signal(signal.SIGSTOP)
        time.sleep(chance.expovariate(1 / TAKEN))
        child.send_signal(signal.SIGCONT)
    done = (child.args, child.returncode, said.read_text(), errors.read_text())
    return seen(subprocess.CompletedProcess(*done))


@pytest.fixture(scope="module")
def cycles() -> Iterator[list[Seen]]:
    """Cycles with transfers from two networks that slow nothing down."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(NETWORKS)]
    with Lab(networks, controls=1) as lab:
        for host in (*HOSTS.values(), "www.wikipedia.org"):
            lab.internet.page(host, Page(body=web_page(f"{host} start page", 200 * 1024)))
        path = lab.directory / "shutwatch.toml"
        path.write_text(
            lab.config(platforms=list(HOSTS), egress="interface", probe=ROOMY, extra=THROTTLING)
        )
        command = ["shutwatch", "once", "--config", str(path), "--json", "--transfers"]
        found: list[Seen] = []
        while len(found) < CYCLES and "throttling.machine" not in rules(found):
            found.append(starved(lab, command))
        yield found


def transfers(cycles: list[Seen]) -> list[Line]:
    """What was measured."""
    return [line for one in cycles for line in one.lines if line["kind"] == "transfer"]


def rules(cycles: list[Seen]) -> set[str]:
    """The rules that judged it."""
    return {line["rule_id"] for line in transfers(cycles)}


def test_a_busy_machine_accuses_nobody_of_throttling(cycles: list[Seen]) -> None:
    """Rates that wander by factors of ten, over lines that slow nothing down, accuse nobody."""
    assert len(transfers(cycles)) >= len(NETWORKS) * len(HOSTS)
    assert not [line for line in transfers(cycles) if line["state"] == "throttled"]
    assert not [one for look in cycles for one in look.accusations() if "throttled" in one["state"]]


def test_it_says_that_the_machine_is_why(cycles: list[Seen]) -> None:
    """What agreed in being slow, and would have been an accusation, is put down to the machine."""
    assert "throttling.machine" in rules(cycles)
    (first, *_) = (one for one in transfers(cycles) if one["rule_id"] == "throttling.machine")
    assert (first["state"], first["class"]) == ("insufficient", "insufficient")
