"""Faults that meet every host alike, references too: the line's own trouble, and nobody's block.

Each is a network of its own, looked at through the real command.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from monitor.config.catalog import shipped_catalog
from probes.catalog.endpoint_kinds import Protocol
from probes.catalog.host import is_literal
from probes.measure.follow_up import ADVERTISERS
from tests.lab import hosts
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network, Rule
from tests.scenarios.story import UNHURRIED, Seen, once, seen, write_config

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

IPV4, ALL = ["0.0.0.0/0"], ["0.0.0.0/0", "::/0"]
PLATFORMS = ["x", "facebook", "whatsapp"]
HOSTS = {one.endpoint.host for one in shipped_catalog().references}
REFERENCES = sorted(host for host in HOSTS if not is_literal(host))
TOP = sorted({f".{name.rpartition('.')[2]}" for name in REFERENCES})
"""Of every name that is sent."""
OF_X = [one.name for one in hosts.ALL if one.group == "x"]
FREE = ("www.google.com", "www.gstatic.com")
"""References that a portal lets pass."""
APP = ("graph.facebook.com", "b-graph.facebook.com")
OF_PLATFORMS = [one.name for one in hosts.ALL if one.group in ("x", "meta")]
WHATSAPP_CHAT = sorted(
    {
        endpoint.host
        for platform in shipped_catalog().platforms
        for function in platform.functions
        for endpoint in function.endpoints
        if endpoint.protocol is Protocol.WHATSAPP
    }
)
DATA_CENTRES = [
    *("149.154.160.0/20", "95.161.76.0/24", "91.108.56.0/22"),
    *("2001:67c:4e8::/48", "2001:b28:f23d::/48", "2001:b28:f23f::/48"),
]

ONE_FAMILY: dict[str, Callable[[Network], object]] = {
    "ipv4-large-packets": lambda network: network.path_mtu(1300, IPV4),
    "ipv4-dropped": lambda network: network.block(address=IPV4, ports=[443], how="drop"),
    "ipv4-refused": lambda network: network.block(address=IPV4, ports=[443], how="reset"),
    "ipv4-reset": lambda network: network.block(sni=TOP, family=4, how="reset"),
    "ipv6-reset": lambda network: network.block(sni=TOP, family=6, how="reset"),
}
LINES: dict[str, Callable[[Network], object]] = {
    **ONE_FAMILY,
    "large-packets": lambda network: network.path_mtu(1300, ALL),
    "platforms-over-ipv4": lambda network: network.block(sni=OF_PLATFORMS, family=4, how="reset"),
    "login-proxy": lambda network: (
        network.page(status=407, headers={"Proxy-Authenticate": "Basic realm=office"}),
        network.block(sni=OF_X, how="reset"),
    ),
    "portal-with-free-sites": lambda network: (
        network.page(to=f"http://{hosts.PORTAL}/login"),
        network.block(sni=[one for one in (*REFERENCES, *OF_X) if one not in FREE], how="drop"),
    ),
    "ad-filter": lambda network: network.block(
        dns=[ADVERTISERS, *APP], how="bogon", answer=["0.0.0.0", "::"]
    ),
    "ad-filter-denies": lambda network: network.block(dns=[ADVERTISERS, *APP], how="nxdomain"),
    "ad-filter-refuses": lambda network: network.block(dns=[ADVERTISERS, *APP], how="refused"),
    "ad-filter-is-empty": lambda network: network.block(dns=[ADVERTISERS, *APP], how="empty"),
    "app-denied": lambda network: network.block(dns=APP, how="nxdomain"),
    "known-antivirus": lambda network: network.forge(OF_X, "by AO Kaspersky Lab"),
}


@pytest.fixture(scope="module")
def lines() -> Iterator[Seen]:
    """All of them, looked at in one run."""
    networks = [LabNetwork(name, asn=64500 + number) for number, name in enumerate(LINES)]
    with Lab(networks, controls=1, direct=1, large_certificates=True) as lab:
        for name, apply in LINES.items():
            apply(lab.network(name))
        yield once(lab, timeout=300, platforms=PLATFORMS, few_references=False)


def _accused(story: Seen, vantage: str) -> list[tuple[str, str, str]]:
    return [
        (one["kind"], one["rule_id"], one["evidence"])
        for one in story.accusations()
        if one["vantage"] == vantage
    ]


@pytest.mark.parametrize("name", ONE_FAMILY)
def test_a_family_that_fails_for_the_whole_line_accuses_nobody(lines: Seen, name: str) -> None:
    """That cleartext passes over it showed it to work, and every platform was accused of it."""
    assert not _accused(lines, name)
    assert lines.vantage(name)["rule_id"] == "vantage.ok"
    assert set(lines.states(name).values()) == {"ok"}


def test_a_block_of_every_platform_over_one_family_is_told(lines: Seen) -> None:
    """References answer over it: it works."""
    states = lines.states("platforms-over-ipv4")
    assert set(states.values()) <= {"partial", "degraded"}, states
    x = lines.platform("platforms-over-ipv4", "x")
    assert (x["state"], x["rule_id"]) == ("partial", "family.tls")
    assert x["evidence"] in ("strong", "conclusive")  # not every endpoint is followed up


@pytest.mark.parametrize("name", ["login-proxy", "portal-with-free-sites"])
def test_what_a_portal_lets_pass_is_nobodys_list(lines: Seen, name: str) -> None:
    """It asks for a login in cleartext, and opens or cuts TLS as its owner likes."""
    assert not _accused(lines, name)
    health = lines.vantage(name)
    assert (health["state"], health["rule_id"]) == ("captive_portal", "vantage.captive_portal")
    assert lines.platform(name, "x")["state"] == "insufficient"


@pytest.mark.parametrize("name", [one for one in LINES if one.startswith("ad-filter")])
def test_a_filter_against_advertising_accuses_nobody(lines: Seen, name: str) -> None:
    """It has names of Facebook's app on its lists, and answers in the way it is set to."""
    assert not _accused(lines, name)
    said = lines.platform(name, "facebook")
    assert (said["state"], said["rule_id"]) == ("insufficient", "dns.own_filter")
    assert lines.platform(name, "x")["state"] == "ok"


