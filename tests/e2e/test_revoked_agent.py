"""An agent whose key was revoked, over real packets: silent at once and for good."""

import sys
import time

import pytest

from tests.e2e.agents import ROOT, agent, collecting, prepare, status
from tests.e2e.running import wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

SILENCE = 15.0
"""Seconds; more than two intervals."""


def test_attack_a_revoked_agent_shows_its_host_no_longer() -> None:
    """It made hundreds of requests, each with the collector's name, and went on testing blocked
    sites, after its operator gave it up. Now it ends with the answer that tells it; nothing leaves
    the machine from then on, nor at the next start."""
    with Lab([LabNetwork("ptcl", 17557)], controls=0) as lab:
        config, collector = prepare(lab, interval="6s", platforms=["x"])
        log = lab.directory / "packets.log"
        with collecting(lab, collector):
            with agent(lab, config) as running:
                wait_for(lambda: collector.counts()["batches"] >= 1, "a batch", 90)
                (collector.folder / "revoked").touch()
                wait_for(lambda: running.process.poll() is not None, "its end", 60)
                assert running.process.returncode == 2
                assert running.said("the operator revoked this agent's key, it ends for good")
            packets = [sys.executable, "-m", "tests.e2e.packet_log", str(log)]
            lab.popen(packets, env={"PYTHONPATH": str(ROOT)})
            wait_for(log.exists, "the log of packets")
            # By now the collector has counted the last answer, too.
            asked = collector.counts()["paths"]
            time.sleep(SILENCE)
            with agent(lab, config) as again:
                wait_for(lambda: again.process.poll() is not None, "its refusal to start", 30)
                assert again.process.returncode == 2
            assert collector.counts()["paths"] == asked
            assert log.read_text() == ""
            told = status(lab, config)
            assert (told["revoked"], told["running"]) == (True, False)
