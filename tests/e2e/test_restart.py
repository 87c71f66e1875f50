"""A monitor that is ended and started again in mid-block goes on with the same event."""

import signal

import pytest

from tests.e2e.running import GONE, PROMPT, Monitor, running, stored_log, wait_for
from tests.lab.hosts import PRIVATE_CACHE
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import UNHURRIED, write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

HASTY = "[events]\nfalse_suspected = 10\nfalse_confirmed = 1\nfalse_ends = 1000"
"""A budget of errors that lets strong evidence be believed within a few cycles."""
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]


def _active(monitor: Monitor) -> bool:
    shown = monitor.samples("shutwatch_blocking_event_active", platform="x", country="PK")
    return list(shown.values()) == [1]


def _log(lab: Lab, event: str) -> list[str]:
    """Changes as stored; they are numbered without a gap, and all are about one event."""
    entries = stored_log(lab, event)
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert {entry.snapshot.id for entry in entries} == {event}
    return [entry.change for entry in entries]


def test_one_event_across_restarts() -> None:
    """Killed once suspected, told to stop once confirmed, killed again while recovering.

    Each time the next process goes on where the one before was: what was suspected is confirmed,
    what is confirmed is shown before the first look, and the log has one beginning and one end.
    """
    with Lab([LabNetwork("ptcl", 17557, "PK")], controls=1) as lab:
        config = write_config(lab, interval="3s", platforms=["x"], extra=HASTY)
        with running(lab, config) as monitor:
            wait_for(lambda: len(monitor.cycles("ptcl")) > 1, "a quiet start")
            rule = lab.network("ptcl").block(sni=X_NAMES, how="reset")
            (opened,) = wait_for(lambda: monitor.said("event"), "suspicion")
            monitor.process.send_signal(signal.SIGKILL)
            monitor.process.wait(GONE)
        event = opened["event_id"]
        assert _log(lab, event) == ["opened"]

        with running(lab, config) as monitor:
            wait_for(lambda: monitor.said("event", change="confirmed"), "confirmation")
            assert monitor.stop() < PROMPT
        assert {line["event_id"] for line in monitor.said("event")} == {event}
        assert _log(lab, event) == ["opened", "confirmed"]

        with running(lab, config) as monitor:
            wait_for(lambda: monitor.said("listening"), "the page")
            assert _active(monitor)
            assert not monitor.cycles("ptcl")
            wait_for(lambda: len(monitor.cycles("ptcl")) > 1, "two cycles")
            assert not monitor.said("event")
            rule.lift()
            wait_for(lambda: monitor.said("event", change="recovering"), "recovery")
            monitor.process.send_signal(signal.SIGKILL)
            monitor.process.wait(GONE)

        with running(lab, config) as monitor:
            wait_for(lambda: monitor.said("event", change="ended"), "the end")
            wait_for(lambda: not _active(monitor), "the event to be inactive")
        begun, last = _log(lab, event), stored_log(lab, event)[-1].snapshot
    assert [begun.count(change) for change in ("opened", "confirmed", "ended")] == [1, 1, 1]
    assert begun[-1] == "ended"
    assert last.end_earliest is not None
    assert last.end_latest is not None
    assert last.onset_latest < last.end_earliest < last.end_latest


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_a_cache_that_died_while_nobody_measured_was_no_lie(kill: signal.Signals) -> None:
    """A provider's own cache at a private address is a forged answer beyond doubt, but for its
    past. The next process knows that as well, however the one before ended."""
    with Lab([LabNetwork("ptcl", 17557, "PK")], controls=1, direct=1) as lab:
        config = write_config(
            lab,
            interval="10s",
            platforms=["x"],
            probe=UNHURRIED,
            egress="interface",
            extra=HASTY,
        )
        lab.network("ptcl").block(
            dns=[".x.com", ".twitter.com", ".twimg.com", "t.co"],
            how="address",
            answer=list(PRIVATE_CACHE),
        )
        with running(lab, config) as monitor:
            wait_for(lambda: len(monitor.cycles("ptcl")) > 1, "a cycle that is kept")
            assert monitor.platform_states("ptcl")["x"] == "ok"
            monitor.process.send_signal(kill)
            monitor.process.wait(GONE)
        lab.internet.transparent_proxy_down()
        with running(lab, config) as monitor:
            wait_for(lambda: len(monitor.cycles("ptcl")) > 2, "cycles after it")
            assert monitor.platform_states("ptcl")["x"] == "insufficient"
            assert not monitor.said("event")
