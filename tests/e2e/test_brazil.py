"""A court's order, which each provider carries out in its own way."""

import pytest

from tests.e2e.running import running, wait_for
from tests.e2e.test_pakistan import HASTY, X_NAMES, events_of, settled
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
        platforms = ["x", "telegram", "youtube"]
        config = write_config(lab, interval="5s", platforms=platforms, extra=HASTY)
        with running(lab, config) as monitor:
            wait_for(lambda: settled(monitor, ("vivo", "claro", "tim")), "a quiet start", 40)
            lab.network("vivo").block(dns=X_NAMES, how="refused")
            lab.network("claro").block(
                address=["x.com", "twitter.com", "api.x.com", "api.twitter.com"], how="drop"
            )
            wait_for(
                lambda: (
                    list(
                        monitor.samples(
                            "shutwatch_blocking_event_networks_affected", platform="x"
                        ).values()
                    )
                    == [2]
                ),
                "two networks",
                120,
            )
            (seen,) = monitor.samples(
                "shutwatch_blocking_event_networks_seen", platform="x"
            ).values()
            assert seen == 3
            (ratio,) = monitor.samples(
                "shutwatch_platform_blocked_networks_ratio", platform="x"
            ).values()
            assert ratio == pytest.approx(2 / 3)
            assert monitor.platform_states("tim")["x"] == "ok"
            (event,) = events_of(lab, config)
            assert event["networks_affected"].split() == ["AS27699", "AS28573"]
            assert event["state"] == "confirmed"
