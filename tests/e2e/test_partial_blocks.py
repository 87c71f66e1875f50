"""Blocks of a part, under a running monitor with the events' settings as shipped.

One country for each story, so that each makes an event of its own.
"""

from collections.abc import Callable

import pytest

from tests.e2e.running import Monitor, exported, running, wait_for
from tests.e2e.watching import BRISK
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import write_config
from tests.scenarios.test_partial import ANY_V4, X_NAMES

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

COUNTRIES = {"half": "BR", "ipv4": "KE", "one-address": "IR", "bursts": "ET", "clean": "PK"}
LASTING: dict[str, Callable[[Network], object]] = {
    "half": lambda n: n.block(sni=X_NAMES, how="reset", chance=0.5, seed=5),
    "ipv4": lambda n: n.block(sni=X_NAMES, address=ANY_V4, how="reset"),
}
CALM_CYCLES = 6
"""After so many open readings a run of accusations has come to nothing."""


def test_blocks_of_a_part_make_events() -> None:
    """Half of the connections reset, and IPv4 alone: confirmed, with the part. Bursts are confirmed
    by the second, one silent address is a lead at most, and nobody else is accused."""
    networks = [
        LabNetwork(name, asn=64500 + number, country=country)
        for number, (name, country) in enumerate(COUNTRIES.items())
    ]
    with Lab(networks, controls=1) as lab:
        config = write_config(lab, interval="6s", platforms=["x"], probe=BRISK)
        with running(lab, config) as monitor:
            wait_for(lambda: all(_ok(monitor, name) for name in COUNTRIES), "calm", 90)
            for name, apply in LASTING.items():
                apply(lab.network(name))
            address = [lab.internet.address("x.com"), lab.internet.address("x.com", 6)]
            lab.network("one-address").block(address=address, how="drop", transports=["tcp"])
            _burst(monitor, lab.network("bursts"))
            _await_calm(monitor, "bursts")
            _burst(monitor, lab.network("bursts"))
            wait_for(
                lambda: {"BR", "KE", "ET"} <= _confirmed(monitor),
                "three confirmed events",
                120,
            )
            # On a busy machine a single cycle may be too slow to tell.
            wait_for(
                lambda: all(
                    monitor.platform_states(name) == {"x": "partial"}
                    for name in ("ipv4", "one-address")
                ),
                "parts of X blocked",
                60,
            )
        rows = exported(config, "events")
    events = {row["country"]: row for row in rows if row["confirmed_at"]}
    assert set(events) == {"BR", "KE", "ET"}
    assert {(row["kind"], row["methods"]) for row in events.values()} == {("block", "tls.reset")}
    assert (events["BR"]["scope"], events["BR"]["family"]) == ("some", "")
    assert 0.25 <= float(events["BR"]["share"]) <= 0.85
    assert (events["KE"]["scope"], events["KE"]["family"], events["KE"]["share"]) == (
        "some",
        "ipv4",
        "",
    )
    assert events["ET"]["scope"] == "full"
    assert not [row for row in rows if row["country"] == "PK"]


def _burst(monitor: Monitor, network: Network) -> None:
    """The name is cut off until one cycle has told."""
    seen = len(monitor.cycles(network.name))
    with network.block(sni=X_NAMES, how="reset"):
        wait_for(
            lambda: any("blocked" in one for one in monitor.cycles(network.name)[seen:]),
            "a blocked cycle",
            60,
        )


def _await_calm(monitor: Monitor, network: str) -> None:
    """Until what was told of a burst came to nothing."""
    told = len(monitor.cycles(network))
    wait_for(lambda: len(monitor.cycles(network)) > told + CALM_CYCLES, "calm", 120)


def _ok(monitor: Monitor, name: str) -> bool:
    return monitor.platform_states(name) == {"x": "ok"}


def _confirmed(monitor: Monitor) -> set[str]:
    return {
        line["country"]
        for line in monitor.said("event")
        if line["kind"] == "block" and line["change"] == "confirmed"
    }
