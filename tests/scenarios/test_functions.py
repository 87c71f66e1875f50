"""One function of a platform blocked and the rest left alone, with the catalogue as shipped.

One country per story, and one more where nothing is censored.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import pytest

from tests.lab.hosts import BLOCK_PAGE
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix_functions import FUNCTIONS
from tests.scenarios.story import UNHURRIED, Seen, seen, write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

DC2_AND_4 = ["149.154.167.0/24"]
"""Not all of either: DC 2 has another IPv4 address, and both have IPv6."""
DC2_AND_4_WHOLE = [*DC2_AND_4, "95.161.76.0/24", "2001:67c:4e8:f002::/64", "2001:67c:4e8:f004::/64"]
EVERY_DC_IPV4 = ["149.154.160.0/20", "95.161.76.0/24", "91.108.56.0/22"]
FBCDN = "scontent.xx.fbcdn.net"
BLOCKS: dict[str, tuple[str, str, Callable[[Network], Any]]] = {
    "youtube-video": ("youtube", "RU", lambda n: n.block(sni=[".googlevideo.com"], how="drop")),
    "whatsapp-media": ("whatsapp", "PK", lambda n: n.block(sni=["mmg.whatsapp.net"], how="drop")),
    "facebook-pictures": (
        "facebook",
        "IR",
        lambda n: n.block(sni=[FBCDN], how="reset"),
    ),
    "messenger-calls": ("messenger", "AE", lambda n: n.block(udp=[3478], how="drop")),
    "telegram-dc2-4": ("telegram", "KZ", lambda n: n.block(address=DC2_AND_4_WHOLE, how="drop")),
    "telegram-ipv4": ("telegram", "IR", lambda n: n.block(address=EVERY_DC_IPV4, how="drop")),
    "signal-dns": (
        "signal",
        "VE",
        lambda n: n.block(dns=[".signal.org"], how="address", answer=BLOCK_PAGE),
    ),
    "signal-opened": ("signal", "RU", lambda n: n.forge([".signal.org"])),
}
"""Network → platform, country, and what the censor does."""
WORKING: dict[str, tuple[dict[str, str], dict[str, list[str]]]] = {
    "youtube-video": ({"video": "blocked", "web": "ok", "app": "ok", "pictures": "ok"}, {}),
    "whatsapp-media": ({"media": "blocked", "chat": "ok", "web": "ok"}, {}),
    "facebook-pictures": ({"pictures": "blocked", "web": "ok", "app": "ok", "scripts": "ok"}, {}),
    "messenger-calls": ({"calls": "blocked", "chat": "ok", "web": "ok"}, {}),
    "telegram-dc2-4": (
        {"chat": "degraded", "media": "degraded", "web": "ok"},
        {"chat": ["dc2", "dc4"], "media": ["dc2"]},
    ),
    "telegram-ipv4": ({"chat": "partial", "media": "partial", "web": "ok"}, {}),
    "signal-dns": ({"chat": "blocked", "storage": "blocked", "media": "blocked"}, {}),
    "signal-opened": ({"chat": "blocked", "storage": "blocked", "media": "blocked"}, {}),
}
"""Network → the states of functions, and the groups that are named."""
PLATFORMS = sorted({platform for platform, _, _ in BLOCKS.values()})


def networks(stories: Iterable[str], *more: LabNetwork) -> Lab:
    """A network for each story, and more. Controls with and without a proxy."""
    each = [
        LabNetwork(name, asn=64500 + number, country=BLOCKS[name][1])
        for number, name in enumerate(stories)
    ]
    return Lab([*each, *more], controls=1, direct=1, quic=True)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """All of them."""
    with networks(BLOCKS, LabNetwork("open", asn=64550)) as lab:
        yield lab


@pytest.fixture(scope="module")
def cycle(lab: Lab) -> Seen:
    """One look from all networks, each with its block."""
    config = write_config(lab, platforms=PLATFORMS, probe=UNHURRIED)
    rules = [apply(lab.network(name)) for name, (_, _, apply) in BLOCKS.items()]
    done = lab.run(["shutwatch", "once", "--quic", "--config", str(config), "--json"], timeout=300)
    assert all(rule.hits for rule in rules)
    for rule in rules:
        rule.lift()
    return seen(done)


@pytest.mark.parametrize("network", BLOCKS)
def test_a_blocked_function_is_named_and_the_rest_works(cycle: Seen, network: str) -> None:
    """What people can do is lost with the hosts that serve it, whatever other hosts answer."""
    functions, groups = WORKING[network]
    answer = next(row.answer for row in FUNCTIONS if row.name == network)
    verdict = cycle.platform(network, BLOCKS[network][0])
    said = {name: verdict[name] for name in msgspec.structs.asdict(answer)}
    assert said == msgspec.structs.asdict(answer)
    assert verdict["groups"] == groups
    assert {function: verdict["functions"][function] for function in functions} == functions


@pytest.mark.parametrize("network", BLOCKS)
def test_no_other_platform_is_accused(cycle: Seen, network: str) -> None:
    """A name of one platform says nothing about another's."""
    others = cycle.states(network)
    del others[BLOCKS[network][0]]
    assert set(others.values()) == {"ok"}


def test_nothing_is_accused_where_nothing_is_censored(cycle: Seen) -> None:
    """Every function works, and of each data centre one address was asked."""
    assert set(cycle.states("open").values()) == {"ok"}
    asked = [
        line
        for line in cycle.lines
        if (line["kind"], line["vantage"], line.get("platform"), line.get("function"))
        == ("endpoint", "open", "telegram", "chat")
    ]
    assert len(asked) == 5


def test_a_data_centre_with_an_ipv4_address_left_still_works(lab: Lab) -> None:
    """A part of DC 2 is lost, and programs try the rest. All IPv4 addresses of DC 4 are, and most
    people have no IPv6."""
    config = write_config(lab, platforms=["telegram"], probe=UNHURRIED)
    with lab.network("telegram-dc2-4").block(address=DC2_AND_4, how="drop"):
        done = lab.run(["shutwatch", "once", "--config", str(config), "--json"], timeout=300)
    story = seen(done)
    verdict = story.platform("telegram-dc2-4", "telegram")
    assert (verdict["state"], verdict["functions"]["chat"]) == ("degraded", "degraded")
    assert verdict["groups"]["chat"] == ["dc4"]
    assert story.platform("open", "telegram")["state"] == "ok"


def test_an_authority_that_nobody_knows_accuses_nobody(lab: Lab) -> None:
    """Signal may begin to sign by another one: then its certificates verify at no vantage."""
    nothing = lab.directory / "nothing.toml"
    nothing.write_text("")
    config = lab.directory / "other-authority.toml"
    text = lab.config(platforms=["signal"], probe=UNHURRIED)
    config.write_text(text.replace(str(lab.catalog), str(nothing)))
    done = lab.run(["shutwatch", "once", "--config", str(config), "--json"], timeout=300)
    verdict = seen(done).platform("open", "signal")
    assert (verdict["state"], verdict["rule_id"]) == ("insufficient", "tls.known_nowhere")
