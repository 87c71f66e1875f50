"""What must never be called a block: the vantage's own trouble."""

from collections.abc import Callable, Iterator

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import Seen, once

pytestmark = pytest.mark.lab

AILMENTS: dict[str, Callable[[Network], object]] = {
    "cut": lambda network: network.cut(),
    "unplugged": lambda network: network.unplug(),
    "captive": lambda network: network.captive(),
    "captive-in-place": lambda network: network.captive(tls="reset", redirect=False),
    "foreign-cut": lambda network: network.cut_foreign(),
    "resolver-dead": lambda network: network.block(
        dns=[".com", ".net", ".org", ".pk", ".co"], how="drop"
    ),
    "lossy": lambda network: network.impair(loss=0.3, seed=7),
    "slow": lambda network: network.impair(rtt=0.8),
    "no-ipv6": lambda network: network.unroute(6),
}

EXPECTED: dict[str, tuple[str, set[str], set[str]]] = {
    "cut": ("offline", {"insufficient"}, {"vantage.offline"}),
    "unplugged": ("offline", {"insufficient"}, {"vantage.offline"}),
    # WhatsApp's chat answers in its own protocol on a port that these portals let through.
    "captive": ("captive_portal", {"ok", "insufficient"}, {"vantage.captive_portal"}),
    "captive-in-place": ("captive_portal", {"ok", "insufficient"}, {"vantage.captive_portal"}),
    "foreign-cut": ("international_cut", {"insufficient"}, {"vantage.international_cut"}),
    "resolver-dead": ("offline", {"insufficient"}, {"vantage.resolver_down"}),
    # Handshakes that time out under either name are as many as a faulty server would cut off.
    "lossy": ("lossy", {"ok", "insufficient"}, {"vantage.lossy", "partial.any_name"}),
    "slow": ("ok", {"ok"}, set()),
    # Telegram has data centres that only IPv6 leads to.
    "no-ipv6": ("ok", {"ok"}, {"vantage.family_missing"}),
}
"""Vantage state, allowed platform states, allowed rule ids of what is not ok."""


@pytest.fixture(scope="module")
def ailing() -> Iterator[Seen]:
    """One network per ailment, all looked at in one run; patience as shipped where it matters."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(AILMENTS)]
    with Lab(networks, controls=1) as lab:
        for name, apply in AILMENTS.items():
            apply(lab.network(name))
        yield once(
            lab,
            egress="interface",
            timeout=300,
            platforms=["x", "facebook", "whatsapp", "telegram"],
            probe={
                "dns_timeout": "4s",
                "tcp_timeout": "10s",
                "tls_timeout": "10s",
                "http_timeout": "10s",
            },
        )


@pytest.mark.parametrize("name", AILMENTS)
def test_an_ailing_vantage_accuses_nobody(ailing: Seen, name: str) -> None:
    """The vantage's trouble is named as its own, by the vantage and by every verdict."""
    vantage_state, platform_states, rules = EXPECTED[name]
    health = ailing.vantage(name)
    assert health["state"] == vantage_state, health
    states = ailing.states(name)
    states.pop("telegram")
    if name == "resolver-dead":
        # Known by address alone, its data centres show that the line lives when no name resolves.
        telegram = ailing.platform(name, "telegram")
        assert (telegram["functions"]["chat"], telegram["state"]) == ("ok", "insufficient")
    assert set(states.values()) <= platform_states
    lines = [one for one in ailing.lines if one["kind"] == "endpoint" and one["vantage"] == name]
    assert lines
    assert {one["rule_id"] for one in lines if one["state"] != "ok"} <= rules
    assert not [one for one in ailing.accusations() if one["vantage"] == name]
