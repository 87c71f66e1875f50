"""kill -9 in mid-cycle, again and again: what was reported complete is there, and whole."""

import random
import signal
import sqlite3
import time
from functools import partial

import pytest

from tests.e2e.running import GONE, running, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.soak)])
def test_killed_in_mid_cycle_again_and_again(kills: int) -> None:
    """After each kill the database opens, is intact, and holds every cycle reported complete."""
    rng = random.Random(20)
    reported: set[str] = set()
    with Lab([LabNetwork("ptcl", 17557)], controls=1) as lab:
        config = write_config(
            lab, interval="1s", platforms=["x", "telegram"], probe={"dns_window": "0.1s"}
        )
        for kill in range(kills):
            with running(lab, config) as monitor:
                wait_for(partial(monitor.cycles, "ptcl"), "a cycle")
                time.sleep(rng.uniform(0.0, 1.2))
                monitor.process.send_signal(signal.SIGKILL)
                monitor.process.wait(GONE)
            reported |= {line["cycle"] for line in monitor.said("cycle complete")}
            database = sqlite3.connect(lab.directory / "shutwatch.db")
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",), kill
            stored = {row[0] for row in database.execute("SELECT id FROM cycle")}
            orphans = database.execute(
                "SELECT count(*) FROM verdict WHERE cycle NOT IN (SELECT id FROM cycle)"
            ).fetchone()
            database.close()
            assert reported <= stored, kill
            assert orphans == (0,)
    assert len(reported) >= kills
