"""A monitor that is ended and started again in mid-block goes on with the same event."""

import signal

import pytest

from tests.e2e.running import GONE, PROMPT, Monitor, running, stored_log, wait_for
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

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
