"""A running monitor reads its configuration again: nothing is lost, nothing is done twice."""

import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from storage.open_store import open_store
from storage.values.cycle import StoredCycle
from storage.values.selection import Selection
from tests.e2e.running import PROMPT, Monitor, running, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

EXTRA = """\
[events]
false_suspected = 10
false_confirmed = 1
false_ends = 1000
[server]
reload = true
"""
"""A budget of errors that lets strong evidence be believed within a few cycles."""
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]
POST = """\
import sys, urllib.error, urllib.request
request = urllib.request.Request("http://127.0.0.1:10100/-/reload", method="POST")
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""


def _without(config: str, vantage: str) -> str:
    sections = config.split("\n\n")
    left = [one for one in sections if f'[[vantage]]\nid = "{vantage}"' not in one]
    assert len(left) == len(sections) - 1
    return "\n\n".join(left)


def _reload(
    monitor: Monitor, config: Path, text: str, event: str = "configuration reloaded"
) -> None:
    """Write the file, send SIGHUP, and wait for the log to tell how it went."""
    before = len(monitor.said(event))
    config.write_text(text)
    monitor.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(monitor.said(event)) > before, event)


def _one(monitor: Monitor, name: str, **labels: str) -> float:
    (value,) = monitor.samples(name, **labels).values()
    return value


def _posted(lab: Lab) -> str:
    asking = lab.popen([sys.executable, "-c", POST], stdout=subprocess.PIPE)
    out, _ = asking.communicate(timeout=60)
    return out.strip()


async def _cycles(lab: Lab) -> list[StoredCycle]:
    store = open_store(f"sqlite:///{lab.directory / 'shutwatch.db'}")
    await store.open()
    try:
        return [one async for page in store.cycles(Selection()) for one in page]
    finally:
        await store.close()


async def test_a_file_read_again_while_a_block_is_on() -> None:
    """A network comes and goes, the interval changes, mistakes are made: one event, no cycle twice.

    Bad files and what cannot change keep everything as it was and show in the metric; the event
    that was open goes on, counters do too, and no two cycles of one vantage ever overlap.
    """
    with Lab([LabNetwork("ptcl", 17557), LabNetwork("zong", 59257)], controls=1) as lab:
        config = write_config(lab, interval="2s", platforms=["x"], extra=EXTRA)
        both = config.read_text()
        alone = _without(both, "zong")
        config.write_text(alone)
        with running(lab, config) as monitor:
            wait_for(lambda: len(monitor.cycles("ptcl")) > 1, "a quiet start")
            lab.network("ptcl").block(sni=X_NAMES, how="reset")
            (opened,) = wait_for(lambda: monitor.said("event", change="opened"), "suspicion")
            looks = _one(monitor, "shutwatch_probes_total", vantage="ptcl", platform="x")
            since = _one(monitor, "shutwatch_config_last_reload_success_timestamp_seconds")

            # A network more, another interval: it looks at once, and the event goes on.
            _reload(monitor, config, both.replace('interval = "2s"', 'interval = "1s"'))
            wait_for(lambda: len(monitor.cycles("zong")) > 1, "the new network")
            wait_for(lambda: monitor.said("event", change="confirmed"), "confirmation")
            assert {line["event_id"] for line in monitor.said("event")} == {opened["event_id"]}
            assert _one(monitor, "shutwatch_cycle_interval_seconds") == 1
            assert _one(monitor, "shutwatch_probes_total", vantage="ptcl", platform="x") > looks
            reloaded = _one(monitor, "shutwatch_config_last_reload_success_timestamp_seconds")
            assert reloaded > since

            # Mistakes: every one is in the log, and nothing changes.
            bad = both.replace('interval = "2s"', 'interval = "3 fortnights"') + "\nvantages = 3\n"
            said = "configuration not reloaded, the old one stays in use"
            _reload(monitor, config, bad, said)
            told = "\n".join(monitor.said(said)[-1]["problems"])
            assert "interval" in told
            assert "vantages" in told
            assert _one(monitor, "shutwatch_config_last_reload_successful") == 0
            assert (
                _one(monitor, "shutwatch_config_last_reload_success_timestamp_seconds") == reloaded
            )
            assert _one(monitor, "shutwatch_cycle_interval_seconds") == 1

            # What cannot change is refused by name, with all the rest of that file.
            moved = both.replace("127.0.0.1:10100", "127.0.0.1:10101").replace(
                "shutwatch.db", "other.db"
            )
            _reload(monitor, config, moved, said)
            assert [p.partition(":")[0] for p in monitor.said(said)[-1]["problems"]] == [
                "listen",
                "database",
            ]
            assert _posted(lab).startswith("422 not reloaded")
            wait_for(lambda: len(monitor.said(said)) == 3, "the third complaint")
            done = len(monitor.cycles("zong"))
            wait_for(lambda: len(monitor.cycles("zong")) > done, "cycles to go on")

            # A network less: it does not look again, and has not fallen silent either.
            config.write_text(alone)
            assert _posted(lab) == "200 reloaded"
            assert _one(monitor, "shutwatch_config_last_reload_successful") == 1
            gone, done = len(monitor.cycles("zong")), len(monitor.cycles("ptcl"))
            wait_for(lambda: len(monitor.cycles("ptcl")) > done + 2, "cycles to go on")
            assert len(monitor.cycles("zong")) == gone
            assert monitor.samples("shutwatch_vantage_info", vantage="zong") == {}
            assert not monitor.said("event", kind="vantage_silent")
            assert not monitor.said("cycle failed")
            assert monitor.stop() < PROMPT
        cycles = await _cycles(lab)
    assert len({one.id for one in cycles}) == len(cycles)
    for vantage in ("ptcl", "zong", "control-1"):
        own = sorted(
            ((c.started_at, c.finished_at) for c in cycles if c.vantage == vantage), key=lambda t: t
        )
        assert len(own) > 1
        assert all(first[1] <= second[0] for first, second in pairwise(own)), vantage
