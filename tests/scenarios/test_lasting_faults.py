"""Ordinary faults that last for hours and hit one platform alone: they must accuse nobody.

Each is one network of one lab, looked at through the real command in one run.
"""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from tests.lab.hosts import PRIVATE_CACHE
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import Seen, once

pytestmark = pytest.mark.lab

X_NAMES = [".x.com", ".twitter.com", ".twimg.com", "t.co"]
X_HOSTS = [
    *("x.com", "twitter.com", "api.x.com", "api.twitter.com"),
    *("abs.twimg.com", "pbs.twimg.com", "video.twimg.com", "t.co"),
]
FACEBOOK = [".facebook.com", ".fbcdn.net"]
DEAD_CACHE = ["198.18.200.1", "2001:db8:f:200::1"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One innocent fault, and what may be said of X there."""

    apply: Callable[[Network], object]
    states: frozenset[str] = frozenset({"insufficient"})
    """Allowed states of the platform."""
    rules: frozenset[str]
    """Allowed rules of its endpoints that are not plainly reached."""


def _dead_cache(network: Network) -> None:
    network.block(dns=X_NAMES, how="address", answer=DEAD_CACHE)
    network.block(address=DEAD_CACHE, how="drop")


def _private_cache(network: Network) -> None:
    network.block(dns=X_NAMES, how="address", answer=list(PRIVATE_CACHE))


def _office_proxy(network: Network) -> None:
    network.forge([*X_NAMES, "www.wikipedia.org", "www.cloudflare.com"], "by Office Gateway")


def _antivirus(network: Network) -> None:
    network.forge([*X_NAMES, *FACEBOOK], "by Home Antivirus")


def _path_mtu(network: Network) -> None:
    network.path_mtu(1400, X_HOSTS)


def _ipv6_dead(network: Network) -> None:
    network.block(address=X_HOSTS, family=6, how="drop", transports=["tcp"])


def _ipv6_unreachable(network: Network) -> None:
    network.block(address=X_HOSTS, family=6, how="icmp-host")


def _lossy_path(network: Network) -> None:
    network.impair(loss=0.3, address=X_HOSTS, seed=5)


def _dead_cache_over_ipv4(network: Network) -> None:
    cache = DEAD_CACHE[:1]
    network.block(dns=X_NAMES, how="address", answer=cache, qtypes=["A"])
    network.block(address=cache, how="drop")


def _all_of(*faults: Callable[[Network], object]) -> Callable[[Network], None]:
    def apply(network: Network) -> None:
        for fault in faults:
            fault(network)

    return apply


HIDDEN = frozenset({"dns.decrypted", "look.explained"})
UNTOLD = ("endpoint.reached", "siblings.silent")
"""Rules that say nothing of a fault: it answered, or others that are silent alike stand for it."""
FAULTS = {
    "office-proxy": Fault(
        apply=_office_proxy,
        rules=frozenset({"tls.local_authority"}),
    ),
    "antivirus": Fault(
        apply=_antivirus,
        rules=frozenset({"tls.local_authority"}),
    ),
    "dead-cache": Fault(
        apply=_dead_cache,
        rules=frozenset({"dns.dead_address", "look.explained"}),
    ),
    "private-cache": Fault(
        apply=_private_cache,
        states=frozenset({"ok"}),
        rules=frozenset({"dns.private_address", "look.explained"}),
    ),
    "path-mtu": Fault(
        apply=_path_mtu,
        rules=frozenset({"tls.large_packets", "look.explained"}),
    ),
    "lossy-path": Fault(
        apply=_lossy_path,
        states=frozenset({"ok", "insufficient"}),
        rules=frozenset(
            {
                "path.lossy",
                "partial.any_name",
                "endpoint.reached_on_retry",
                "family.hidden",
                "family.ipv6_dead",
            }
        ),
    ),
    # Two at once, of which one hides what would show the other.
    "office-proxy-and-dead-cache": Fault(
        apply=_all_of(_office_proxy, _dead_cache),
        rules=HIDDEN,
    ),
    "office-proxy-and-private-cache": Fault(
        apply=_all_of(_office_proxy, _private_cache),
        rules=HIDDEN,
    ),
    "antivirus-and-dead-cache": Fault(
        apply=_all_of(_antivirus, _dead_cache), rules=HIDDEN | {"tls.local_authority"}
    ),
    "path-mtu-and-dead-cache": Fault(
        apply=_all_of(_path_mtu, _dead_cache),
        rules=frozenset({"dns.dead_address", "look.explained"}),
    ),
    "ipv6-dead-and-dead-cache": Fault(
        apply=_all_of(_ipv6_dead, _dead_cache_over_ipv4),
        rules=frozenset({"dns.dead_address", "look.explained"}),
    ),
    "ipv6-unreachable-and-lossy-path": Fault(
        apply=_all_of(_ipv6_unreachable, _lossy_path),
        states=frozenset({"ok", "insufficient"}),
        rules=frozenset(
            {"path.lossy", "partial.any_name", "endpoint.reached_on_retry", "family.ipv6_dead"}
        ),
    ),
    "ipv6-dead": Fault(
        apply=_ipv6_dead,
        states=frozenset({"ok"}),
        rules=frozenset({"family.ipv6_dead"}),
    ),
}


@pytest.fixture(scope="module")
def story() -> Iterator[Seen]:
    """Every fault in a network of its own, and one network without any."""
    names = [*FAULTS, "clean"]
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(names)]
    with Lab(networks, controls=1, direct=1, large_certificates=True) as lab:
        for name, fault in FAULTS.items():
            fault.apply(lab.network(name))
        yield once(lab, egress="interface", timeout=300, platforms=["x", "facebook", "telegram"])


@pytest.mark.parametrize("name", [*FAULTS, "clean"])
def test_a_lasting_fault_accuses_nobody(story: Seen, name: str) -> None:
    """No platform is blocked, and the rules say what the fault may be."""
    lines = [one for one in story.lines if one.get("vantage") == name]
    accused = [one for one in story.accusations() if one["vantage"] == name]
    assert not accused, accused
    fault = FAULTS.get(name)
    states = fault.states if fault else {"ok"}
    assert story.platform(name, "x")["state"] in states
    rules = {
        one["rule_id"]
        for one in lines
        if one["kind"] == "endpoint" and one["rule_id"] not in UNTOLD
    }
    assert rules <= (fault.rules if fault else set()), rules
    # Of a line that loses packets by chance, all may arrive.
    assert rules or not fault or name == "lossy-path"
