"""All addresses of every platform dropped at a moment, on real packets, with the shipped settings.

`tests/unit/monitor/measuring/test_everything_dropped.py` tells the same with virtual time, many
times over. Here the kernel, the sockets and the database take part.
"""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog, watched_by_default
from probes.catalog.host import is_literal
from tests.e2e.running import Monitor, running
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.soak import side_by_side, write_rows

pytestmark = pytest.mark.lab

INTERVAL = 300.0
SUSPECTED, CONFIRMED = 240.0, 480.0
WATCHED = 330.0
"""Seconds for which a run is watched after the block at least: every vantage has its turn."""
SHIPPED = {
    "dns_timeout": "4s",
    "tcp_timeout": "10s",
    "tls_timeout": "10s",
    "http_timeout": "10s",
    "rate": 20,
    "concurrency": 100,
    "daily_bytes": "300MB",
}
RUNS = 10
"""Of each number of vantages, with the block at another moment of the interval each time."""
DOCUMENT = Path(__file__).parents[2] / "docs/soak-dropped-lab.md"


class Told(msgspec.Struct, frozen=True):
    """How one run went, in seconds from the block."""

    into: float
    """Seconds of the interval that had passed when the block began."""
    suspected: float
    confirmed: float
    missed: int
    longest: float
    """Of all cycles, in seconds."""

    @property
    def in_time(self) -> bool:
        """Whether all was as soon as it should be."""
        return self.suspected <= SUSPECTED and self.confirmed <= CONFIRMED


def _dropped(lab: Lab) -> list[str]:
    """Every host of the platforms watched by default that the lab has, and every address."""
    platforms = watched_by_default(shipped_catalog()).platforms
    hosts = {e.host for p in platforms for f in p.functions for e in f.endpoints}
    known = lab.internet.addresses
    return sorted(host for host in hosts if host in known or is_literal(host))


def _lab(count: int) -> Lab:
    """Networks with up to twenty vantages; five countries share more than ten."""
    countries = ("PK", "BR", "IN", "TR", "EG")[: 5 if count >= 10 else 1]
    return Lab(
        [
            LabNetwork(f"n{n}", 64500 + n, country=countries[n % len(countries)])
            for n in range(count)
        ],
        controls=2,
    )


def _first(monitor: Monitor, change: str, began: float, until: float) -> float:
    while not monitor.said("event", change=change, kind="block"):
        if time.monotonic() > until:
            return float("inf")
        time.sleep(0.2)
    return time.monotonic() - began


def _run(lab: Lab, seed: int) -> Told:
    """Healthy for two turns of each vantage, then blocked at a moment of its own."""
    config = lab.config_file(interval=f"{INTERVAL:.0f}s", probe=SHIPPED)
    (lab.directory / "shutwatch.db").unlink(missing_ok=True)
    names = [network.name for network in lab.networks]
    with running(lab, config) as monitor:
        while any(len(monitor.cycles(name)) < 2 for name in names):
            assert monitor.process.poll() is None
            time.sleep(0.5)
        into = INTERVAL * (seed - 0.5) / RUNS
        time.sleep(into)
        assert not monitor.said("event", kind="block")
        began = time.monotonic()
        for network in lab.networks:
            network.block(address=_dropped(lab), how="drop")
        until = began + 3 * INTERVAL
        suspected = _first(monitor, "opened", began, until)
        confirmed = _first(monitor, "confirmed", began, until)
        time.sleep(max(0.0, began + WATCHED - time.monotonic()))
        lengths = [line["seconds"] for name in names for line in monitor.cycles(name)]
        missed = monitor.said("cycle missed, the one before is still under way")
        return Told(into, suspected, confirmed, len(missed), max(lengths))


def _rows(found: dict[int, Told], count: int) -> list[Sequence[object]]:
    return [
        (
            count,
            *(f"{seconds:.0f}" for seconds in (told.into, told.suspected, told.confirmed)),
            f"{told.longest:.0f}",
            told.missed,
        )
        for told in found.values()
    ]


_HEAD = (*("vantages", "block at", "suspected", "confirmed", "longest cycle", "turns missed"),)
_INTRODUCTION = """# Everything dropped, with real packets

<!-- Written by `make soak ARGS=tests/e2e/test_dropped_everywhere.py`. -->

`shutwatch run` at an interval of five minutes with the settings as shipped, in a lab of so many
networks, in five countries from ten on, and two controls. All addresses of every platform are
dropped on all networks at once, so many seconds after the second turns. Seconds from the block to
the first event *suspected* (at most {suspected:.0f}) and *confirmed* (at most {confirmed:.0f}).
[The same in virtual time](soak-dropped.md).

"""


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("count", "labs"), [(1, 5), (5, 5), (10, 3), (20, 2)])
def test_no_turn_is_missed_and_events_come_in_time(count: int, labs: int) -> None:
    """Nine runs of ten are in time; writes docs/soak-dropped-lab.md."""
    found = side_by_side(partial(_lab, count), range(1, RUNS + 1), _run, labs=labs)
    introduction = _INTRODUCTION.format(suspected=SUSPECTED, confirmed=CONFIRMED)
    write_rows(DOCUMENT, introduction, _HEAD, _rows(found, count))
    assert all(told.missed == 0 for told in found.values()), found
    assert sum(told.in_time for told in found.values()) >= 0.9 * RUNS, found
