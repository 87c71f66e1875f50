"""docs/config.md and docs/catalog.md say what is so, and all of it."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.events.settings import EventSettings
from monitor.config.catalog import parse_catalog, shipped_catalog
from monitor.config.keys_by_table import TABLES
from monitor.config.load import default_settings, load_config
from monitor.config.settings import (
    AgentSetup,
    CollectorSettings,
    RetentionSettings,
    ServerSettings,
    Settings,
    SourceSettings,
    ThrottlingSettings,
    TimestampSettings,
    VantageCheckSettings,
    WithheldSettings,
)
from monitor.config.toml_problem import ConfigError
from monitor.logs import LogSettings
from monitor.notify.settings import NotifySettings, Route
from probes.settings import ProbeSettings
from probes.vantage import VantagePoint
from storage.values.archive_place import ArchivePlace

DOCS = Path(__file__).parents[2] / "docs"
CONFIG = (DOCS / "config.md").read_text(encoding="utf-8")
CATALOG = (DOCS / "catalog.md").read_text(encoding="utf-8")
HEADINGS = {
    "": "The top of the file",
    "vantage": "`[[vantage]]`",
    "source": "`[[source]]`",
    "probe": "`[probe]`",
    "throttling": "`[throttling]`",
    "events": "`[events]`",
    "catalog": "`[catalog]`",
    "references": "`[references]`",
    "log": "`[log]`",
    "retention": "`[retention]`",
    "archive": "`[archive]`",
    "timestamps": "`[timestamps]`",
    "withheld": "`[withheld]`",
    "notify": "`[notify]`",
    "notify.route": "`[[notify.route]]`",
    "server": "`[server]`",
    "collector": "`[collector]`",
    "agent": "`[agent]`",
    "vantage_check": "`[vantage_check]`",
    "fingerprints": "`[fingerprints]`",
}
MEANT_IN_WORDS = {
    "a tenth of the interval",
    "two intervals",
    "required",
    "none",
    "all that are watched by default",
    "3 shipped",
    "4 shipped",
    "15 shipped",
    "5 shipped",
    "6 shipped",
    "neighbours",
    "1 or 2 each for 70 countries",
}
"""Defaults that are no value of the file."""
VANTAGE = 'id = "here"\ncountry = "PK"\n'
AGENT = (
    f'collectors = ["https://c.example"]\ncollector_key = "{"A" * 43}="\n'
    f'sealing_key = "{"A" * 43}="\n'
)
SOURCE = 'kind = "ooni"\ncountries = ["PK"]\n'
OF_GLOBALPING = ("token", "probes")
"""Keys of `[[source]]` that no other kind has."""
ROUTE = 'name = "ops"\nurls = ["json://127.0.0.1/"]\n'


def section(text: str, heading: str) -> str:
    """The text under a heading, up to the next of its rank."""
    return re.split(r"^## ", text.split(f"\n## {heading}\n", 1)[1], flags=re.MULTILINE)[0]


def rows(table: str) -> dict[str, tuple[str, str, str]]:
    """Key → default, example and meaning, as a section's first table gives them."""
    found = re.findall(
        r"^\| `(\w+)` \| (.+?) \| `(.+?)` \| (.+?) \|$",
        section(CONFIG, HEADINGS[table]),
        flags=re.MULTILINE,
    )
    return {key: (default.strip("`"), example, meaning) for key, default, example, meaning in found}


ROWS = {(table, key): row for table in TABLES for key, row in rows(table).items()}
EVERY = sorted(ROWS)


def source_with(key: str) -> str:
    """A source of a kind that has this key."""
    return SOURCE.replace("ooni", "globalping") if key in OF_GLOBALPING else SOURCE


def shown_in(table: str, key: str, value: str) -> str:
    """A whole file in which `key` has this value."""
    line = f"{key} = {value}\n"
    if table == "vantage":
        kept = "".join(f"{row}\n" for row in VANTAGE.splitlines() if not row.startswith(f"{key} "))
        control = '[[vantage]]\nid = "another"\ncountry = "BR"\n'
        return f"[[vantage]]\n{kept}{line}{control}"
    vantage = f"[[vantage]]\n{VANTAGE}"
    if table == "notify.route":
        kept = "".join(f"{row}\n" for row in ROUTE.splitlines() if not row.startswith(f"{key} "))
        return f"{vantage}[[notify.route]]\n{kept}{line}"
    if table == "source":
        of_kind = source_with(key)
        kept = "".join(f"{row}\n" for row in of_kind.splitlines() if not row.startswith(f"{key} "))
        return f"{vantage}[[source]]\n{kept}{line}"
    if table == "agent":
        kept = "".join(f"{row}\n" for row in AGENT.splitlines() if not row.startswith(f"{key} "))
        return f"{vantage}[agent]\n{kept}{line}"
    if table == "archive" and key in ("bucket", "endpoint", "region") and value != '""':
        given = {"bucket": '"evidence"', "endpoint": '"https://s3.example.org"', key: value}
        line = "".join(f"{name} = {text}\n" for name, text in given.items())
    if key == "database_limit" and value != '"0GB"':
        line = f'folder = "archive"\n{line}'
    return f"{line}{vantage}" if not table else f"{vantage}[{table}]\n{line}"


