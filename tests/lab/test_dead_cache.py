"""What an address that was verified before excuses, and what not."""

import pytest

from tests.lab import hosts
from tests.lab.addresses import OPEN_RESOLVERS
from tests.lab.hosts import PRIVATE_CACHE
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.rounds import Rounds
from tests.scenarios.story import UNHURRIED, write_config

X_NAMES = [one.name for one in hosts.ALL if one.group == "x"]
DOH = ("dns.google", "cloudflare-dns.com", "dns.quad9.net")

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


def test_a_lie_over_one_family_is_no_dead_cache() -> None:
    """The true IPv6 addresses, verified minutes ago, excused false IPv4 ones."""
    with Lab([LabNetwork("a", 64500)], controls=1, direct=1) as lab:
        path = write_config(lab, probe=UNHURRIED, platforms=["x"], egress="interface")
        with Rounds(lab, path) as rounds:
            assert rounds.cycle().on("a").state == "ok"
            lab.network("a").block(dns=X_NAMES, how="bogon", qtypes=["A"])
            lab.network("a").block(sni=X_NAMES, how="reset", family=6)
            said = rounds.cycle().on("a")
    assert (said.state, said.rule_id, said.evidence) == ("blocked", "dns.bogon", "conclusive")


def test_an_address_that_became_anothers_is_weak_evidence() -> None:
    """A resolver that keeps old answers too long gives the same, and lies to nobody."""
    host = "pbs.twimg.com"
    with Lab([LabNetwork("a", 64500)], controls=1, direct=1) as lab:
        path = write_config(lab, probe=UNHURRIED, platforms=["x"], egress="interface")
        with Rounds(lab, path) as rounds:
            assert rounds.cycle().on("a").state == "ok"
            # Everybody else is sent to another address, and the old one is another customer's.
            lab.internet.certificate(host, "wrong-name")
            moved = lab.internet.addresses["abs.twimg.com"]
            for one in (*OPEN_RESOLVERS, *DOH):
                lab.internet.lie(host, "address", answer=list(moved), resolver=one)
            said = rounds.cycle().on("a")
    assert (said.state, said.rule_id, said.evidence) == ("degraded", "dns.hijack", "weak")