def test_a_resolver_that_denies_a_platform_alone_accuses(lines: Seen) -> None:
    """It gives advertisers their addresses."""
    said = lines.platform("app-denied", "facebook")
    assert (said["state"], said["rule_id"]) == ("blocked", "dns.nxdomain")
    assert said["evidence"] == "conclusive"


def test_known_software_that_opens_one_platform_accuses_nobody(lines: Seen) -> None:
    """As it is set on the vantage's own machine."""
    assert not _accused(lines, "known-antivirus")
    said = lines.platform("known-antivirus", "x")
    assert (said["state"], said["rule_id"]) == ("insufficient", "tls.local_authority")
    assert lines.platform("known-antivirus", "facebook")["state"] == "ok"


def test_a_line_that_loses_large_packets_is_no_list_of_names(lines: Seen) -> None:
    """WhatsApp's chat answers in small packets, and was named as all that the list lets pass."""
    assert not _accused(lines, "large-packets")
    health = lines.vantage("large-packets")
    assert (health["state"], health["rule_id"]) == ("unknown", "vantage.no_tls")
    assert health["passing"] == []


@pytest.fixture(scope="module")
def firewalls() -> Iterator[Seen]:
    """Networks that keep apps from speaking to their chat servers, in one run."""
    chats = {"tls-alone": [*WHATSAPP_CHAT, *DATA_CENTRES], "whatsapp-cut": WHATSAPP_CHAT}
    with Lab([LabNetwork(name, 64500 + n) for n, name in enumerate(chats)], direct=1) as lab:
        for name, servers in chats.items():
            lab.network(name).middlebox(servers)
        yield once(lab, timeout=300, platforms=["whatsapp", "telegram"])


def test_a_firewall_that_lets_tls_alone_through_is_no_strong_sign(firewalls: Seen) -> None:
    """Connections come about, and what no browser says there gets no answer. It looks like a block
    of all apps with a protocol of their own, and confirms none."""
    for platform in ("whatsapp", "telegram"):
        said = firewalls.platform("tls-alone", platform)
        found = [said[key] for key in ("state", "rule_id", "evidence")]
        assert found == ["blocked", "app.middlebox", "weak"]
        assert said["functions"]["web"] == "ok"


def test_a_block_of_one_apps_protocol_is_strong(firewalls: Seen) -> None:
    """Another app's own protocol is answered: the line carries more than TLS."""
    said = firewalls.platform("whatsapp-cut", "whatsapp")
    assert [said[key] for key in ("state", "rule_id", "evidence")] == [
        "blocked",
        "app.middlebox",
        "strong",
    ]
    assert firewalls.platform("whatsapp-cut", "telegram")["state"] == "ok"


FIRST_ROUND: dict[str, Callable[[Network, Sequence[str]], Rule]] = {
    "reset": lambda network, names: network.block(sni=names, how="reset"),
    "denied": lambda network, names: network.block(dns=names, how="nxdomain"),
}


@pytest.mark.parametrize("how", FIRST_ROUND)
def test_trouble_that_ends_before_the_last_references_accuses_nobody(how: str) -> None:
    """The first round of references shows it, and then whatever fails may fail by it."""
    with Lab([LabNetwork("a", 64500)], controls=1, direct=1) as lab:
        network, act = lab.network("a"), FIRST_ROUND[how]
        names = [one for one in REFERENCES if not one.startswith("captive.")]
        spoiled, failing = act(network, names), act(network, ["x.com", "twitter.com"])
        config = write_config(lab, platforms=["x"], probe=UNHURRIED, few_references=False)
        running = lab.popen(
            ["shutwatch", "once", "--config", str(config), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 120
        while not failing.hits:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        spoiled.lift()
        output, errors = running.communicate(timeout=200)
    story = seen(subprocess.CompletedProcess([], running.returncode, output, errors))
    assert story.vantage("a")["state"] == "ok"
    assert story.states("a") == {"x": "insufficient"}
    assert story.platform("a", "x")["rule_id"] == "vantage.no_tls"
    assert not story.accusations()


def test_a_data_centre_with_one_port_left_works() -> None:
    """Programs try every port. Which members of a pool are tested first is not left to luck: four
    vantages with five data centres each."""
    dropped = {"443-left": [80, 5222], "5222-left": [80, 443]}
    names = [f"{name}-{number}" for name in dropped for number in range(2)]
    with Lab([LabNetwork(name, 64500 + n) for n, name in enumerate(names)], direct=1) as lab:
        for network in lab.networks:
            ports = dropped[network.name.rpartition("-")[0]]
            network.block(address=DATA_CENTRES, ports=ports, how="drop")
        story = once(lab, timeout=300, platforms=["telegram"])
    chats = {name: story.platform(name, "telegram")["functions"]["chat"] for name in names}
    assert chats == dict.fromkeys(names, "ok")