def load(folder: Path, text: str) -> Settings:
    """The settings of a configuration with this text, beside a catalogue of one's own."""
    (folder / "my-platforms.toml").write_text("")
    path = folder / "shutwatch.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, {"PROXY_PASSWORD": "made up", "GLOBALPING_TOKEN": "too"})


@pytest.mark.parametrize("table", TABLES)
def test_every_key_is_documented_and_every_documented_key_exists(table: str) -> None:
    """The tables of the document and of the loader are the same."""
    assert set(rows(table)) == TABLES[table]


def test_every_setting_can_be_given() -> None:
    """No field of the settings is out of reach of the file."""
    fields = {
        "probe": ProbeSettings,
        "throttling": ThrottlingSettings,
        "events": EventSettings,
        "log": LogSettings,
        "retention": RetentionSettings,
        "archive": ArchivePlace,
        "timestamps": TimestampSettings,
        "withheld": WithheldSettings,
        "server": ServerSettings,
        "collector": CollectorSettings,
        "agent": AgentSetup,
        "vantage_check": VantageCheckSettings,
        "notify": NotifySettings,
        "notify.route": Route,
        "vantage": VantagePoint,
        "source": SourceSettings,
    }
    for table, kind in fields.items():
        # Events know the interval, which stands at the top of the file, the agents, which stand in
        # the database, and whether they are imported; routes are tables.
        elsewhere = {"interval", "agents", "decided", "route"}
        assert set(kind.__struct_fields__) - elsewhere == TABLES[table]
    listener = {"listen_host", "listen_port"}
    tables = {*fields, "vantages", "sources"} - {"vantage"}
    top = (
        set(Settings.__struct_fields__)
        - listener
        - tables
        - {"catalog", "catalog_text", "catalog_proof", "source", "fingerprints", "chosen"}
    )
    assert top | {"listen"} == TABLES[""]


def test_every_table_is_documented() -> None:
    """No table of the loader is missing among the headings, nor the other way round."""
    assert set(HEADINGS) == set(TABLES)
    assert {f"`[{name}]`" for name in re.findall(r"^## `\[(.+)\]`$", CONFIG, re.MULTILINE)} == {
        heading for heading in HEADINGS.values() if heading.startswith("`")
    }


def test_only_these_keys_have_a_default_in_words() -> None:
    """Everywhere else the document gives a value to compare with."""
    assert {place for place in EVERY if ROWS[place][0] in MEANT_IN_WORDS} == {
        ("", "jitter"),
        ("collector", "control_wait"),
        ("vantage", "id"),
        ("vantage", "country"),
        ("source", "kind"),
        ("source", "countries"),
        ("source", "beside"),
        ("catalog", "platforms"),
        ("catalog", "file"),
        ("references", "uplink"),
        ("references", "international"),
        ("references", "popular"),
        ("references", "address"),
        ("references", "domestic"),
        ("references", "udp"),
        ("agent", "collectors"),
        ("agent", "collector_key"),
        ("agent", "sealing_key"),
        ("notify.route", "name"),
        ("notify.route", "urls"),
    }


@pytest.mark.parametrize(
    ("table", "key"), [place for place in EVERY if ROWS[place][0] not in MEANT_IN_WORDS]
)
def test_every_default_is_the_one_in_force(table: str, key: str, tmp_path: Path) -> None:
    """Writing the documented default into the file changes nothing."""
    given = load(tmp_path, shown_in(table, key, ROWS[table, key][0]))
    # That there is such a table at all may mean something.
    empty = {
        "notify.route": f"[[notify.route]]\n{ROUTE}",
        "collector": "[collector]\n",
        "source": f"[[source]]\n{source_with(key)}",
        "agent": f"[agent]\n{AGENT}",
    }
    left_out = load(tmp_path, f"[[vantage]]\n{VANTAGE}{empty.get(table, '')}")
    assert given.vantages[0] == left_out.vantages[0]
    assert (
        msgspec.structs.replace(given, vantages=left_out.vantages, catalog=left_out.catalog)
        == left_out
    )


