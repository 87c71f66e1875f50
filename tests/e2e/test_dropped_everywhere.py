"""All addresses of every platform dropped at a moment, on real packets, with the shipped settings.

`tests/unit/monitor/measuring/test_everything_dropped.py` tells the same with virtual time, many
times over. Here the kernel, the sockets and the database take part.
"""

import random
import time

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog, watched_by_default
from probes.catalog.host import is_literal
from tests.e2e.running import Monitor, running
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork

pytestmark = pytest.mark.lab

INTERVAL = 300.0
SUSPECTED, CONFIRMED = 240.0, 480.0
WATCHED = 780.0
"""Seconds for which each run is watched after the block: two intervals and some."""
SHIPPED = {
    "dns_timeout": "4s",
    "tcp_timeout": "10s",
    "tls_timeout": "10s",
    "http_timeout": "10s",
    "rate": 20,
    "concurrency": 100,
}


class Told(msgspec.Struct, frozen=True):
    """How one run went, in seconds from the block."""

    suspected: float
    confirmed: float
    missed: int
    longest: float


def _dropped(lab: Lab) -> list[str]:
    """Every host of the platforms watched by default that the lab has, and every address."""
    platforms = watched_by_default(shipped_catalog()).platforms
    hosts = {e.host for p in platforms for f in p.functions for e in f.endpoints}
    known = lab.internet.addresses
    return sorted(host for host in hosts if host in known or is_literal(host))


def _first(monitor: Monitor, change: str, began: float, until: float) -> float:
    while not monitor.said("event", change=change, kind="block"):
        if time.monotonic() > until:
            return float("inf")
        time.sleep(0.2)
    return time.monotonic() - began


def _run(count: int, seed: int) -> Told:
    networks = [LabNetwork(f"n{number}", 64500 + number) for number in range(count)]
    with Lab(networks, controls=2) as lab:
        config = lab.config_file(interval=f"{INTERVAL:.0f}s", probe=SHIPPED)
        with running(lab, config) as monitor:
            while any(not monitor.cycles(network.name) for network in networks):
                assert monitor.process.poll() is None
                time.sleep(0.5)
            time.sleep(random.Random(seed).uniform(0, INTERVAL))
            assert not monitor.said("event", kind="block")
            began = time.monotonic()
            for network in lab.networks:
                network.block(address=_dropped(lab), how="drop")
            until = began + WATCHED
            suspected = _first(monitor, "opened", began, until)
            confirmed = _first(monitor, "confirmed", began, until)
            time.sleep(max(0.0, until - time.monotonic()))
            lengths = [
                float(value)
                for network in networks
                for value in monitor.samples(
                    "shutwatch_cycle_duration_seconds", vantage=network.name
                ).values()
            ]
            missed = monitor.said("cycle missed, the one before is still under way")
            return Told(suspected, confirmed, len(missed), max(lengths, default=0.0))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("count", "seed"), [(1, 1), (5, 2), (10, 3), (20, 4)])
def test_no_turn_is_missed_and_events_come_in_time(count: int, seed: int) -> None:
    """One run each. A vantage that is alone meets the block up to an interval later."""
    told = _run(count, seed)
    assert told.missed == 0
    assert told.suspected <= (INTERVAL + 60.0 if count == 1 else SUSPECTED), told
    assert told.confirmed <= CONFIRMED, told
