"""A line, or its resolver, that turns a part of everything away accuses nobody."""

from collections.abc import Callable

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import once

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

NAMES = [".com", ".net", ".org", ".be", ".me", ".co", ".pk", ".ch", ".cern", ".cz", ".jp", ".de"]
ALL = ["0.0.0.0/0", "::/0"]
SHARES = [0.35, 0.6]


def _network(how: str, share: float) -> Callable[[Network], object]:
    """A resolver that limits queries, or a translation of addresses that is full."""
    if how in ("refused", "servfail"):
        return lambda network: network.block(dns=NAMES, how=how, chance=share, seed=4)
    return lambda network: network.block(address=ALL, ports=[443], how=how, chance=share, seed=7)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("how", ["refused", "servfail", "icmp-admin", "reset"])
def test_refusals_at_random_accuse_nobody(how: str, share: float) -> None:
    """They come and go at references, too."""
    with Lab([LabNetwork("a", 64500)], direct=1) as lab:
        _network(how, share)(lab.network("a"))
        story = once(lab, timeout=300, platforms=["x", "facebook", "youtube"], few_references=False)
    assert not [(one["kind"], one["rule_id"], one["evidence"]) for one in story.accusations()]
