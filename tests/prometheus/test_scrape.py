"""A full scrape, checked by the tools of Prometheus."""

import subprocess

import pytest

from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import State
from tests.prometheus import world
from tests.prometheus.world import FIELD
from tests.unit.monitor.metrics.test_families_with_values import text_of


@pytest.mark.prometheus
def test_promtool_finds_nothing_to_complain_about() -> None:
    """`promtool check metrics` accepts a full scrape without a word."""
    publisher = world.x_blocked_on_two_of_three()
    publisher.publish(
        world.cycle(FIELD[0], accusations={"x": (State.DEGRADED, "tls", "reset")}),
        [world.event(state=EventState.SUSPECTED)],
    )
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=text_of(publisher),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
