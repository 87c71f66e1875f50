"""A vantage whose own machine has no time: what seems slow there accuses nobody."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.hosts import Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import Line, Seen, seen
from tests.scenarios.test_throttling import ROOMY, THROTTLING

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HOSTS = {
    "x": "x.com",
    "facebook": "www.facebook.com",
    "tiktok": "www.tiktok.com",
}
NETWORKS = ("ptcl", "zong")
LAST = ["nice", "-n", "19"]
"""The prober comes after everything else on this machine."""
BUSIER = (14, 10, 7, 5, 3, 1)
"""How nice the busy loops are, one for each processor, in each further cycle: the prober gets a
quarter of what is left over, then an eighth, and so on, until a transfer was held up long enough to
be in doubt. What else is tested on this machine goes first."""


@contextmanager
def busy(nice: int) -> Iterator[None]:
    """Every processor has more to do than it can."""
    command = ["nice", "-n", str(nice), sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.fixture(scope="module")
def cycles() -> Iterator[list[Seen]]:
    """Cycles with transfers from three networks that slow nothing down."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(NETWORKS)]
    with Lab(networks, controls=1) as lab:
        for host in (*HOSTS.values(), "www.wikipedia.org"):
            lab.internet.page(host, Page(body=web_page(f"{host} start page", 200 * 1024)))
        path = lab.directory / "shutwatch.toml"
        path.write_text(
            lab.config(platforms=list(HOSTS), egress="interface", probe=ROOMY, extra=THROTTLING)
        )
        command = [*LAST, "shutwatch", "once", "--config", str(path), "--json", "--transfers"]
        found: list[Seen] = []
        for nice in BUSIER:
            with busy(nice):
                found.append(seen(lab.run(command, timeout=240)))
            if "throttling.machine" in rules(found):
                break
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
