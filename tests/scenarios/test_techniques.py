"""Every technique by itself, on real packets: the right state, method, rule and failure string.

One network per technique, all looked at in one run, so that each is also the others' witness that
nothing else is accused.
"""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from tests.lab.hosts import BLOCK_PAGE, LabHost, Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.story import Seen, once

pytestmark = pytest.mark.lab

X = "https://x.com/"
PLAIN = "http://plain.example/"
CATALOG = """
[platform.plain]
title = "A site without encryption"
owner = "Nobody"

[platform.plain.function.web]
core = true
endpoints = ["http://plain.example/"]
"""


class Technique(msgspec.Struct, frozen=True, kw_only=True):
    """One way to block, and what must be said of it."""

    name: str
    apply: Callable[[Network], object]
    endpoint: str = X
    state: str = "blocked"
    method: str
    sub_method: str
    failures: dict[str, str]
    rule_id: str = ""
    """By default `method.sub_method`."""
    evidence: str = "strong"


def _dns(how: str) -> Callable[[Network], object]:
    return lambda network: network.block(dns=["x.com"], how=how)


def _connect(how: str) -> Callable[[Network], object]:
    return lambda network: network.block(address=["x.com"], how=how)


def _hello(how: str) -> Callable[[Network], object]:
    return lambda network: network.block(sni=["x.com"], how=how)


def _forge(certificate: str) -> Callable[[Network], object]:
    return lambda network: network.forge(["x.com"], certificate)


def _request(how: str) -> Callable[[Network], object]:
    return lambda network: network.block(http=["plain.example"], how=how)


def _page(status: int, to: str = "") -> Callable[[Network], object]:
    return lambda network: network.page(["plain.example"], status=status, to=to)


TECHNIQUES = (
    Technique(
        name="dns-nxdomain",
        apply=_dns("nxdomain"),
        method="dns",
        sub_method="nxdomain",
        failures={"dns": "dns_nxdomain_error"},
        evidence="conclusive",
    ),
    Technique(
        name="dns-refused",
        apply=_dns("refused"),
        method="dns",
        sub_method="refused",
        failures={"dns": "dns_refused_error"},
        evidence="conclusive",
    ),
    Technique(
        name="dns-servfail",
        apply=_dns("servfail"),
        method="dns",
        sub_method="servfail",
        failures={"dns": "dns_servfail_error"},
        evidence="weak",
    ),
    Technique(
        name="dns-empty",
        apply=_dns("empty"),
        method="dns",
        sub_method="no_answer",
        failures={"dns": "dns_no_answer"},
        evidence="conclusive",
    ),
    Technique(
        name="dns-bogon",
        apply=_dns("bogon"),
        method="dns",
        sub_method="bogon",
        failures={"dns": "dns_bogon_error"},
        evidence="conclusive",
    ),
    Technique(
        name="dns-no-reply",
        apply=_dns("drop"),
        method="dns",
        sub_method="timeout",
        failures={"dns": "generic_timeout_error"},
        evidence="weak",
    ),
    Technique(
        name="dns-injected",
        apply=_dns("inject"),
        method="dns",
        sub_method="injection",
        failures={"dns": "dns_bogon_error"},
        evidence="conclusive",
    ),
    Technique(
        name="syn-dropped",
        apply=_connect("drop"),
        method="tcp",
        sub_method="timeout",
        failures={"tcp": "generic_timeout_error"},
        evidence="conclusive",
    ),
    Technique(
        name="syn-reset",
        apply=_connect("reset"),
        method="tcp",
        sub_method="refused",
        failures={"tcp": "connection_refused"},
    ),
    Technique(
        name="icmp-host",
        apply=_connect("icmp-host"),
        method="tcp",
        sub_method="unreachable",
        failures={"tcp": "host_unreachable"},
        evidence="conclusive",
    ),
    Technique(
        name="icmp-admin",
        apply=_connect("icmp-admin"),
        method="tcp",
        sub_method="unreachable",
        # IPv6 says permission denied; what IPv4 says is judged.
        failures={"tcp": "host_unreachable"},
        evidence="conclusive",
    ),
    Technique(
        name="icmp-net",
        apply=_connect("icmp-net"),
        method="tcp",
        sub_method="unreachable",
        failures={"tcp": "network_unreachable"},
        evidence="conclusive",
    ),
    Technique(
        name="icmp-port",
        apply=_connect("icmp-port"),
        method="tcp",
        sub_method="refused",
        failures={"tcp": "connection_refused"},
    ),
    Technique(
        name="hello-reset",
        apply=_hello("reset"),
        method="tls",
        sub_method="reset",
        failures={"tls": "connection_reset"},
        evidence="conclusive",
    ),
    Technique(
        name="hello-fin",
        apply=_hello("fin"),
        method="tls",
        sub_method="eof",
        failures={"tls": "eof_error"},
        evidence="conclusive",
    ),
    Technique(
        name="hello-alert",
        apply=_hello("alert"),
        method="tls",
        sub_method="alert",
        failures={"tls": "ssl_failed_handshake"},
        evidence="conclusive",
    ),
    Technique(
        name="hello-dropped",
        apply=_hello("drop"),
        method="tls",
        sub_method="timeout",
        failures={"tls": "generic_timeout_error"},
        evidence="conclusive",
    ),
    Technique(
        name="certificate-unknown-authority",
        apply=_forge("unknown-authority"),
        method="tls",
        sub_method="certificate",
        failures={"tls": "ssl_unknown_authority"},
        evidence="conclusive",
    ),
    Technique(
        name="certificate-wrong-name",
        apply=_forge("wrong-name"),
        method="tls",
        sub_method="certificate",
        failures={"tls": "ssl_invalid_hostname"},
        evidence="conclusive",
    ),
    Technique(
        name="http-reset",
        apply=_request("reset"),
        endpoint=PLAIN,
        method="http",
        sub_method="reset",
        failures={"http": "connection_reset"},
    ),
    Technique(
        name="http-fin",
        apply=_request("fin"),
        endpoint=PLAIN,
        method="http",
        sub_method="eof",
        failures={"http": "eof_error"},
    ),
    Technique(
        name="blockpage-200",
        apply=_page(200),
        endpoint=PLAIN,
        method="http",
        sub_method="blockpage",
        failures={},
    ),
    Technique(
        name="blockpage-302",
        apply=_page(302, to=f"http://{BLOCK_PAGE[0]}/"),
        endpoint=PLAIN,
        method="http",
        sub_method="blockpage",
        failures={},
    ),
    Technique(
        name="blockpage-403",
        apply=_page(403),
        endpoint=PLAIN,
        method="http",
        sub_method="blockpage",
        failures={},
    ),
    Technique(
        name="http-451",
        apply=_page(451),
        endpoint=PLAIN,
        method="http",
        sub_method="status_451",
        failures={},
    ),
)
BY_NAME = {technique.name: technique for technique in TECHNIQUES}


