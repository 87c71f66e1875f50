"""Public encrypted DNS blocked, on real packets: a finding of its own, and no other platform's."""

from collections.abc import Callable, Iterator

import pytest

from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import Seen, once

pytestmark = pytest.mark.lab

DOH = ("dns.google", "cloudflare-dns.com", "dns.quad9.net")
DOT = ("dns.google", "one.one.one.one", "dns.quad9.net")
PLATFORMS = ("x", "messenger", "public-dns")


def _doh_and_x(network: Network) -> None:
    network.block(sni=DOH, ports=[443], how="reset")
    network.block(dns=["x.com"], how="nxdomain")


NETWORKS: dict[str, Callable[[Network], object]] = {
    "open": lambda _: None,
    "doh": lambda network: network.block(sni=DOH, ports=[443], how="reset"),
    "dot": lambda network: network.block(address=DOT, ports=[853], how="reset"),
    "one": lambda network: network.block(sni=["cloudflare-dns.com"], how="reset"),
    "doh-and-x": _doh_and_x,
}


@pytest.fixture(scope="module")
def story() -> Iterator[Seen]:
    """One cycle from all networks."""
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(NETWORKS)]
    with Lab(networks, controls=1) as lab:
        for name, apply in NETWORKS.items():
            apply(lab.network(name))
        yield once(lab, platforms=list(PLATFORMS), timeout=90)


def test_blocked_doh_is_a_finding_of_its_own(story: Seen) -> None:
    """No provider's DNS over HTTPS is left: public DNS is blocked, and nothing else is."""
    assert story.states("doh") == {"x": "ok", "messenger": "ok", "public-dns": "blocked"}
    line = story.platform("doh", "public-dns")
    assert (line["method"], line["sub_method"]) == ("tls", "reset")
    assert (line["rule_id"], line["evidence"]) == ("tls.reset", "conclusive")
    assert line["functions"] == {"doh": "blocked", "dot": "ok"}


def test_blocked_dot_degrades(story: Seen) -> None:
    """Browsers still have DNS over HTTPS; what telephones use is refused at its port."""
    assert story.states("dot") == {"x": "ok", "messenger": "ok", "public-dns": "degraded"}
    line = story.platform("dot", "public-dns")
    assert (line["rule_id"], line["evidence"]) == ("tcp.refused", "strong")
    assert line["functions"] == {"doh": "ok", "dot": "blocked"}


def test_one_provider_blocked_shows_at_its_endpoint(story: Seen) -> None:
    """Others are left, so the platform works; the endpoint's verdict names the block."""
    assert story.states("one") == {"x": "ok", "messenger": "ok", "public-dns": "ok"}
    line = story.endpoint("one", "https://cloudflare-dns.com/dns-query")
    assert (line["state"], line["rule_id"]) == ("blocked", "tls.reset")


def test_blocked_doh_neither_makes_nor_clears_another_block(story: Seen) -> None:
    """X is judged by the resolver's denial; that follow-ups over DoH fail is public DNS's alone."""
    line = story.platform("doh-and-x", "x")
    assert (line["state"], line["rule_id"]) == ("blocked", "dns.nxdomain")
    assert line["evidence"] == "conclusive"
    assert story.platform("doh-and-x", "public-dns")["rule_id"] == "tls.reset"
    assert story.platform("doh-and-x", "messenger")["state"] == "ok"


def test_where_nothing_is_blocked_nobody_is_accused(story: Seen) -> None:
    """All of it answers, over HTTPS and over TLS at port 853."""
    assert set(story.states("open").values()) == {"ok"}
    assert story.platform("open", "public-dns")["functions"] == {"doh": "ok", "dot": "ok"}
