"""A plain drop of one platform's addresses, beside what looks alike and is none."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from tests.lab import hosts
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import Seen, once
from tests.scenarios.test_lasting_faults import X_HOSTS

pytestmark = pytest.mark.lab

X_PREFIXES = ["104.244.42.0/24", "2606:1f80:f000::/48"]
BESIDE = "www.wikipedia.org"
"""Stands for another customer of the network that X is in."""


def own_prefix() -> list[hosts.LabHost]:
    """X and one other host in a routed network of their own."""
    names = [*X_HOSTS, BESIDE]
    known = {host.name: host for host in hosts.ALL}
    return [
        msgspec.structs.replace(
            known[name], literal=(f"104.244.42.{number}", f"2606:1f80:f000::{number:x}")
        )
        for number, name in enumerate(names, 1)
    ]


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """What a network does, and what may be said of X there."""

    apply: Callable[[Network], object]
    state: str
    rule: str = ""
    evidence: str = "none"


DROPS = {
    "address-drop": Drop(
        apply=lambda network: network.block(address=X_HOSTS, how="drop"),
        state="blocked",
        rule="tcp.timeout",
        evidence="conclusive",
    ),
    "address-unreachable": Drop(
        apply=lambda network: network.block(address=X_HOSTS, how="icmp-admin"),
        state="blocked",
        rule="tcp.unreachable",
        evidence="conclusive",
    ),
    "dead-route": Drop(
        apply=lambda network: network.block(address=X_PREFIXES, how="drop"),
        state="blocked",
        rule="tcp.timeout",
        evidence="strong",
    ),
    "clean": Drop(apply=lambda _: None, state="ok"),
}


@pytest.fixture(scope="module")
def story() -> Iterator[Seen]:
    """Each in a network of its own."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(DROPS)]
    with Lab(networks, controls=1, direct=1, more_hosts=own_prefix()) as lab:
        for name, drop in DROPS.items():
            drop.apply(lab.network(name))
        yield once(lab, egress="interface", timeout=180, platforms=["x", "telegram"])


@pytest.mark.parametrize("name", DROPS)
def test_a_drop_is_told_from_a_dead_route(story: Seen, name: str) -> None:
    """What answers beside the addresses shows an open route, and nothing else does."""
    drop, found = DROPS[name], story.platform(name, "x")
    assert (found["state"], found["evidence"]) == (drop.state, drop.evidence)
    assert found["rule_id"] == (drop.rule or "endpoint.reached")
    assert story.platform(name, "telegram")["state"] == "ok"
