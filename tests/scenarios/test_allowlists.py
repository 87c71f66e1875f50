"""Networks that let only a list of sites pass, that are cut off from abroad, or whose resolver is
at fault: each is told as what it is, and no platform is singled out.

Each is one network of one lab, looked at through the real command in one run.
"""

from collections.abc import Callable, Collection
from functools import partial

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog
from probes.catalog.catalog import ReferenceScope
from tests.lab import hosts
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix_lines import LISTS
from tests.scenarios.story import Seen, at_once, once

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

PLATFORMS = ["x", "facebook", "youtube"]
GOOGLE = [host.name for host in hosts.ALL if host.group == "google"] + ["www.google.com"]
META = [host.name for host in hosts.ALL if host.group == "meta"]
NAMES = [host.name for host in hosts.ALL if not host.country and not host.raw and host.ports]
REFERENCES = [
    one.endpoint.host
    for one in shipped_catalog().references
    if one.scope in (ReferenceScope.INTERNATIONAL, ReferenceScope.POPULAR)
]
FEW = ["www.wikipedia.org", "www.cloudflare.com", "www.gstatic.com"]
"""The international references of a lab's usual configuration."""
TOP = sorted({name.rpartition(".")[2] for name in [*NAMES, "www.pta.gov.pk"]})
X_NAMES = [".x.com", ".twitter.com", ".twimg.com", "t.co"]


