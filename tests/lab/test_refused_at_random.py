"""A line, or its resolver, that turns a part of everything away accuses nobody.

Each is one network of one lab, looked at through the real command in one run.
"""

from collections.abc import Callable
from itertools import product

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network, Rule
from tests.scenarios.story import Seen, once

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

NAMES = [".com", ".net", ".org", ".be", ".me", ".co", ".pk", ".ch", ".cern", ".cz", ".jp", ".de"]
ALL = ["0.0.0.0/0", "::/0"]
SHARES = [0.35, 0.6]
WAYS = ["refused", "servfail", "icmp-admin", "reset"]


def _network(how: str, share: float) -> Callable[[Network], Rule]:
    """A resolver that limits queries, or a translation of addresses that is full."""
    if how in ("refused", "servfail"):
        return lambda network: network.block(dns=NAMES, how=how, chance=share, seed=4)
    return lambda network: network.block(address=ALL, ports=[443], how=how, chance=share, seed=7)


def _name(how: str, share: float) -> str:
    return f"{how}-{share:.0%}".rstrip("%")


@pytest.fixture(scope="module")
def story() -> Seen:
    """All of them, each of which refused something."""
    lines = list(product(WAYS, SHARES))
    networks = [LabNetwork(_name(*line), 64500 + i) for i, line in enumerate(lines)]
    platforms = ["x", "facebook", "youtube"]
    with Lab(networks, direct=1) as lab:
        rules = [_network(*line)(lab.network(_name(*line))) for line in lines]
        found = once(lab, timeout=300, platforms=platforms, few_references=False)
        assert all(rule.hits for rule in rules)
    return found


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("how", WAYS)
def test_refusals_at_random_accuse_nobody(story: Seen, how: str, share: float) -> None:
    """They come and go at references, too."""
    name = _name(how, share)
    accused = [one for one in story.accusations() if one["vantage"] == name]
    assert not [(one["kind"], one["rule_id"], one["evidence"]) for one in accused]
    assert not [one for one in story.accusations() if one["vantage"] in ("control-1", "direct-1")]
