"""`shutwatch agent run` on real packets: looks, hands in, is silent when told, and stays small."""

import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.agents import agent, collecting, prepare, resident, status
from tests.e2e.running import Monitor, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

MOST = 85_000_000
"""Bytes that an agent may hold."""
HEAVY = {
    *("alembic", "apprise", "fpdf", "httpx._main", "jinja2", "matplotlib", "monitor.cli.run"),
    *(
        "monitor.metrics.all_families",
        "monitor.metrics.publisher",
        "monitor.metrics.scrapes",
        "monitor.recording.recorder",
        "monitor.server",
        "numpy",
    ),
    *("duckdb", "prometheus_client", "psycopg", "pygments", "rich", "sqlalchemy", "starlette"),
    *("babel", "uvicorn"),
}
AGENT_MODULES = """
import sys
sys.argv = ["shutwatch", "agent", "status", "--help"]
from monitor.cli.main import main
try:
    main()
except SystemExit:
    pass
import monitor.agent.run_agent
print("\\n".join(name for name, module in sys.modules.items() if module is not None))
"""


def test_an_agent_loads_nothing_that_it_does_not_need() -> None:
    """Neither the server nor numpy nor a database library nor anything that paints."""
    done = subprocess.run(
        [sys.executable, "-c", AGENT_MODULES], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "monitor.agent.batch_delivery" in loaded
    assert not HEAVY & loaded


def test_an_agent_looks_hands_in_pauses_and_stays_small() -> None:
    """Cycle after cycle, with X blocked from the third on: every look arrives once, memory stays
    under its bound, and after `pause` the line is silent until `resume`."""
    with Lab([LabNetwork("ptcl", 17557)], controls=0) as lab:
        probe = {"rate": 60, "concurrency": 100, "retry_pause": "0.1s"}
        config, collector = prepare(lab, interval="3s", probe=probe)
        with collecting(lab, collector), agent(lab, config) as running:
            wait_for(lambda: len(running.cycles("ptcl")) >= 2, "two cycles", 90)
            lab.network("ptcl").block(sni=["x.com", ".x.com", ".twimg.com"], how="reset")
            wait_for(lambda: len(running.cycles("ptcl")) >= 5, "three more", 200)
            assert resident(running.process.pid) < MOST
            wait_for(lambda: status(lab, config)["spooled"] == 0, "an empty spool", 60)
            told = status(lab, config)
            assert (told["running"], told["dropped"], told["refused"]) == (True, 0, [])
            assert abs(told["clock_offset"]) < 5
            counts = collector.counts()
            assert set(counts["measurements"].values()) == {1}
            assert counts["reports"] >= 5
            assert counts["paths"]["/agent/v1/controls"] > 0
            pause(lab, config, "pause")
            wait_for(lambda: running.said("paused by the host"), "silence", 10)
            time.sleep(2)  # for what was on the line just then
            seen, sent = len(running.cycles("ptcl")), collector.counts()["paths"]
            time.sleep(8)  # in which two cycles are due
            assert len(running.cycles("ptcl")) == seen
            assert collector.counts()["paths"] == sent
            pause(lab, config, "resume")
            wait_for(lambda: len(running.cycles("ptcl")) > seen, "another cycle", 60)
            read_again(running, config)
            address = re.escape(lab.network("ptcl").source)
            log = "\n".join(map(str, running.log))
            assert not re.search(address, log)
        for file in Path(lab.directory).glob("spool.db*"):
            assert lab.network("ptcl").source.encode() not in file.read_bytes()


def read_again(running: Monitor, config: Path) -> None:
    """SIGHUP: a changed file is gone by, one with a mistake is refused by name, and both times the
    agent looks on."""
    written = config.read_text()
    refused = "configuration not reloaded, the old one stays in use"
    for text, said in (
        (written.replace('interval = "3s"', 'interval = "2s"'), "configuration reloaded"),
        (written.replace('interval = "3s"', 'interval = "now and then"'), refused),
    ):
        assert text != written
        config.write_text(text)
        seen = len(running.cycles("ptcl"))
        running.process.send_signal(signal.SIGHUP)
        (told,) = wait_for(partial(running.said, said), said, 20)
        assert said != refused or "interval" in "".join(told["problems"])
        wait_for(lambda: len(running.cycles("ptcl")) > seen + 1, "cycles to go on", 60)  # noqa: B023
    config.write_text(written)


def pause(lab: Lab, config: Path, word: str) -> None:
    """`shutwatch agent pause` or `resume`."""
    lab.run(["shutwatch", "agent", word, "--config", str(config)], check=True)