def _names_but(*spared: list[str]) -> list[str]:
    return [name for name in NAMES if not any(name in several for several in spared)]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What happens on one network, and what is to be said of it."""

    country: str = "PK"
    apply: Callable[[Network], object]
    state: str
    rule: str
    passing: frozenset[str] = frozenset()
    """Hosts that must be named among what passes."""
    kept_out: frozenset[str] = frozenset()
    """Hosts that must not."""
    ok: frozenset[str] = frozenset()
    """Platforms that work."""


LINES = {
    "allowlist-google": Line(
        apply=lambda network: network.pass_only(GOOGLE),
        state="allowlist",
        rule="vantage.allowlist",
        passing=frozenset({"www.google.com", "www.dawn.com", "www.youtube.com"}),
        kept_out=frozenset({"www.wikipedia.org", "x.com"}),
        ok=frozenset({"youtube"}),
    ),
    "allowlist-names": Line(
        apply=lambda network: network.block(sni=_names_but(GOOGLE), how="drop"),
        state="allowlist",
        rule="vantage.allowlist_by_name",
        passing=frozenset({"www.google.com", "www.dawn.com"}),
        kept_out=frozenset({"www.wikipedia.org", "x.com"}),
        ok=frozenset({"youtube"}),
    ),
    "allowlist-dns": Line(
        apply=lambda network: network.block(dns=_names_but(GOOGLE), how="nxdomain"),
        state="allowlist",
        rule="vantage.allowlist",
        passing=frozenset({"www.google.com", "www.dawn.com"}),
        kept_out=frozenset({"www.wikipedia.org"}),
        ok=frozenset({"youtube"}),
    ),
    "free-bundle": Line(
        apply=lambda network: network.pass_only(META, domestic=False),
        state="allowlist",
        rule="vantage.allowlist",
        passing=frozenset({"www.facebook.com"}),
        kept_out=frozenset({"www.google.com", "www.dawn.com"}),
        ok=frozenset({"facebook"}),
    ),
    "references-muted": Line(
        apply=lambda network: network.block(sni=[*X_NAMES, *REFERENCES, *FEW], how="drop"),
        state="allowlist",
        rule="vantage.allowlist_by_name",
        passing=frozenset({"www.dawn.com", "www.facebook.com"}),
        ok=frozenset({"facebook", "youtube"}),
    ),
    "allowlist-home-names": Line(
        apply=lambda network: network.block(sni=NAMES, how="drop"),
        state="allowlist",
        rule="vantage.allowlist_by_name",
        passing=frozenset({"www.dawn.com"}),
        kept_out=frozenset({"www.google.com", "x.com"}),
    ),
    "large-packets-abroad": Line(
        apply=lambda network: network.path_mtu(1300, NAMES),
        state="unknown",
        rule="vantage.large_packets",
    ),
    "foreign-lines-cut": Line(
        country="IR",
        apply=lambda network: network.cut_foreign(),
        state="international_cut",
        rule="vantage.international_cut",
    ),
    "ipv4-cut": Line(
        apply=lambda network: network.pass_only(["::/0"]),
        state="ok",
        rule="vantage.ipv4_cut",
        ok=frozenset(PLATFORMS),
    ),
    "resolver-silent": Line(
        apply=lambda network: network.block(dns=[f".{top}" for top in TOP], how="drop"),
        state="offline",
        rule="vantage.resolver_down",
    ),
    "resolver-cut-off": Line(
        apply=lambda network: network.block(dns=NAMES, how="servfail"),
        state="unknown",
        rule="vantage.resolver_cut_off",
    ),
    "some-references-dead": Line(
        apply=lambda network: network.block(address=REFERENCES[:5], how="drop"),
        state="ok",
        rule="vantage.ok",
        ok=frozenset(PLATFORMS),
    ),
    "office-opens-most": Line(
        apply=lambda network: network.forge(_names_but(GOOGLE), "by Office Gateway"),
        state="ok",
        rule="vantage.ok",
        ok=frozenset({"youtube"}),
    ),
}

FEW_TELL = ("allowlist-google", "allowlist-names", "free-bundle", "references-muted")
"""Where three international references of the operator's own beside the shipped popular ones tell
as much."""


def _look(names: Collection[str], **options: bool) -> Seen:
    networks = [
        LabNetwork(name, asn=64500 + i, country=LINES[name].country) for i, name in enumerate(names)
    ]
    with Lab(networks, controls=2, large_certificates=True) as lab:
        for name in names:
            LINES[name].apply(lab.network(name))
        return once(lab, egress="interface", timeout=300, platforms=PLATFORMS, **options)


@pytest.fixture(scope="module")
def looks() -> list[Seen]:
    """Every line in a network of its own, with the shipped references; and some with few."""
    return at_once(partial(_look, LINES, few_references=False), partial(_look, FEW_TELL))


@pytest.fixture
def shipped(looks: list[Seen]) -> Seen:
    """The first."""
    return looks[0]


@pytest.fixture
def few(looks: list[Seen]) -> Seen:
    """The second."""
    return looks[1]


def _is_told(seen: Seen, name: str) -> None:
    line, health = LINES[name], seen.vantage(name)
    assert (health["state"], health["rule_id"]) == (line.state, line.rule), health
    passing = set(health["passing"])
    assert line.passing <= passing
    assert not line.kept_out & passing
    states = seen.states(name)
    assert {platform for platform in states if states[platform] == "ok"} == line.ok
    assert set(states.values()) <= {"ok", "insufficient"}
    assert not [one for one in seen.accusations() if one["vantage"] == name]


@pytest.mark.parametrize("name", LINES)
def test_what_a_line_lets_pass_is_told_and_nobody_is_accused(shipped: Seen, name: str) -> None:
    """The vantage's state names the line, and what fails there is insufficient for that reason."""
    _is_told(shipped, name)
    row = next((one for one in LISTS if one.name == name), None)
    if row is not None:
        rules = {
            one["rule_id"]
            for one in shipped.lines
            if one["kind"] == "endpoint" and one["vantage"] == name and one["state"] != "ok"
        }
        assert rules == {row.answer.rule_id}


@pytest.mark.parametrize("name", FEW_TELL)
def test_few_references_of_ones_own_tell_a_list_too(few: Seen, name: str) -> None:
    """Together with popular ones and the platforms that answer."""
    _is_told(few, name)
