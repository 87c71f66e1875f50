"""A vantage whose own machine has no time: what seems slow there accuses nobody."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

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
RUNS = 0.02
"""Seconds for which the prober runs at a time."""
WAITS = (0.08, 0.16, 0.24, 0.32, 0.4)
"""Seconds for which it then stands still, in each further cycle, until a transfer was held up long
enough to be in doubt. It is stopped from outside, as a machine without time does, and the machine
of the tests has its time."""


def starved(program: subprocess.Popen[str], wait: float) -> None:
    """Let a program run for a moment at a time, to its end."""
    while program.poll() is None:
        time.sleep(RUNS)
        program.send_signal(signal.SIGSTOP)
        time.sleep(wait)
        program.send_signal(signal.SIGCONT)


def seen_starved(lab: Lab, config: Path, wait: float) -> Seen:
    """A cycle of a prober that stands still again and again."""
    said = lab.directory / f"said-{wait}"
    command = ["shutwatch", "once", "--config", str(config), "--json", "--transfers"]
    with said.open("w") as out:
        program = lab.popen(command, stdout=out)
        starved(program, wait)
    return seen(subprocess.CompletedProcess(command, program.returncode, said.read_text(), ""))


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
        found: list[Seen] = []
        for wait in WAITS:
            found.append(seen_starved(lab, path, wait))
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
