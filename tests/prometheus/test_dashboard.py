"""The Grafana dashboard: its conventions, and its queries against a real Prometheus."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import units

from dashboards.grafana import generate
from monitor.analysis.verdict import State, VantageState
from tests.prometheus import live, world
from tests.prometheus.server import PrometheusServer, Sample

FOLDER = Path(generate.__file__).parent
BOARD: dict[str, Any] = json.loads(generate.OUTPUT.read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
VARIABLES: list[dict[str, Any]] = BOARD["templating"]["list"]
QUERIES = [(panel, target) for panel in PANELS for target in panel["targets"]]
EXPRESSIONS = [target["expr"] for _, target in QUERIES] + [
    annotation["expr"] for annotation in BOARD["annotations"]["list"]
]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

NARROWED = {"country": "PK", "platform": "x", "network": "PTCL", "vantage": "khi-ptcl"}


def titled(panel: dict[str, Any]) -> str:
    """A test id."""
    return str(panel["title"])


def of_query(value: object) -> str:
    """A test id for a panel or one of its targets."""
    assert isinstance(value, dict)
    return str(value.get("title") or value["refId"])


def filled(expression: str, **chosen: str) -> str:
    """The expression as Grafana would send it; variables not chosen stand for all."""
    values = {"__rate_interval": "30s", "job": ".*", **dict.fromkeys(NARROWED, ".*"), **chosen}
    return re.sub(r"\$(\w+)", lambda found: values[found.group(1)], expression)


def test_the_committed_file_is_the_generated_one() -> None:
    """Nobody edited the JSON by hand, or forgot to generate it."""
    assert generate.OUTPUT.read_text("utf-8") == generate.text()


def test_the_dashboard_is_fixed() -> None:
    """Schema, uid and read-only state are those that provisioning and links rely on."""
    assert BOARD["schemaVersion"] == 41
    assert BOARD["uid"] == "shutwatch-overview"
    assert BOARD["editable"] is False
    assert BOARD["timezone"] == "utc"


def test_ids_are_unique_and_panels_do_not_overlap() -> None:
    """Each panel has an id and a place of its own on the 24 columns."""
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@pytest.mark.parametrize("panel", PANELS, ids=titled)
def test_panels_are_complete(panel: dict[str, Any]) -> None:
    """Each panel has title, description, the chosen data source, a known unit and a gap text."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["datasource"] == SOURCE
    known = {value for value in vars(units).values() if isinstance(value, str)}
    assert panel["fieldConfig"]["defaults"]["unit"] in known
    assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"
    refs = [target["refId"] for target in panel["targets"]]
    assert refs == sorted(set(refs))
    assert all(target["datasource"] == SOURCE for target in panel["targets"])


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_queries_follow_the_rules(expression: str) -> None:
    """Every selector is held to the chosen job, and every counter to a rate over the right time."""
    selectors = re.findall(r"shutwatch_\w+(\{[^}]*\})?", expression)
    assert selectors
    assert all('job=~"$job"' in selector for selector in selectors)
    assert set(re.findall(r"\[([^\]]*)\]", expression)) <= {"$__rate_interval"}
    for counter in re.finditer(r"shutwatch_\w+_(total|count|bucket|sum)\b", expression):
        assert re.search(r"(rate|increase)\($", expression[: counter.start()])
    assert "avg" not in expression


@pytest.mark.parametrize("panel", PANELS, ids=titled)
def test_no_data_is_never_green(panel: dict[str, Any]) -> None:
    """Where colour has a meaning, nothing known (null, insufficient, unknown) is grey."""
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults.get("mappings", []):
        if mapping["type"] == "special":
            assert mapping["options"]["match"] == "null+nan"
            assert mapping["options"]["result"]["color"] == generate.GREY
        else:
            for result in mapping["options"].values():
                grey = result["color"] == generate.GREY
                assert grey == (result["text"] in ("insufficient", "unknown"))
                assert (result["color"] == generate.GREEN) == (result["text"] == "ok")
    if panel["type"] in ("stat", "status-history"):
        assert any(mapping["type"] == "special" for mapping in defaults["mappings"])


def test_every_state_has_a_number() -> None:
    """The panels know every state that the metrics can hold, with blocked as the worst."""
    assert {state for state, _ in generate.PLATFORM_STATES} == set(map(str, State))
    assert {state for state, _ in generate.VANTAGE_STATES} == set(map(str, VantageState))
    assert generate.PLATFORM_STATES[-1][0] == "blocked"


def test_variables_are_those_promised() -> None:
    """Data source, job, country, platform, network and vantage, in an order that narrows down."""
    names = [variable["name"] for variable in VARIABLES]
    assert names == ["datasource", "job", "country", "platform", "network", "vantage"]
    for index, variable in enumerate(VARIABLES[1:], 1):
        assert variable["datasource"] == SOURCE
        assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (
            True,
            True,
            ".*",
        )
        used = set(re.findall(r"\$(\w+)", variable["query"]["query"]))
        assert used <= set(names[:index])


def test_data_links_carry_the_variables_on() -> None:
    """Each link leads to this dashboard and sets or keeps variables that exist."""
    names = {variable["name"] for variable in VARIABLES}
    links = [link for panel in PANELS for link in panel["fieldConfig"]["defaults"].get("links", [])]
    assert len(links) == 3
    for link in links:
        assert link["url"].startswith(f"/d/{BOARD['uid']}?")
        assert "${__url_time_range}" in link["url"]
        kept = set(re.findall(r"\$\{(\w+):queryparam\}", link["url"]))
        assert kept == {"datasource", "job"}
        assert set(re.findall(r"var-(\w+)=", link["url"])) <= names


