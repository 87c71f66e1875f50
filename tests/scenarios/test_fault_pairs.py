"""Ordinary faults in pairs: one must not hide what would show the other. `make soak` tries them all
and writes docs/soak-pairs.md. The pairs that once accused somebody are in test_lasting_faults.py;
where that took luck, tests of the judge hold what was seen.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, product
from pathlib import Path

import msgspec
import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.lab.test_line_faults import LINES
from tests.scenarios.soak import table
from tests.scenarios.story import once
from tests.scenarios.test_lasting_faults import DEAD_CACHE, FAULTS, X_HOSTS, X_NAMES

DOCUMENT = Path(__file__).parents[2] / "docs" / "soak-pairs.md"
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
NO_FAULTS = {frozenset(("office-proxy", "antivirus"))}
"""The second opens Facebook alone, by an authority of its own: that may as well be the country."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of X where two faults met."""

    state: str
    rules: frozenset[str]
    accused: tuple[str, ...]
    """Of any platform, above weak."""


Found = dict[tuple[str, str], Pair]


def pairs() -> list[tuple[str, str]]:
    """All of them."""
    every = (*combinations(OF_X, 2), *product(OF_X, OF_LINE))
    return [pair for pair in every if frozenset(pair) not in NO_FAULTS]


def look(met: Sequence[tuple[str, str]]) -> Found:
    """What is said of each pair, on a network of its own."""
    networks = [LabNetwork(f"n{number}", asn=64500 + number) for number in range(len(met))]
    with Lab(networks, controls=1, direct=1, large_certificates=True) as lab:
        for network, pair in zip(networks, met, strict=True):
            for name in pair:
                (OF_X | OF_LINE)[name](lab.network(network.name))
        story = once(lab, egress="interface", timeout=900, platforms=["x", "facebook"])
    return {
        pair: Pair(
            state=story.platform(network.name, "x")["state"],
            rules=frozenset(
                line["rule_id"]
                for line in story.lines
                if (line["kind"], line["vantage"]) == ("endpoint", network.name)
            ),
            accused=tuple(
                f"{line['platform']} {line['rule_id']} {line['evidence']}"
                for line in story.accusations()
                if line["vantage"] == network.name and line["evidence"] not in ("none", "weak")
            ),
        )
        for network, pair in zip(networks, met, strict=True)
    }


def written(found: Found) -> str:
    """The document."""
    head = ("", *(f"`{name}`" for name in OF_X))
    rows = [
        (f"`{row}`", *(_cell(found, row, column) for column in OF_X)) for row in (*OF_X, *OF_LINE)
    ]
    accused = [
        f"{' and '.join(pair)}: {', '.join(one.accused)}"
        for pair, one in found.items()
        if one.accused
    ]
    return f"""# Two ordinary faults at once

Written by `make soak` (`pytest -m soak`). {len(found)} pairs of faults that last, each on a network
of its own, on real packets, measured once. Columns are faults that hit X alone, rows those and
what hits a whole line ([what they are](scenarios.md)). Cells say what X was said to be. None may
be accused above weak. Beyond that was said: {"; ".join(accused) or "nothing"}.

{table(head, rows)}"""


def _cell(found: Found, *names: str) -> str:
    seen = found.get((names[0], names[1])) or found.get((names[1], names[0]))
    return seen.state if seen is not None else ""


def _in_labs(every: Sequence[tuple[str, str]]) -> Iterable[Sequence[tuple[str, str]]]:
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))


@pytest.mark.lab
@pytest.mark.soak
@pytest.mark.timeout(0)
def test_two_faults_at_once_accuse_nobody() -> None:
    """All pairs; writes docs/soak-pairs.md."""
    found: Found = {}
    for some in _in_labs(pairs()):
        found |= look(some)
    DOCUMENT.write_text(written(found), encoding="utf-8")
    assert {pair: one for pair, one in found.items() if one.accused} == {}