@pytest.fixture(scope="module")
def story() -> Iterator[Seen]:
    """All techniques at once, each on its own network, and one network without any."""
    names = [*BY_NAME, "open"]
    networks = [LabNetwork(name, asn=64500 + i, country="PK") for i, name in enumerate(names)]
    page = Page(body=web_page("Evening bulletin from the mountains"))
    plain = LabHost(name="plain.example", http={"": page})
    with Lab(networks, controls=1, more_hosts=[plain]) as lab:
        (lab.directory / "catalog.toml").write_text(CATALOG)
        for technique in TECHNIQUES:
            technique.apply(lab.network(technique.name))
        yield once(
            lab,
            egress="interface",
            extra='[catalog]\nfile = "catalog.toml"\nplatforms = ["x", "plain", "instagram"]',
        )


@pytest.mark.parametrize("name", BY_NAME)
def test_technique(story: Seen, name: str) -> None:
    """The technique is recognised, named, and put down to the layer it works on."""
    technique = BY_NAME[name]
    verdict = story.endpoint(name, technique.endpoint)
    found = {key: verdict[key] for key in ("state", "method", "sub_method", "rule_id", "evidence")}
    assert found == {
        "state": "blocked",
        "method": technique.method,
        "sub_method": technique.sub_method,
        "rule_id": technique.rule_id or f"{technique.method}.{technique.sub_method}",
        "evidence": technique.evidence,
    }, verdict
    assert verdict["failures"] == technique.failures
    platform = story.platform(name, "plain" if technique.endpoint == PLAIN else "x")
    assert (platform["state"], platform["functions"]["web"]) == ("blocked", "blocked")


@pytest.mark.parametrize("name", [*BY_NAME, "open"])
def test_nothing_else_is_accused(story: Seen, name: str) -> None:
    """What the censor leaves alone stays ok on every network."""
    assert story.vantage(name)["state"] == "ok"
    expected = {"x": "ok", "plain": "ok", "instagram": "ok"}
    if name in BY_NAME:
        expected["plain" if BY_NAME[name].endpoint == PLAIN else "x"] = "blocked"
    assert story.states(name) == expected