def test_nothing_is_loaded_from_elsewhere() -> None:
    """The dashboard holds no address of another server and no map."""
    text = generate.OUTPUT.read_text("utf-8")
    assert "http" not in text
    assert "geomap" not in text


def test_provisioning_matches_the_dashboard() -> None:
    """The provisioned source has a fixed uid, and nobody edits what is provisioned."""
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/shutwatch.yaml").read_text())
    (source,) = sources["datasources"]
    assert (source["uid"], source["type"]) == ("shutwatch-prometheus", "prometheus")
    providers = yaml.safe_load((FOLDER / "provisioning/dashboards/shutwatch.yaml").read_text())
    (provider,) = providers["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"] in (FOLDER / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def prometheus() -> Iterator[PrometheusServer]:
    """A Prometheus that has scraped X blocked on two of three networks for some seconds."""
    with live.x_blocked() as (address, _), PrometheusServer([address]) as running:
        counting = 'min(count_over_time(shutwatch_probes_total{platform="x"}[1m])) > 3'
        running.eventually(lambda: running.value(counting))
        yield running


@pytest.mark.prometheus
@pytest.mark.parametrize("chosen", [{}, NARROWED], ids=["all", "narrowed"])
@pytest.mark.parametrize(("panel", "target"), QUERIES, ids=of_query)
def test_every_panel_has_data_during_a_block(
    prometheus: PrometheusServer,
    panel: dict[str, Any],
    target: dict[str, Any],
    chosen: dict[str, str],
) -> None:
    """Each query is valid and finds data, for everything and narrowed to one blocking vantage."""
    expression = filled(target["expr"], **chosen)
    samples = prometheus.query(expression)
    assert samples
    assert all(sample.value == sample.value for sample in samples), "no NaN"
    for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")):
        assert all(label in sample.labels for sample in samples), panel["title"]
    if target["range"]:
        assert prometheus.query_range(expression, 10)


@pytest.mark.prometheus
@pytest.mark.parametrize("variable", VARIABLES[1:], ids=lambda variable: str(variable["name"]))
def test_every_variable_offers_what_is_there(
    prometheus: PrometheusServer, variable: dict[str, Any]
) -> None:
    """Each variable's query finds the values of the world being scraped."""
    query = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
    assert query is not None
    points = (*world.FIELD, *world.CONTROL)
    expected = {
        "job": {"shutwatch"},
        "country": {"PK"},
        "platform": set(world.TITLES),
        "network": {point.network for point in points},
        "vantage": {point.id for point in points},
    }
    values = prometheus.label_values(query.group(2), filled(query.group(1)))
    assert set(values) == expected[variable["name"]]


def samples_of(prometheus: PrometheusServer, title: str, ref: str = "A") -> list[Sample]:
    """What one query of one panel finds."""
    expressions = [
        target["expr"]
        for panel, target in QUERIES
        if panel["title"] == title and target["refId"] == ref
    ]
    return prometheus.query(filled(expressions[-1]))


@pytest.mark.prometheus
def test_the_states_on_the_board_are_the_true_ones(prometheus: PrometheusServer) -> None:
    """X in PK is blocked and nothing else; so are the two networks, and the third is ok."""
    words = [state for state, _ in generate.PLATFORM_STATES]
    by_country = {
        (one.labels["country"], one.labels["platform"]): words[int(one.value)]
        for one in samples_of(prometheus, "Platforms by country")
    }
    assert by_country == {
        ("PK", platform): "blocked" if platform == "x" else "ok" for platform in world.TITLES
    }
    by_network = {
        one.labels["network"]: words[int(one.value)]
        for one in samples_of(prometheus, "Platforms by network")
        if one.labels["platform"] == "x"
    }
    assert by_network == {"PTCL": "blocked", "Nayatel": "blocked", "Jazz": "ok"}


@pytest.mark.prometheus
def test_the_numbers_on_the_board_are_the_true_ones(prometheus: PrometheusServer) -> None:
    """One event, all vantages see, no blind spot, and two of three networks affected."""
    numbers = {
        title: [one.value for one in samples_of(prometheus, title)]
        for title in ("Field vantages that can see", "Blind spots")
    }
    assert numbers == {"Field vantages that can see": [1], "Blind spots": [0]}
    (state,) = samples_of(prometheus, "Active events")
    assert state.labels == {"country": "PK", "platform": "x", "state": "confirmed"}
    (affected,) = samples_of(prometheus, "Active events", "C")
    (seen,) = samples_of(prometheus, "Active events", "D")
    assert (affected.value, seen.value) == (2, 3)
    methods = {
        (one.labels["network"], one.labels["method"], one.labels["sub_method"])
        for one in samples_of(prometheus, "Methods by network")
    }
    assert methods == {("PTCL", "tls", "reset"), ("Nayatel", "dns", "nxdomain")}


@pytest.mark.prometheus
def test_the_annotation_marks_the_block(prometheus: PrometheusServer) -> None:
    """The annotation's query finds the block and nothing else, with what its title needs."""
    (annotation,) = BOARD["annotations"]["list"]
    (found,) = prometheus.query(filled(annotation["expr"]))
    assert found.labels == {"country": "PK", "platform": "x"}
    assert annotation["titleFormat"] == "{{platform}} in {{country}}"


@pytest.mark.prometheus
def test_gaps_stay_gaps(prometheus: PrometheusServer) -> None:
    """For a country nobody looks at, no panel invents a value."""
    for _, target in QUERIES:
        if "$country" in target["expr"]:
            assert prometheus.query(filled(target["expr"], country="ZZ")) == []
