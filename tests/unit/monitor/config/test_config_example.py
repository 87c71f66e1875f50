"""The example that `shutwatch init` writes."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.config.advice import advice
from monitor.config.keys_by_table import TABLES
from monitor.config.load import default_settings, load_config
from monitor.config.placeholders import placeholders
from monitor.config.settings import Settings
from monitor.notify.settings import Route
from monitor.wording.findings import What
from probes.vantage import EgressKind, VantagePoint, VantageRole

TEXT = files("monitor.config").joinpath("example_config.toml").read_text(encoding="utf-8")
AGENTS_TEXT = files("monitor.agent").joinpath("example_agent.toml").read_text(encoding="utf-8")
"""The one that `shutwatch agent join` fills in."""
SWITCHED_ON = re.sub(r"^#(?=[^\s#])", "", TEXT, flags=re.MULTILINE)
"""The example with every setting and part in it that is switched off switched on."""


def load(folder: Path, text: str, **environ: str) -> Settings:
    """The settings of a configuration with this text."""
    path = folder / "shutwatch.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environ)


@pytest.fixture
def example(tmp_path: Path) -> Settings:
    """The example as it is written."""
    return load(tmp_path, TEXT)


@pytest.fixture
def switched_on(tmp_path: Path) -> Settings:
    """The example with everything switched on."""
    return load(tmp_path, SWITCHED_ON, PROXY_PASSWORD="p@ss/word")  # noqa: S106 - made up


def in_role(settings: Settings, role: VantageRole) -> list[VantagePoint]:
    """The vantages of one role."""
    return [vantage for vantage in settings.vantages if vantage.role is role]


def test_it_is_right_as_it_is_and_needs_no_advice(example: Settings) -> None:
    """It loads without any environment, and is a set-up worth copying."""
    assert advice(example) == ()


def test_it_looks_at_pakistan_from_three_networks_by_three_ways_out(example: Settings) -> None:
    """Three networks, three kinds of egress, one country."""
    fields = in_role(example, VantageRole.FIELD)
    assert [vantage.country for vantage in fields] == ["PK"] * 3
    assert len({vantage.asn for vantage in fields}) == 3
    assert {vantage.egress.kind for vantage in fields} == {
        EgressKind.DIRECT,
        EgressKind.SOURCE,
        EgressKind.INTERFACE,
    }


def test_it_has_two_controls_in_different_networks_abroad(example: Settings) -> None:
    """The recommended set-up of controls."""
    controls = in_role(example, VantageRole.CONTROL)
    assert len({vantage.asn for vantage in controls}) == 2
    assert not {vantage.country for vantage in controls} & {"PK", "BR"}


def test_brazil_is_ready_to_switch_on(switched_on: Settings) -> None:
    """Removing the # in front is all it takes, and the whole stays right."""
    fields = in_role(switched_on, VantageRole.FIELD)
    brazil = [vantage for vantage in fields if vantage.country == "BR"]
    assert len({vantage.asn for vantage in brazil}) == 3
    # It shows how a proxy is written, which sees less than a line.
    assert [one.what for one in advice(switched_on)] == [
        What.ONLY_PROXIED,
        What.PLAIN_PROXY_PASSWORD,
    ]


def test_what_it_makes_up_is_known_for_it(switched_on: Settings) -> None:
    """Whoever forgets to put in their own is told, by key; nothing that is right is accused."""
    found = [one.values for one in placeholders(switched_on)]
    assert {"key": "egress of control-fra", "value": "control-fra.example.net"} in found
    assert {"key": "resolver of khi-jazz", "value": "192.0.2.0/24"} in found
    assert {"key": "egress of khi-nayatel", "value": "198.51.100.0/24"} in found
    assert {"key": "an address of notify.route newsroom", "value": "ntfy.example.org"} in found
    assert not [one for one in found if "khi-ptcl" in one["key"] or "innocuous" in one["key"]]
    assert "p@ss" not in str(found)


def test_the_password_it_shows_comes_from_the_environment(switched_on: Settings) -> None:
    """The proxy in the example takes its password from a variable, as it is."""
    passwords = [v.egress.password for v in switched_on.vantages if v.egress.password]
    assert passwords == ["p@ss/word"]


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_is_shown_and_explained(table: str) -> None:
    """Each key of each table stands in the example, below or beside a sentence: in that of agents
    those of an agent."""
    text = AGENTS_TEXT if table == "agent" else TEXT
    shown = set(re.findall(r"^#?([a-z_]+)(?:\.[A-Z]{2})? = ", text, flags=re.MULTILINE))
    # The one key without a default that could be shown: a file of the operator's own.
    shown |= set(re.findall(r"docs/catalog.md tells how to write one:  (file) = ", TEXT))
    assert TABLES[table] <= shown


def test_what_is_switched_off_stands_at_its_default(switched_on: Settings) -> None:
    """Who switches a setting on without changing it changes nothing."""
    built_in = default_settings()
    for name in (
        "interval",
        "database",
        "listen_host",
        "listen_port",
        "public_url",
        "runbooks_url",
        "probe",
        "throttling",
        "events",
        "retention",
        "log",
    ):
        assert getattr(switched_on, name) == getattr(built_in, name), name
    (told,) = switched_on.notify.route
    assert told == Route(name="newsroom", urls=told.urls)
    assert msgspec.structs.replace(switched_on.notify, route=()) == built_in.notify
    assert switched_on.jitter == built_in.interval / 10
    # Its list of platforms is short, so that a new platform is not forgotten in it.
    chosen = [one for one in built_in.catalog.platforms if one.name in ("whatsapp", "x", "youtube")]
    assert list(switched_on.catalog.platforms) == chosen


def test_the_references_it_shows_are_those_that_are_shipped(tmp_path: Path) -> None:
    """The lists to copy from are the lists in force."""
    shipped: Any = load(tmp_path, TEXT.replace('"DE"', '"BR"')).catalog.references
    shown = load(
        tmp_path,
        SWITCHED_ON,
        PROXY_PASSWORD="x",  # noqa: S106 - made up
    ).catalog.references
    assert sorted(map(msgspec.json.encode, shown)) == sorted(map(msgspec.json.encode, shipped))


def test_a_password_of_any_character_is_looked_past(tmp_path: Path) -> None:
    """PostgreSQL's may hold brackets, which an address has around IPv6 only."""
    for password in ("p[w", "p]w", "[::1]", "p@[w"):
        text = TEXT.replace('"DE"', '"BR"')
        url = f"postgresql://watch:{password}@db.example/shutwatch"
        made = msgspec.structs.replace(load(tmp_path, text), database=url)
        found = {one.values["key"]: one.values["value"] for one in placeholders(made)}
        assert found["database"] == "db.example"


def test_the_example_of_an_agent_is_right_as_it_is(tmp_path: Path) -> None:
    """It loads, and what is switched off in it stands at its default."""
    as_it_is = load(tmp_path, AGENTS_TEXT)
    switched_on = load(tmp_path, re.sub(r"^#(?=[^\s#])", "", AGENTS_TEXT, flags=re.MULTILINE))
    assert as_it_is == switched_on
    assert as_it_is.agent is not None
    assert advice(as_it_is) == ()
    assert {one.values["key"] for one in placeholders(as_it_is)} == {
        "agent.collectors",
        "agent.collector_key",
        "agent.sealing_key",
    }
