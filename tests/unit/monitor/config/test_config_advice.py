"""What `check` asks an operator to think over."""

import re
from pathlib import Path

import pytest

from monitor.config.advice import advice
from monitor.config.load import default_settings, load_config
from monitor.config.settings import Settings
from monitor.wording.findings import finding_text
from monitor.wording.words import words_in
from probes.sockets.system_resolvers import ResolverAddress

FIELDS = """
[[vantage]]
id = "a"
country = "PK"
asn = 1
[[vantage]]
id = "b"
country = "PK"
asn = 2
egress = "interface:b0"
"""
CONTROLS = """
[[vantage]]
id = "c"
country = "DE"
asn = 3
role = "control"
egress = "interface:c0"
[[vantage]]
id = "d"
country = "NL"
asn = 4
role = "control"
egress = "interface:d0"
"""


def advised(folder: Path, text: str) -> tuple[str, ...]:
    """The advice on a configuration with this text."""
    path = folder / "shutwatch.toml"
    path.write_text(text)
    return said(load_config(path, {}))


def said(settings: Settings, *system: ResolverAddress) -> tuple[str, ...]:
    """The advice on these settings, in words."""
    return tuple(finding_text(words_in(), one) for one in advice(settings, system))


def test_the_recommended_set_up_needs_no_advice(tmp_path: Path) -> None:
    """Two networks in a country with domestic references, two controls in two networks."""
    assert advised(tmp_path, FIELDS + CONTROLS) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"[references]\nudp = []\n{FIELDS}{CONTROLS}",
            "No udp references: blocked calls look like a network without UDP",
        ),
        (FIELDS, "No control vantage: failures alone are not enough to tell"),
        (FIELDS + CONTROLS.rpartition("[[vantage]]")[0], "One control vantage only (c)"),
        (FIELDS + CONTROLS.replace("asn = 4", "asn = 3"), "c and d are in the same network"),
        (
            FIELDS
            + CONTROLS.replace("asn = 3", 'network = "One"').replace("asn = 4", 'network = "one"'),
            "c and d are in the same network",
        ),
        (FIELDS + CONTROLS.replace('"DE"', '"PK"'), "Control c is in PK"),
        (FIELDS + CONTROLS.replace("interface:c0", "direct"), "c leaves this machine as a does"),
        (FIELDS.rpartition("[[vantage]]")[0] + CONTROLS, "One vantage only in PK"),
        (FIELDS.replace("asn = 2", "") + CONTROLS, "No asn for b"),
        (
            FIELDS.replace('egress = "interface:b0"\n', "") + CONTROLS,
            "a and b leave this machine by the same way",
        ),
        (FIELDS + CONTROLS + "[references]\nuplink = []\n", "No uplink references"),
        (FIELDS + CONTROLS + "[references]\ninternational = []\n", "No international references"),
        (FIELDS + CONTROLS + "[references]\npopular = []\n", "No popular references"),
        (FIELDS.replace("PK", "FJ") + CONTROLS, "No domestic references for FJ"),
        ('database = "sqlite:////no/such/data.db"\n' + FIELDS + CONTROLS, "/no/such"),
        (
            FIELDS.replace("interface:b0", "socks5://127.0.0.1") + CONTROLS,
            "Seen only through a proxy: b. A proxy hides forged DNS answers",
        ),
        (
            FIELDS + CONTROLS.replace("interface:d0", "connect://m:pw@203.0.113.9"),
            "The password for the proxy of d crosses the network in plain text",
        ),
    ],
)
def test_each_weakness_is_named_alone(text: str, words: str, tmp_path: Path) -> None:
    """One weakness, one sentence, with the vantages or countries it is about."""
    found = advised(tmp_path, text)
    assert len(found) == 1
    assert words in found[0]


def test_a_collector_that_only_follows_needs_a_control_too(tmp_path: Path) -> None:
    """Its agents measure, and nothing confirms what they suspect. Who has no agents judges nothing
    and needs none."""
    follows = '[[source]]\nkind = "ooni"\ncountries = ["PK"]\n'
    assert advised(tmp_path, follows) == ()
    (found,) = advised(tmp_path, f'{follows}[collector]\nlisten = "127.0.0.1:8443"\n')
    assert "No control vantage of the collector's own" in found


def test_a_network_with_a_line_of_its_own_is_not_only_proxied(tmp_path: Path) -> None:
    """A proxy beside a line on the same network hides nothing that the line does not show."""
    proxied = '[[vantage]]\nid = "e"\ncountry = "PK"\nasn = 2\negress = "socks5://127.0.0.1"\n'
    assert advised(tmp_path, FIELDS + CONTROLS + proxied) == ()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ('listen = "127.0.0.1:1"\n', ""),
        ('listen = "0.0.0.0:1"\n', "it is served at http://0.0.0.0:1."),
        ('listen = "0.0.0.0:1"\npublic_url = "https://w.ngo.pk"\n', ""),
        ('public_url = "http://w.ngo.pk"\n', "it is served at http://w.ngo.pk."),
        ('public_url = "http://127.0.0.1:8080"\n', ""),
    ],
)
def test_passwords_in_plain_text_are_named(tmp_path: Path, place: str, told: str) -> None:
    """The page speaks no TLS: whoever lets others sign in needs something in front that does."""
    (tmp_path / "tokens").write_text("a" * 64)
    server = f'[server]\ntokens = "{tmp_path / "tokens"}"\n'
    assert told in " ".join(advised(tmp_path, place + server + FIELDS + CONTROLS))
    assert bool(told) is bool(advised(tmp_path, place + server + FIELDS + CONTROLS))


