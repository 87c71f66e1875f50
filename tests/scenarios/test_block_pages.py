"""Block pages and filtering products known by their words, on real packets.

One network per page, with controls and without, and sites that only quote such words.
"""

from collections.abc import Callable, Mapping

import msgspec
import pytest

from tests.lab.hosts import BLOCK_PAGE, LabHost, Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix import catalogue
from tests.scenarios.story import Line, Seen, once

pytestmark = pytest.mark.lab

PLAIN = "http://plain.example/"
QUOTING = "http://quoting.example/"
QUOTING_SAFELY = "https://quoting.example/"
SECURE = "https://secure.example/"

DECREE = "This site is prohibited for viewership from within Pakistan."
FILTER = "Web Page Blocked! FortiGuard intrusion prevention: access denied."
ORDER = "Withheld by order 4711 of the Ministry of Calm."
NOTICE = "Your provider has put this page aside."
UNKNOWN = "Surf safely with us."

OONIS_CSV = f"""\
name,scope,other_names,location_found,pattern_type,pattern,confidence_no_fp,expected_countries
nat.calm,nat,,body,contains,{ORDER},10,PK
"""
OWN_TOML = f"""\
[[fingerprint]]
id = "aside"
where = "body"
pattern = "{NOTICE}"
scope = "isp"
"""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What must be said of one endpoint, as `RULE EVIDENCE`, or what failed at the layer."""

    apply: Callable[[Network], object]
    country: str = "PK"
    endpoint: str = PLAIN
    rule_id: str
    method: str
    sub_method: str
    evidence: str
    alone: str = ""
    """The evidence where no control can be asked; empty where ALONE says what is said."""
    failure: str


def _page(body: str) -> Callable[[Network], object]:
    return lambda network: network.page(["plain.example"], body=body)


def _known(body: str, fingerprint: str, alone: str, country: str = "PK") -> Told:
    return Told(
        apply=_page(body),
        country=country,
        rule_id="http.known_blockpage",
        method="http",
        sub_method="blockpage",
        evidence="strong",
        alone=alone,
        failure=f"blockpage:{fingerprint}",
    )


def _certificate(organisation: str, alone: str, country: str = "PK") -> Told:
    return Told(
        apply=lambda network: network.forge(["secure.example"], f"by {organisation}"),
        country=country,
        endpoint=SECURE,
        rule_id="tls.known_certificate",
        method="tls",
        sub_method="certificate",
        evidence="conclusive",
        alone=alone,
        failure="ssl_unknown_authority",
    )


TOLD: Mapping[str, Told] = {
    "national": _known(DECREE, "pk-prohibited-viewership", "strong"),
    # The same words in another country may be anybody's.
    "abroad": _known(DECREE, "pk-prohibited-viewership", "weak", "BR"),
    "product": _known(FILTER, "fortinet-page", "weak"),
    "operators-csv": _known(ORDER, "nat.calm", "strong"),
    "operators-toml": _known(NOTICE, "aside", "weak"),
    "product-certificate": _certificate("Fortinet", "weak"),
    "state-certificate": _certificate("Qaznet Trust Network", "strong", "KZ"),
    "unknown": Told(
        apply=_page(UNKNOWN),
        rule_id="http.blockpage",
        method="http",
        sub_method="blockpage",
        evidence="strong",
        failure="",
    ),
    "hijack": Told(
        apply=lambda network: network.block(
            dns=["secure.example"], how="address", answer=BLOCK_PAGE
        ),
        endpoint=SECURE,
        rule_id="dns.hijack",
        method="dns",
        sub_method="hijack",
        evidence="conclusive",
        failure="ssl_unknown_authority",
    ),
}
ALONE: Mapping[str, tuple[str, ...]] = {
    "unknown": ("insufficient", "control.dead", "", "", "none"),
    "hijack": ("blocked", "control.absent", "tls", "certificate", "weak"),
}
SITES = {
    "plain": PLAIN,
    "quoting": QUOTING,
    "quoting-safely": QUOTING_SAFELY,
    "secure": SECURE,
}


def _look(*, control: bool) -> Seen:
    page = Page(body=web_page("Evening bulletin from the mountains"))
    quote = Page(body=f"<html><title>What censors write</title>{DECREE} {FILTER}</html>")
    sites = [
        LabHost(name="plain.example", http={"": page}),
        LabHost(name="secure.example", https={"": page}),
        LabHost(name="quoting.example", http={"": quote}, https={"": quote}),
    ]
    networks = [
        LabNetwork(name, asn=64500 + i, country=told.country)
        for i, (name, told) in enumerate(TOLD.items())
    ]
    networks.append(LabNetwork("open", asn=64499))
    with Lab(networks, controls=2, more_hosts=sites) as lab:
        for name, told in TOLD.items():
            told.apply(lab.network(name))
        if not control:
            for one in lab.controls:
                one.kill()
        (lab.directory / "rows.toml").write_text(catalogue(SITES), encoding="utf-8")
        (lab.directory / "oonis.csv").write_text(OONIS_CSV, encoding="utf-8")
        (lab.directory / "own.toml").write_text(OWN_TOML, encoding="utf-8")
        listed = ", ".join(f'"{name}"' for name in SITES)
        extra = (
            f'[catalog]\nfile = "rows.toml"\nplatforms = [{listed}]\n\n'
            '[fingerprints]\nfiles = ["oonis.csv", "own.toml"]'
        )
        return once(lab, extra=extra, timeout=90)


@pytest.fixture(scope="module")
def controlled() -> Seen:
    """One cycle with two controls."""
    return _look(control=True)


@pytest.fixture(scope="module")
def alone() -> Seen:
    """One cycle in which no control can be asked."""
    return _look(control=False)


def _said(line: Line) -> tuple[str, ...]:
    return tuple(line[key] for key in ("state", "rule_id", "method", "sub_method", "evidence"))


@pytest.mark.parametrize("name", TOLD)
def test_beside_a_control(controlled: Seen, name: str) -> None:
    """Each page and certificate is named by what it is, at its grade, and nothing else accused."""
    told = TOLD[name]
    line = controlled.endpoint(name, told.endpoint)
    assert _said(line) == ("blocked", told.rule_id, told.method, told.sub_method, told.evidence)
    if told.failure:
        assert told.failure in line["failures"].values()
    blocked = {one["endpoint"] for one in controlled.lines if _blocked_at(one, name)}
    assert blocked == {told.endpoint}


def _blocked_at(line: Line, vantage: str) -> bool:
    return (line["kind"], line.get("vantage"), line["state"]) == ("endpoint", vantage, "blocked")


@pytest.mark.parametrize("name", TOLD)
def test_without_a_control(alone: Seen, name: str) -> None:
    """What a country is known to show stands by itself, a product's is weak, a mere difference is
    nothing, and nobody says which addresses are honest."""
    told = TOLD[name]
    line = alone.endpoint(name, told.endpoint)
    by_itself = ("blocked", told.rule_id, told.method, told.sub_method, told.alone)
    assert _said(line) == ALONE.get(name, by_itself)
    assert told.failure in ("", *line["failures"].values())


@pytest.mark.parametrize("name", ["open", "national", "product"])
def test_a_site_that_quotes_such_words_is_not_blocked(controlled: Seen, name: str) -> None:
    """The control is shown them too, and over TLS they are the site's own in any case."""
    assert controlled.endpoint(name, QUOTING)["rule_id"] == "http.same_as_control"
    assert controlled.endpoint(name, QUOTING_SAFELY)["rule_id"] == "endpoint.reached"


def test_over_tls_words_accuse_nobody_even_without_a_control(alone: Seen) -> None:
    """A page over a verified connection is the site's own."""
    assert alone.endpoint("open", QUOTING_SAFELY)["state"] == "ok"


def test_where_nothing_is_in_the_way_nobody_is_accused(controlled: Seen) -> None:
    """The open network reads all four sites."""
    assert set(controlled.states("open").values()) == {"ok"}
