"""How soon a block is suspected, confirmed, and seen to be over, at an interval of a minute.

The settings are those shipped: nothing is made hastier. The block begins at a random moment.
"""

import time
from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.e2e.running import Monitor, running
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.soak import side_by_side, table
from tests.scenarios.story import write_config

SUSPECTED, CONFIRMED, RECOVERING = 120.0, 240.0, 240.0
"""Seconds from the first packet dropped, and from the last one, that each may take."""
LONGEST = 420.0
INTERVAL = 60.0
X_NAMES = ["x.com", ".x.com", "twitter.com", ".twitter.com"]
HOWS = ("reset", "drop", "alert", "fin")
DOCS = Path(__file__).parents[2] / "docs"


class Times(msgspec.Struct, frozen=True):
    """How one run went, in seconds."""

    how: str
    suspected: float
    confirmed: float
    recovering: float

    @property
    def in_time(self) -> bool:
        """Whether all was as soon as it should be."""
        return (
            self.suspected <= SUSPECTED
            and self.confirmed <= CONFIRMED
            and self.recovering <= RECOVERING
        )


def _lab() -> Lab:
    return Lab([LabNetwork("ptcl", 17557), LabNetwork("zong", 59257)], controls=2)


def _until(monitor: Monitor, change: str, began: float) -> float:
    """Seconds from `began` to the first line of an event's log with this change."""
    while not monitor.said("event", change=change, kind="block"):
        if time.monotonic() - began > LONGEST:
            return LONGEST
        time.sleep(0.2)
    return time.monotonic() - began


def _run(lab: Lab, seed: int) -> Times:
    """One run: quiet, blocked at a random moment, confirmed, lifted."""
    random = Random(seed)
    how = HOWS[seed % len(HOWS)]
    config = write_config(lab, interval=f"{INTERVAL:.0f}s", platforms=["x"])
    (lab.directory / "shutwatch.db").unlink(missing_ok=True)
    with running(lab, config) as monitor:
        while len(monitor.cycles("ptcl")) < 1 or len(monitor.cycles("zong")) < 1:
            assert monitor.process.poll() is None
            time.sleep(0.2)
        time.sleep(random.uniform(0, INTERVAL))
        assert not monitor.said("event", kind="block")
        began = time.monotonic()
        rule = lab.network("ptcl").block(sni=X_NAMES, how=how)
        suspected = _until(monitor, "opened", began)
        confirmed = _until(monitor, "confirmed", began)
        lifted = time.monotonic()
        rule.lift()
        return Times(how, suspected, confirmed, _until(monitor, "recovering", lifted))


@pytest.mark.timeout(900)
def test_minutes_from_block_to_confirmed_and_back() -> None:
    """Two seeded runs, side by side: suspected in 2 minutes, confirmed and seen to end in 4."""
    found = side_by_side(_lab, [1, 2], _run, labs=2)
    assert all(times.in_time for times in found.values()), found


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_of_twenty() -> None:
    """The same twenty times, four at a time, with the times of each in the documentation."""
    found = side_by_side(_lab, range(1, 21), _run)
    rows = [
        (seed, f"`{t.how}`", f"{t.suspected:.0f}", f"{t.confirmed:.0f}", f"{t.recovering:.0f}")
        for seed, t in found.items()
    ]
    good = sum(times.in_time for times in found.values())
    text = (
        "# How soon, with real packets\n\n"
        "<!-- Written by `make soak ARGS=tests/e2e/test_fast_lane.py`. -->\n\n"
        "`shutwatch run` at an interval of a minute with the settings as shipped, in a lab of two\n"
        "networks and two controls. X is blocked by its name on one of them, at a random moment.\n"
        "Seconds from the block to *suspected* (at most 120) and *confirmed* (at most 240), and\n"
        "from the end of the block to *recovering* (at most 240).\n\n"
        + table(("seed", "how", "suspected", "confirmed", "recovering"), rows)
        + f"\n**{good} of {len(found)} in time.**\n"
    )
    (DOCS / "soak-fast-lane.md").write_text(text, encoding="utf-8")
    assert good == len(found), found
