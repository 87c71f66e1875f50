"""A plain drop of one platform's addresses, beside what looks alike and is none."""

from collections.abc import Callable, Iterator
from functools import cache

import msgspec
import pytest

from tests.lab import hosts
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import Seen, once
from tests.scenarios.test_lasting_faults import X_HOSTS

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

X_PREFIXES = ["104.244.42.0/24", "2606:1f80:f000::/48"]
BESIDE = "www.wikipedia.org"
"""Stands for another customer of the network that X is in."""


GRADES = ("none", "weak", "strong", "conclusive")
LOOKS = 4
"""A machine that others keep busy answers late, and a neighbour that was asked is no proof then."""
APART = ("www.cloudflare.com", "www.gstatic.com", "telegram.org", "web.telegram.org")
"""Stand for what is reached by other ways."""


def own_prefixes() -> list[hosts.LabHost]:
    """X and one other host in a routed network of their own, and others in one each."""
    places = {
        **{
            name: (f"104.244.42.{number}", f"2606:1f80:f000::{number:x}")
            for number, name in enumerate([*X_HOSTS, BESIDE], 1)
        },
        **{
            name: (f"151.101.{number}.7", f"2a04:4e42:{number:x}::7")
            for number, name in enumerate(APART, 1)
        },
    }
    known = {host.name: host for host in hosts.ALL}
    return [
        msgspec.structs.replace(known[name], literal=literal) for name, literal in places.items()
    ]


def _list_of_prefixes(network: Network) -> None:
    """The provider drops all of them behind its second router."""
    network.routers(before=2, total=6)
    network.block(address=X_PREFIXES, how="drop")


def _dead_link(network: Network) -> None:
    """Behind the third router the way to X is its own, and packets get lost two routers on."""
    network.routers(before=5, total=6, own=X_PREFIXES, shared=3)
    network.block(address=X_PREFIXES, how="drop")


def _filter_at_home(network: Network) -> None:
    """The vantage's own router filters: nothing leaves the house."""
    network.routers(before=1, total=6)
    network.block(address=X_PREFIXES, how="drop")


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
    "prefix-drop": Drop(
        apply=_list_of_prefixes, state="blocked", rule="tcp.timeout", evidence="conclusive"
    ),
    "dead-link": Drop(apply=_dead_link, state="blocked", rule="tcp.timeout", evidence="strong"),
    "home-filter": Drop(
        apply=_filter_at_home, state="blocked", rule="tcp.timeout", evidence="strong"
    ),
    "clean": Drop(apply=lambda _: None, state="ok"),
}


@pytest.fixture(scope="module")
def looks() -> Iterator[Callable[[int], Seen]]:
    """The look of that number, taken when first asked for. Each drop is in a network of its own."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(DROPS)]
    with Lab(networks, controls=1, direct=1, more_hosts=own_prefixes()) as lab:
        for name, drop in DROPS.items():
            drop.apply(lab.network(name))

        @cache
        def look(number: int) -> Seen:
            assert number < LOOKS, "patience has an end"
            return once(lab, egress="interface", timeout=180, platforms=["x", "telegram"])

        yield look


@pytest.mark.parametrize("name", DROPS)
def test_a_drop_is_told_from_a_dead_route(looks: Callable[[int], Seen], name: str) -> None:
    """What answers beside the addresses shows an open route, and so do packets that end before the
    way parts from all others."""
    drop = DROPS[name]
    for number in range(LOOKS):
        found = looks(number).platform(name, "x")
        assert GRADES.index(found["evidence"]) <= GRADES.index(drop.evidence)
        if found["evidence"] == drop.evidence:
            break
    assert (found["state"], found["evidence"]) == (drop.state, drop.evidence)
    assert found["rule_id"] == (drop.rule or "endpoint.reached")
    assert looks(number).platform(name, "telegram")["state"] == "ok"
