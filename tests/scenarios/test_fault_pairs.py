"""Ordinary faults in pairs, and blocks beside them: none must hide what shows the other.

`make soak` tries them all and writes docs/soak-pairs.md and docs/soak-blocks-beside-faults.md. The
pairs that once accused somebody are in test_lasting_faults.py; where that took luck, tests of the
judge hold what was seen.
"""

from itertools import combinations, product
from pathlib import Path

import pytest

from tests.scenarios.lasting_pairs import BLOCKS, OF_LINE, OF_X, Found, Pair, grid, meet

DOCS = Path(__file__).parents[2] / "docs"
PAIRS, BESIDE = DOCS / "soak-pairs.md", DOCS / "soak-blocks-beside-faults.md"
NO_FAULTS = {frozenset(("office-proxy", "antivirus"))}
"""The second opens Facebook alone, by an authority of its own: that may as well be the country."""
_CACHES = ("dead-cache", "private-cache", "dead-cache-ipv4", "dead-cache-ipv6")
_RESOLVED = ("dns-nxdomain", "dns-page")
NO_BLOCKS = {
    # The resolver gives one answer.
    *product((*_CACHES, "dead-cache-pictures"), _RESOLVED),
    # Nothing goes to X's own addresses, and nobody injects what our resolver says.
    *product(("private-cache",), ("ip-drop", "ip-reset", "ip-drop-ipv4", "dns-injected")),
    # One device makes the certificates.
    *product(("office-proxy", "antivirus"), ("forged",)),
}

HIDDEN_OVER_IPV4 = (
    ("lossy-path", "ip-drop-ipv4"),
    ("slow-line", "ip-drop-ipv4"),
    ("dead-cache-ipv4", "sni-reset-ipv4"),
    ("dead-cache-ipv4", "ip-drop-ipv4"),
)
"""X answers there over IPv6, and the fault may explain why it does not over IPv4. Each was ok."""


def pairs() -> list[tuple[str, str]]:
    """All of two faults."""
    every = (*combinations(OF_X, 2), *product(OF_X, OF_LINE))
    return [pair for pair in every if frozenset(pair) not in NO_FAULTS]


def beside() -> list[tuple[str, str]]:
    """All of a fault and a block."""
    return [pair for pair in product((*OF_X, *OF_LINE), BLOCKS) if pair not in NO_BLOCKS]


def written(found: Found) -> str:
    """The document on two faults."""
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

{grid(found, (*OF_X, *OF_LINE), tuple(OF_X), lambda pair: pair.state)}"""


def written_beside(found: Found) -> str:
    """The document on blocks beside faults."""
    missed = [" and ".join(pair) for pair in _missed(found)]
    return f"""# Blocks beside ordinary faults

Written by `make soak` (`pytest -m soak`). {len(found)} pairs of a fault that lasts
([what they are](scenarios.md)) and a way to block X, each on a network of its own, on real packets,
measured once. Cells say what X was said to be. None may be ok or down. That was said of:
{", ".join(missed) or "none"}.

{grid(found, (*OF_X, *OF_LINE), tuple(BLOCKS), _accusing)}"""


def _missed(found: Found) -> list[tuple[str, str]]:
    """The pairs of which is said that X works, or works nowhere."""
    return [pair for pair, one in found.items() if one.state in ("ok", "down")]


def _accusing(pair: Pair) -> str:
    return f"{pair.state} ({pair.method})" if pair.method else pair.state


@pytest.mark.lab
def test_a_fault_over_ipv4_hides_no_block_of_ipv4() -> None:
    """That X answers over IPv6 does not make it ok."""
    assert _missed(meet(HIDDEN_OVER_IPV4)) == []


@pytest.mark.lab
@pytest.mark.soak
@pytest.mark.timeout(0)
def test_two_faults_at_once_accuse_nobody() -> None:
    """All pairs; writes docs/soak-pairs.md."""
    found = meet(pairs())
    PAIRS.write_text(written(found), encoding="utf-8")
    assert {pair: one for pair, one in found.items() if one.accused} == {}


@pytest.mark.lab
@pytest.mark.soak
@pytest.mark.timeout(0)
def test_no_fault_makes_a_block_ok() -> None:
    """All blocks beside all faults; writes docs/soak-blocks-beside-faults.md."""
    found = meet(beside())
    BESIDE.write_text(written_beside(found), encoding="utf-8")
    assert _missed(found) == []
