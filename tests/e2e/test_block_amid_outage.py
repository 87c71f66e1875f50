"""A block that begins while the platform is down for everybody, under a running monitor."""

import time
from datetime import datetime

import pytest

from tests.e2e.running import exported, running, wait_for
from tests.e2e.watching import BRISK, X_HOSTS, X_NAMES
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


def test_a_block_that_begins_in_an_outage_is_told_after_it() -> None:
    """By the shipped settings: during the outage nobody is accused; once X works elsewhere, the
    network that cuts off its names is, within minutes, with an onset that may lie in the outage."""
    networks = [LabNetwork("ptcl", 17557), LabNetwork("jazz", 45669)]
    with Lab(networks, controls=1, direct=1) as lab:
        config = write_config(lab, interval="4s", platforms=["x"], probe=BRISK)
        with running(lab, config) as monitor:

            def both(state: str) -> bool:
                return all(monitor.platform_states(one.name) == {"x": state} for one in networks)

            wait_for(lambda: both("ok"), "ok on both networks")
            lab.internet.down(*X_HOSTS)
            wait_for(lambda: monitor.said("event", kind="outage", change="confirmed"), "an outage")
            lab.network("ptcl").block(sni=X_NAMES, how="reset")
            cycles = len(monitor.cycles("ptcl"))
            wait_for(lambda: len(monitor.cycles("ptcl")) > cycles + 2, "cycles amid the outage")
            assert both("down")
            assert not monitor.said("event", kind="block")
            lab.internet.reset()
            works = time.time()
            wait_for(lambda: monitor.said("event", kind="block", change="confirmed"), "block", 120)
        (row,) = [row for row in exported(config, "events") if row["kind"] == "block"]
        assert (row["state"], row["country"]) == ("confirmed", "PK")
        assert row["networks_affected"] == "AS17557"
        assert row["methods"] == "tls.reset"
        known = [datetime.fromisoformat(row[name]).timestamp() for name in _BOUNDS]
        assert known[0] < known[1]
        assert works < known[1] < known[2]


_BOUNDS = ("onset_earliest", "onset_latest", "confirmed_at")
