"""A court's order, which each provider carries out in its own way."""

import pytest

from tests.e2e.running import Scrape, exported, running, wait_for
from tests.e2e.test_pakistan import HASTY, PLATFORMS, X_NAMES, settled
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


def test_brazil() -> None:
    """One network blocks by DNS, one by address, one not at all: two of three networks."""
    networks = [
        LabNetwork("vivo", 27699, "BR"),
        LabNetwork("claro", 28573, "BR"),
        LabNetwork("tim", 26615, "BR"),
    ]
    with Lab(networks, controls=2) as lab:
        config = write_config(lab, interval="5s", platforms=PLATFORMS, extra=HASTY)
        with running(lab, config) as monitor:
            wait_for(lambda: settled(monitor, ("vivo", "claro", "tim")), "a quiet start", 40)
            lab.network("vivo").block(dns=X_NAMES, how="refused")
            lab.network("claro").block(
                address=["x.com", "twitter.com", "api.x.com", "api.twitter.com"], how="drop"
            )
            wait_for(lambda: _two_of_three(monitor.scrape()), "two of three networks", 120)
            (event,) = exported(config, "events")
            assert event["networks_affected"].split() == ["AS27699", "AS28573"]
            assert event["state"] == "confirmed"


def _two_of_three(now: Scrape) -> bool:
    """Whether the metrics of one moment show X blocked on two networks of three, for sure."""
    (affected, seen, ratio) = (
        list(now.samples(f"shutwatch_{name}", platform="x").values())
        for name in (
            "blocking_event_networks_affected",
            "blocking_event_networks_seen",
            "platform_blocked_networks_ratio",
        )
    )
    states = {dict(one)["state"] for one in now.samples("shutwatch_blocking_event_state")}
    return (
        (affected, seen, states) == ([2], [3], {"confirmed"})
        and ratio == [pytest.approx(2 / 3)]
        and now.platform_states("tim")["x"] == "ok"
    )
