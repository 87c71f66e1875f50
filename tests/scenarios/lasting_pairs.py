"""Ordinary faults that last, and ways to block, put together on networks of one lab."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from tests.lab.hosts import BLOCK_PAGE
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.lab.test_line_faults import LINES
from tests.scenarios.soak import table
from tests.scenarios.story import once
from tests.scenarios.test_lasting_faults import DEAD_CACHE, FAULTS, X_HOSTS, X_NAMES

AT_ONCE = 20
"""Networks of one lab: more would make their tests wait for the processor."""
Apply = Callable[[Network], object]


def _dead_cache(names: Sequence[str], family: int = 0) -> Apply:
    given = [one for one in DEAD_CACHE if family != (6 if "." in one else 4)]
    types = {0: ["A", "AAAA"], 4: ["A"], 6: ["AAAA"]}[family]

    def apply(network: Network) -> None:
        network.block(dns=names, how="address", answer=given, qtypes=types)
        network.block(address=given, how="drop")

    return apply


OF_X: dict[str, Apply] = {
    **{name: one.apply for name, one in FAULTS.items() if "-and-" not in name},
    "path-mtu-ipv4": lambda network: network.path_mtu(1400, X_HOSTS, family=4),
    "path-mtu-ipv6": lambda network: network.path_mtu(1400, X_HOSTS, family=6),
    "path-mtu-one-host": lambda network: network.path_mtu(1400, ["x.com"]),
    "ipv6-unreachable": lambda network: network.block(address=X_HOSTS, family=6, how="icmp-host"),
    "dead-cache-ipv4": _dead_cache(X_NAMES, 4),
    "dead-cache-ipv6": _dead_cache(X_NAMES, 6),
    "dead-cache-pictures": _dead_cache([".twimg.com"]),
    "far": lambda network: network.impair(rtt=2.5, address=X_HOSTS),
    "lossy-path-15": lambda network: network.impair(loss=0.15, address=X_HOSTS, seed=3),
}
"""What lasts and hits X alone."""
OF_LINE: dict[str, Apply] = {
    "slow-line": lambda network: network.impair(rtt=0.8),
    "lossy-line-30": lambda network: network.impair(loss=0.3, seed=7),
    "lossy-line-10": lambda network: network.impair(loss=0.1, seed=7),
    "no-ipv6": lambda network: network.unroute(6),
    "ad-filter": LINES["ad-filter"],
    "ipv6-reset": LINES["ipv6-reset"],
}
"""What hits everybody."""
BLOCKS: dict[str, Apply] = {
    "dns-nxdomain": lambda network: network.block(dns=X_NAMES, how="nxdomain"),
    "dns-page": lambda network: network.block(dns=X_NAMES, how="address", answer=BLOCK_PAGE),
    "dns-injected": lambda network: network.block(dns=X_NAMES, how="inject", resolver="any"),
    "ip-drop": lambda network: network.block(address=X_HOSTS, how="drop"),
    "ip-reset": lambda network: network.block(address=X_HOSTS, how="reset"),
    "sni-reset": lambda network: network.block(sni=X_NAMES, how="reset"),
    "sni-drop": lambda network: network.block(sni=X_NAMES, how="drop"),
    "forged": lambda network: network.forge(X_NAMES, "self-signed"),
    "sni-reset-ipv4": lambda network: network.block(sni=X_NAMES, how="reset", family=4),
    "ip-drop-ipv4": lambda network: network.block(address=X_HOSTS, family=4, how="drop"),
}
"""Ways to block X, whole or over one address family."""
EVERY = OF_X | OF_LINE | BLOCKS


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of X where two of these met."""

    state: str
    method: str
    """Of the platform's verdict; empty where nobody is accused."""
    accused: tuple[str, ...]
    """Of any platform, above weak."""


Found = Mapping[tuple[str, str], Pair]


def meet(pairs: Sequence[tuple[str, str]]) -> Found:
    """What is said of each pair, on a network of its own; as many labs as that takes."""
    found: dict[tuple[str, str], Pair] = {}
    for start in range(0, len(pairs), AT_ONCE):
        found |= _look(pairs[start : start + AT_ONCE])
    return found


def _look(met: Sequence[tuple[str, str]]) -> Found:
    networks = [LabNetwork(f"n{number}", asn=64500 + number) for number in range(len(met))]
    with Lab(networks, controls=1, direct=1, large_certificates=True) as lab:
        for network, pair in zip(networks, met, strict=True):
            for name in pair:
                EVERY[name](lab.network(network.name))
        story = once(lab, egress="interface", timeout=900, platforms=["x", "facebook"])
    said = {network.name: story.platform(network.name, "x") for network in networks}
    return {
        pair: Pair(
            state=said[network.name]["state"],
            method=said[network.name]["method"],
            accused=tuple(
                f"{line['platform']} {line['rule_id']} {line['evidence']}"
                for line in story.accusations()
                if line["vantage"] == network.name and line["evidence"] not in ("none", "weak")
            ),
        )
        for network, pair in zip(networks, met, strict=True)
    }


def grid(
    found: Found, rows: Iterable[str], columns: Sequence[str], words: Callable[[Pair], str]
) -> str:
    """A table of what was said, in these words."""

    def cell(*names: str) -> str:
        seen = found.get((names[0], names[1])) or found.get((names[1], names[0]))
        return words(seen) if seen is not None else ""

    head = ("fault", *(f"`{name}`" for name in columns))
    return table(head, [(f"`{row}`", *(cell(row, column) for column in columns)) for row in rows])
