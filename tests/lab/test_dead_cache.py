"""A network's own cache, on a private address, that dies."""

import pytest

from tests.lab.hosts import PRIVATE_CACHE
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.rounds import Rounds
from tests.scenarios.story import UNHURRIED, write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


@pytest.mark.parametrize("platform", ["x", "whatsapp"])
def test_a_private_cache_that_dies_was_no_lie(platform: str) -> None:
    """It worked for a cycle and then refused: a bogon beyond doubt, until its past was read.
    WhatsApp has more hosts than are followed up."""
    names = [".x.com", ".twitter.com", ".twimg.com", "t.co", ".whatsapp.com", ".whatsapp.net"]
    with Lab([LabNetwork("a", 64500)], direct=1) as lab:
        path = write_config(lab, probe=UNHURRIED, platforms=[platform], egress="interface")
        lab.network("a").block(dns=names, how="address", answer=list(PRIVATE_CACHE))
        with Rounds(lab, path) as rounds:
            assert rounds.cycle().on("a", platform).evidence == "none"
            lab.internet.transparent_proxy_down()
            said = rounds.cycle().on("a", platform)
    assert (said.state, said.evidence) == ("insufficient", "none"), said.rule_id
