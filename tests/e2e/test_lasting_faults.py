"""Ordinary faults that last, under a running monitor with a hasty budget: no event of any kind."""

import csv
import io
from collections.abc import Callable

import pytest

from tests.e2e.running import running, wait_for
from tests.e2e.watching import BRISK, HASTY, X_HOSTS, X_NAMES
from tests.lab.hosts import TRANSPARENT_PROXY
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.soak, pytest.mark.lab, pytest.mark.timeout(900)]

DEAD_CACHE = "dead-cache"
FAULTS: dict[str, Callable[[Network], object]] = {
    "office-proxy": lambda network: network.forge(
        [*X_NAMES, ".twimg.com", "t.co", "www.wikipedia.org"], "by Office Gateway"
    ),
    "path-mtu": lambda network: network.path_mtu(1400, X_HOSTS),
    "lossy-path": lambda network: network.impair(loss=0.5, address=X_HOSTS, seed=3),
    "ipv6-dead": lambda network: network.block(address=X_HOSTS, family=6, how="drop"),
}
CYCLES = 6
"""Two suffice for an event where the evidence is conclusive, and five where it is strong."""


def test_faults_that_last_make_no_event() -> None:
    """All is calm, then each network gets its fault, and cycle after cycle nobody is accused."""
    names = [DEAD_CACHE, *FAULTS]
    networks = [LabNetwork(name, 64500 + i) for i, name in enumerate(names)]
    with Lab(networks, controls=2, large_certificates=True) as lab:
        hosts = [".x.com", ".twitter.com", ".twimg.com", "t.co"]
        lab.network(DEAD_CACHE).block(dns=hosts, how="address", answer=TRANSPARENT_PROXY)
        config = write_config(lab, interval="5s", platforms=["x"], extra=HASTY, probe=BRISK)
        with running(lab, config) as monitor:
            wait_for(
                lambda: all(monitor.platform_states(name) == {"x": "ok"} for name in names),
                "calm",
                90,
            )
            for name, apply in FAULTS.items():
                apply(lab.network(name))
            # A cache that worked until now refuses everybody: what verified before is no lie.
            lab.internet.transparent_proxy_down()
            before = {name: len(monitor.cycles(name)) for name in names}
            wait_for(
                lambda: all(len(monitor.cycles(n)) >= before[n] + CYCLES for n in names),
                "cycles",
                400,
            )
            told = monitor.said("event")
        argv = ["shutwatch", "export", "csv", "verdicts", "--config", str(config), "-o", "-"]
        rows = list(csv.DictReader(io.StringIO(lab.run(argv, check=True).stdout)))
    accused = {
        (row["vantage"], row["endpoint"], row["rule_id"], row["evidence"], row["sub_method"])
        for row in rows
        if row["state"] in ("blocked", "throttled")
    }
    assert not accused
    assert not [one for one in told if one.get("kind") == "block"]
    rules = {row["rule_id"] for row in rows if row["vantage"] == DEAD_CACHE}
    assert "dns.dead_address" in rules