def test_without_a_file_the_missing_control_is_the_only_advice() -> None:
    """Who just tries it out is told the one thing that matters."""
    found = said(default_settings())
    assert len(found) == 1
    assert found[0].startswith("No control vantage")


COLLECTOR = '[collector]\nlisten = "127.0.0.1:8443"\n'
ONE_CONTROL = CONTROLS.rpartition("[[vantage]]")[0]


def test_a_collector_is_told_of_controls_that_may_be_agents(tmp_path: Path) -> None:
    """No file says who is enrolled, so what holds only without them is not said as if it held; what
    a control of its own is for is said all the same."""
    (found,) = advised(tmp_path, COLLECTOR)
    assert found.startswith("No control vantage of the collector's own: nobody tests at once")
    assert "unless an enrolled agent is a control (vantage invite --role control)" in found


def test_a_collector_with_one_control_is_told_that_agents_may_be_others(tmp_path: Path) -> None:
    """As long as it serves agents; a monitor by itself has only what its file names."""
    (found,) = advised(tmp_path, FIELDS + ONE_CONTROL + COLLECTOR)
    assert "nothing can be judged, unless an enrolled agent is a control too." in found
    (found,) = advised(tmp_path, FIELDS + ONE_CONTROL)
    assert "nothing can be judged. Add a second" in found


def test_a_collector_with_one_vantage_in_a_country_is_told_what_confirms(tmp_path: Path) -> None:
    """Two must agree at a collector: without agents, which only the database knows, its one vantage
    confirms nothing and no message is sent."""
    alone = FIELDS.rpartition("[[vantage]]")[0] + CONTROLS + COLLECTOR
    (found,) = advised(tmp_path, alone)
    assert found.startswith("PK has 1 of the collector's own vantages, and 2 must agree to confirm")
    assert found.endswith("set agreement = 1 under [events].")
    assert advised(tmp_path, alone + "[events]\nagreement = 1\n") == ()
    assert advised(tmp_path, FIELDS + CONTROLS + COLLECTOR) == ()


STUB = ResolverAddress(address="127.0.0.53", stub=True)
PROXIED = """
[[vantage]]
id = "p"
country = "PK"
asn = 5
egress = "socks5://proxy.example.net"
[[vantage]]
id = "r"
country = "PK"
asn = 6
egress = "interface:r0"
resolver = "192.0.2.53"
"""


def test_a_stub_is_named_with_the_vantages_that_ask_it(tmp_path: Path) -> None:
    """Those behind a proxy or with a resolver of their own never ask it."""
    path = tmp_path / "shutwatch.toml"
    path.write_text(FIELDS + PROXIED + CONTROLS)
    _, found = said(load_config(path, {}), STUB)
    assert found.startswith("Only a stub resolver (127.0.0.53) for a, b: ")
    assert "hides forged answers" in found


def test_a_stub_with_another_resolver_behind_it_is_nothing_to_say(tmp_path: Path) -> None:
    """One that can be asked directly is asked."""
    path = tmp_path / "shutwatch.toml"
    path.write_text(FIELDS + CONTROLS)
    assert said(load_config(path, {}), STUB, ResolverAddress(address="192.0.2.53")) == ()


def test_a_configured_address_on_loopback_is_a_stub_too(tmp_path: Path) -> None:
    """Whoever listens there asks somebody else, out of sight, unless that network is a real one."""
    path = tmp_path / "shutwatch.toml"
    path.write_text(FIELDS.replace("asn = 2", 'asn = 2\nresolver = "127.0.0.1:5353"') + CONTROLS)
    (found,) = said(load_config(path, {}))
    assert found.startswith("Only a stub resolver (127.0.0.1) for b: ")
    allowed = '[probe]\nbogon_allow = ["127.0.0.0/24"]\n'
    path.write_text(allowed + path.read_text())
    assert advice(load_config(path, {})) == ()


@pytest.mark.parametrize(
    ("line", "resolver", "told"),
    [("", "", False), ("proxy", "", True), ("proxy", "192.0.2.53", False)],
)
def test_a_collector_hears_when_its_controls_see_no_family(
    tmp_path: Path, line: str, resolver: str, told: bool
) -> None:
    """Agents' failures over IPv4 alone need a control that shows which family it used. For its own
    field vantages a control tries the very address, so nothing is missing there."""
    more = f'resolver = "{resolver}"\n' if resolver else ""
    controls = CONTROLS.replace('role = "control"\n', f'role = "control"\n{more}')
    if line:
        controls = re.sub("interface:.0", "socks5://127.0.0.1:1080", controls)
    collector = '[collector]\nlisten = "127.0.0.1:8443"\n'
    words = "so none shows agents over which of IPv4 and IPv6"
    assert (words in " ".join(advised(tmp_path, collector + FIELDS + controls))) is told
    assert words not in " ".join(advised(tmp_path, FIELDS + controls))