@pytest.mark.parametrize(("table", "key"), EVERY)
def test_every_example_is_accepted(table: str, key: str, tmp_path: Path) -> None:
    """What the document shows can be copied."""
    load(tmp_path, shown_in(table, key, ROWS[table, key][1]))


@pytest.mark.parametrize(("table", "key"), [place for place in EVERY if ROWS[place][1].isdigit()])
def test_every_bound_in_the_document_is_the_one_in_force(
    table: str, key: str, tmp_path: Path
) -> None:
    """`1 to 10` means that 0 and 11 are refused; every number has such bounds."""
    bounds = re.search(r"\b(\d+) to (\d+)[,;.]", ROWS[table, key][2])
    assert bounds is not None
    low, high = int(bounds[1]), int(bounds[2])
    for refused in (low - 1, high + 1):
        with pytest.raises(ConfigError, match=f"from {low} to {high}"):
            load(tmp_path, shown_in(table, key, str(refused)))


def test_the_shipped_references_are_counted_right() -> None:
    """The defaults of [references] are given in words; the words are right."""
    counts: dict[str, int] = {}
    for one in shipped_catalog().references:
        name = f"{one.scope} {one.country}".strip()
        counts[name] = counts.get(name, 0) + 1
    home = {name: counts.pop(name) for name in list(counts) if name.startswith("domestic ")}
    assert counts == {"uplink": 3, "international": 15, "popular": 5, "address": 6, "udp": 4}
    assert (len(home), set(home.values())) == (70, {1, 2})


def test_every_way_out_in_the_document_is_understood(tmp_path: Path) -> None:
    """The forms of `egress` are those that are read."""
    forms = re.findall(r'`("(?:direct|source|interface|socks5|connect)[^`]*")`', CONFIG)
    kinds = set()
    for form in forms:
        written = form.replace(":port", ":1081")
        egress = load(tmp_path, shown_in("vantage", "egress", written)).vantages[0].egress
        kinds.add(str(egress.kind))
    assert kinds == {"direct", "source", "interface", "socks5", "connect"}


@pytest.mark.parametrize(
    "line", re.findall(r"^shutwatch\.toml:.+$", section(CONFIG, "How to read a mistake"), re.M)
)
def test_the_mistakes_shown_in_the_document_are_told_so(line: str, tmp_path: Path) -> None:
    """The sample of what `check` prints is what it prints, but for the lines' numbers."""
    with pytest.raises(ConfigError) as caught:
        load(
            tmp_path,
            '[probe]\ndns_timout = "4s"\n[[vantage]]\nid = "a"\ncountry = "PK"\n'
            '[[vantage]]\nid = "b"\ncountry = "PK"\n'
            'egress = "sock5://u:p@proxy.example.net"\n',
        )
    told = [re.sub(r"^.*toml:\d+: ", "", str(problem)) for problem in caught.value.problems]
    assert re.sub(r"^.*toml:\d+: ", "", line) in told


def test_every_key_of_a_function_is_documented() -> None:
    """What a function may say, as the loader names it when it is given anything else."""
    documented = [
        key
        for cell in re.findall(r"^\| (`[^|]+`) \|", section(CATALOG, "Functions"), re.MULTILINE)
        for key in re.findall(r"`(\w+)`", cell)
    ]
    with pytest.raises(ConfigError, match=f"use one of: {', '.join(documented)}$"):
        parse_catalog("[platform.x.function.web]\nzzz = 1\n", "mine.toml", shipped_catalog())


def test_the_shipped_file_needs_no_loader_to_be_read() -> None:
    """The catalogue is plain data: any TOML reader gets the same platforms."""
    path = DOCS.parent / "probes" / "catalog" / "catalog.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    assert list(data["platform"]) == [one.name for one in shipped_catalog().platforms]


def test_without_a_file_nothing_differs_from_the_documented_defaults() -> None:
    """The document's defaults hold for the built-in settings as well."""
    built_in = default_settings()
    assert f"{built_in.interval / 60:g}m" == tomllib.loads(f"a = {ROWS['', 'interval'][0]}")["a"]
    assert built_in.probe == ProbeSettings()
