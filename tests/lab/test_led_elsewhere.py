"""What looks like a block and is the platform's own doing, in real packets."""

from collections.abc import Callable, Iterator

import pytest

from tests.lab.addresses import OPEN_RESOLVERS
from tests.lab.hosts import PRIVATE_CACHE, moved
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix import catalogue, site
from tests.scenarios.rounds import Rounds
from tests.scenarios.story import UNHURRIED, Seen, once, write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

Build = Callable[[Lab, Network, str], object]
"""Sets up a platform's host, beside which there is a `to-` host."""


def _leads(broken: Build) -> Build:
    """The site leads this network alone to another host of its own."""

    def build(lab: Lab, network: Network, host: str) -> None:
        lab.internet.page(host, moved(f"https://to-{host}/"), to=network.name)
        broken(lab, network, f"to-{host}")

    return build


def _name_servers(how: str, **more: list[str]) -> Build:
    """The site's own name servers lie to this country, whichever resolver asks from there."""

    def build(lab: Lab, network: Network, host: str) -> None:
        asking = (network.resolver, network.resolver6, *OPEN_RESOLVERS[1:])
        for one in (*asking, "dns.google", "cloudflare-dns.com", "dns.quad9.net"):
            lab.internet.lie(host, how, resolver=one, **more)

    return build


def _gone(lab: Lab, network: Network, host: str) -> None:
    lab.internet.page(host, moved("https://nowhere.example/"), to=network.name)


LED = ("insufficient", "look.led_elsewhere", "none")
STORIES: dict[str, tuple[Build, tuple[str, str, str]]] = {
    "wrong-name": (_leads(lambda lab, _, host: lab.internet.certificate(host, "wrong-name")), LED),
    "expired": (_leads(lambda lab, _, host: lab.internet.certificate(host, "expired")), LED),
    "gone": (_gone, LED),
    "private": (
        _leads(lambda lab, _, host: lab.internet.lie(host, "address", answer=["10.1.2.3"])),
        LED,
    ),
    "led-and-reset": (
        _leads(lambda _, network, host: network.block(sni=[host], how="reset")),
        ("blocked", "tls.reset", "conclusive"),
    ),
    "led-and-denied": (
        _leads(lambda _, network, host: network.block(dns=[host], how="nxdomain")),
        ("blocked", "dns.nxdomain", "conclusive"),
    ),
    "lapsed": (
        lambda _, network, host: network.forge([host], "expired"),
        ("blocked", "tls.certificate", "weak"),
    ),
    "self-signed": (
        lambda _, network, host: network.forge([host], "self-signed"),
        ("blocked", "tls.certificate", "conclusive"),
    ),
    "own-nxdomain": (_name_servers("nxdomain"), ("blocked", "dns.nxdomain", "strong")),
    "own-nodata": (_name_servers("empty"), ("blocked", "dns.no_answer", "strong")),
    "own-loopback": (
        _name_servers("address", answer=["127.0.0.1"]),
        ("blocked", "dns.bogon", "strong"),
    ),
}


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """Each story at a platform of its own."""
    hosts = [site(f"{prefix}{name}.example") for name in STORIES for prefix in ("", "to-")]
    with Lab([LabNetwork("a", 64500)], controls=2, more_hosts=hosts) as lab:
        urls = {name: f"https://{name}.example/" for name in STORIES}
        (lab.directory / "own.toml").write_text(catalogue(urls))
        for name, (build, _) in STORIES.items():
            build(lab, lab.network("a"), f"{name}.example")
        own = f'[catalog]\nfile = "own.toml"\nplatforms = {list(STORIES)}'
        yield once(lab, extra=own, timeout=250)


@pytest.mark.parametrize("name", STORIES)
def test_what_the_platform_does_itself_is_told_from_a_block(seen: Seen, name: str) -> None:
    """Its own broken host, lapsed certificate and name servers accuse nobody, or only as far as
    they must."""
    said = seen.endpoint("a", f"https://{name}.example/")
    assert (said["state"], said["rule_id"], said["evidence"]) == STORIES[name][1]


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
