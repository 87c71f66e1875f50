"""The Grafana dashboards: their conventions, read from the committed files."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy
import pytest
import yaml
from grafana_foundation_sdk.models import units

from dashboards.grafana import generate
from dashboards.grafana.boards import palette
from dashboards.grafana.boards.links import TO_THE_PAGE
from monitor.analysis.events.event import EventState
from monitor.analysis.verdict import State, VantageState
from monitor.wording.states import EVENT_STATES as EVENT_WORDS
from monitor.wording.states import STATES
from monitor.wording.vantage_health import VANTAGE_STATES as WORKING
from tests.prometheus.boards import (
    ANNOTATIONS,
    DOCUMENTS,
    FOLDER,
    NAMES,
    PANELS,
    QUERIES,
    SOURCE,
    VARIABLES,
    Shown,
)

UNITS = {value for value in vars(units).values() if isinstance(value, str)}
EXPRESSIONS = sorted({asked.target["expr"] for asked in QUERIES}) + [
    annotation["expr"] for annotation in ANNOTATIONS
]
GREYS = {palette.GREY, palette.SLATE}
OVER = r"(?:sum|count|max|last)_over_time"
RANGES = {
    rf"{OVER}\((?:shutwatch_blocking_event_\w+|shutwatch_\w+_info)\{{[^}}]*\}}\[\$__range\]\)",
    r"(?:rate|increase)\(\w+_(?:total|count|bucket)\{[^}]*\}\[\$__rate_interval\]\)",
    r"deriv\(shutwatch_database_size_bytes\{[^}]*\}\[1d\]\)",
}
"""What may be asked of a stretch of time: counters by their rate, events over the whole range, and
how the database grows over a day, in which old rows are deleted many times."""


@pytest.mark.parametrize("path", generate.files(), ids=lambda path: str(path.name))
def test_the_committed_file_is_the_generated_one(path: Any) -> None:
    """Nobody edited it by hand, or forgot `python -m dashboards.grafana.generate`."""
    assert path.read_text("utf-8") == generate.files()[path]


def test_nothing_else_is_committed_there() -> None:
    """A dashboard that is no longer generated is gone."""
    for folder in generate.SHAPES:
        assert set((FOLDER / folder).iterdir()) <= set(generate.files())


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_dashboards_are_fixed(uid: str) -> None:
    """Schema, uid and read-only state are those that provisioning and links rely on."""
    document = DOCUMENTS[uid]
    assert document["schemaVersion"] == 41
    assert document["uid"] == uid
    assert document["editable"] is False
    assert document["timezone"] == "utc"
    assert document["title"].startswith("shutwatch ")
    assert document["description"].endswith(".")
    (link,) = document["links"]
    assert (link["type"], link["tags"]) == ("dashboards", document["tags"])
    assert (link["includeVars"], link["keepTime"]) == (True, True)


def test_the_five_are_in_the_order_of_their_reading() -> None:
    """Overview, timeline, evidence, vantages, monitor; the titles sort that way too."""
    assert [uid.removeprefix("shutwatch-") for uid in DOCUMENTS] == [
        "overview",
        "timeline",
        "evidence",
        "vantages",
        "monitor",
    ]
    titles = [document["title"] for document in DOCUMENTS.values()]
    assert titles == sorted(titles)


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_ids_are_unique_and_panels_do_not_overlap(uid: str) -> None:
    """Each panel has an id and a place of its own on the 24 columns."""
    panels = DOCUMENTS[uid]["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@pytest.mark.parametrize("shown", PANELS, ids=str)
def test_panels_are_complete(shown: Shown) -> None:
    """Each panel has title, description, the chosen data source, a known unit and a gap text."""
    panel = shown.panel
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["datasource"] == SOURCE
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"
    refs = [target["refId"] for target in panel["targets"]]
    assert refs == sorted(set(refs))
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    for override in panel["fieldConfig"]["overrides"]:
        properties = {one["id"]: one["value"] for one in override["properties"]}
        assert properties.get("unit", "short") in UNITS


@pytest.mark.parametrize("shown", PANELS, ids=str)
def test_tables_name_every_column(shown: Shown) -> None:
    """What a table's queries give is shown under a name or hidden, and overrides hit a column."""
    panel = shown.panel
    if panel["type"] != "table":
        return
    organize = panel["transformations"][-1]["options"]
    assert panel["transformations"][-1]["id"] == "organize"
    assert list(organize["indexByName"]) == list(organize["renameByName"])
    several = len(panel["targets"]) > 1
    for target in panel["targets"]:
        found = re.search(r"^\(?(?:max|min|sum|count) by \(([^)]*)\)", target["expr"])
        assert found is not None
        names = ["country_name"] if "group_left (country_name)" in target["expr"] else []
        value = f"Value #{target['refId']}" if several else "Value"
        for column in [*found[1].split(", "), *names, value]:
            assert column in organize["renameByName"] or column in organize["excludeByName"]
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["options"] in organize["renameByName"].values()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_queries_follow_the_rules(expression: str) -> None:
    """Every selector is held to the chosen job, and every counter to a rate over the right time."""
    selectors = re.findall(
        r"\b(?:shutwatch|process|scrape)_\w+(\{[^}]*\})?|\bup(\{[^}]*\})", expression
    )
    if "ALERTS" in expression:  # rules drop the label job when they aggregate
        assert 'alertname=~"Shutwatch.+"' in expression
    else:
        assert selectors
    held = 'cluster=~"$cluster",job=~"$job"'
    assert all(held in "".join(selector) for selector in selectors)
    allowed = sum(len(re.findall(pattern, expression)) for pattern in RANGES)
    assert allowed == expression.count("[")
    for counter in re.finditer(r"\w+_(total|count|bucket|sum)\{", expression):
        assert re.search(r"(rate|increase)\($", expression[: counter.start()])
    assert "avg" not in expression


@pytest.mark.parametrize("shown", PANELS, ids=str)
def test_no_data_is_never_green(shown: Shown) -> None:
    """Where colour has a meaning, nothing known is grey, and only what is good is green."""
    defaults = shown.panel["fieldConfig"]["defaults"]
    mappings = list(defaults.get("mappings", []))
    for override in shown.panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            mappings += one["value"] if one["id"] == "mappings" else []
    for mapping in mappings:
        if mapping["type"] == "special":
            assert mapping["options"]["match"] == "null+nan"
            assert mapping["options"]["result"]["color"] == palette.GREY
        else:
            for result in mapping["options"].values():
                text = result["text"]
                if text in palette.UNKNOWN:
                    assert result["color"] in GREYS
                assert (result["color"] == palette.GREEN) == (text in palette.GOOD)
    if shown.panel["type"] in ("stat", "status-history", "state-timeline"):
        assert any(mapping["type"] == "special" for mapping in defaults["mappings"])


def test_a_big_number_is_that_of_now() -> None:
    """Attack: the monitor stopped hours ago, and the overview still says that all is decided, in
    green. Asked for a range, Grafana shows the last value in it."""
    numbers = [asked for asked in QUERIES if asked.shown.panel["type"] == "stat"]
    assert numbers
    assert all(one.target["instant"] and not one.target["range"] for one in numbers)


def test_every_state_has_a_number() -> None:
    """The panels know every state that the metrics can hold, with the worst last."""
    assert {state for state, _ in palette.PLATFORM_STATES} == set(map(str, State))
    assert palette.PLATFORM_STATES[-1][0] == "blocked"
    assert {state for state, _ in palette.VANTAGE_STATES} == set(map(str, VantageState))
    over = {EventState.ENDED, EventState.DISMISSED, EventState.WITHDRAWN}
    events = {state for state, _ in palette.EVENT_STATES} - {"cannot tell", "no event"}
    assert events == {str(state) for state in EventState if state not in over}
    assert palette.EVENT_STATES[-1][0] == "confirmed"


def _coloured(shown: Shown) -> Iterator[tuple[str, str]]:
    """Each colour that a panel gives, and what it gives it to."""
    title, config = shown.panel["title"], shown.panel["fieldConfig"]
    mappings = list(config["defaults"].get("mappings", []))
    for override in config["overrides"]:
        for one in override["properties"]:
            mappings += one["value"] if one["id"] == "mappings" else []
    for mapping in mappings:
        if mapping["type"] == "value":
            yield from ((one["color"], one["text"]) for one in mapping["options"].values())
    for step in config["defaults"].get("thresholds", {}).get("steps", []):
        yield step["color"], title


def test_one_colour_has_one_meaning_everywhere() -> None:
    """Attack: a table shows `suspected` in the yellow that elsewhere means a lossy vantage, and
    what one network's tests show in the red of a confirmed event. Readers take one for the
    other."""
    texts: dict[str, set[str]] = {}
    for shown in PANELS:
        for colour, text in _coloured(shown):
            texts.setdefault(colour, set()).add(text)
    for annotation in ANNOTATIONS:
        texts.setdefault(annotation["iconColor"], set()).add(annotation["name"])
    assert set(texts) <= set(palette.MEANINGS)
    assert len(set(palette.MEANINGS.values())) == len(palette.MEANINGS)
    shared = {palette.GREY, palette.SLATE, palette.GREEN, palette.WATCH, palette.FAULT}
    assert {colour: found for colour, found in texts.items() if colour not in shared} == {
        palette.SUSPECTED: {"suspected", "suspected only", "Suspected blocks"},
        palette.CONFIRMED: {"confirmed", "yes", "Confirmed blocks"},
        palette.RECOVERING: {EVENT_WORDS["recovering"]},
        palette.BLOCKED: {STATES["blocked"]},
        palette.THROTTLED: {STATES["throttled"]},
        palette.PARTIAL: {STATES["partial"]},
        palette.DEGRADED: {STATES["degraded"]},
        palette.DOWN: {STATES["down"]},
        palette.LOSSY: {WORKING["lossy"]},
        palette.PORTAL: {WORKING["captive_portal"]},
        palette.OFFLINE: {WORKING["offline"]},
        palette.ALLOWLIST: {WORKING["allowlist"]},
        palette.CUT: {WORKING["international_cut"]},
        palette.INTERFERING: {"interfering"},
        palette.OTHER: {"Outages, shutdowns and silent vantages"},
        palette.NOTED: {"Annotations"},
    }
    for one, other in combinations(palette.MEANINGS, 2):
        apart = numpy.linalg.norm(_cielab(_linear(one)) - _cielab(_linear(other)))
        assert apart > 15, (one, other)


def _linear(colour: str) -> numpy.ndarray[Any, Any]:
    encoded = numpy.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return numpy.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _cielab(linear: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    to_xyz = [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07218], [0.01933, 0.11919, 0.9503]]
    xyz = numpy.array(to_xyz) @ numpy.clip(linear, 0, 1) / [0.95047, 1, 1.08883]
    f = numpy.where(xyz > 216 / 24389, numpy.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return numpy.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


SIGHT = {
    "full": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""What is left of a colour (linear RGB) without one kind of cone: Machado and others, 2009."""


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("states", ["PLATFORM_STATES", "VANTAGE_STATES", "EVENT_STATES"])
def test_colours_stay_apart_for_everybody(states: str, sight: str) -> None:
    """Any two states of a set differ by at least 20 in CIELAB, ten times what can just be seen."""
    seen = {
        state: _cielab(numpy.array(SIGHT[sight]) @ _linear(colour))
        for state, colour in getattr(palette, states)
    }
    for one, other in combinations(seen, 2):
        assert numpy.linalg.norm(seen[one] - seen[other]) > 20, (one, other)


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_variables_are_those_promised(uid: str) -> None:
    """Data source, cluster, job, country, platform, network and vantage, in an order that narrows
    down. What is empty for some (a cluster, a network's name) is matched by All too."""
    assert DOCUMENTS[uid]["templating"]["list"][: len(VARIABLES)] == VARIABLES
    narrowing = ["cluster", "job", "country", "platform", "network", "vantage"]
    assert ["datasource", *narrowing] == NAMES
    for index, variable in enumerate(VARIABLES[1:], 1):
        assert variable["datasource"] == SOURCE
        assert (variable["multi"], variable["includeAll"]) == (True, True)
        assert variable["allValue"] == (".+" if variable["name"] == "job" else ".*")
        used = set(re.findall(r"\$(\w+)", variable["query"]["query"]))
        assert used <= set(NAMES[:index])


def links_of(shown: Shown) -> list[dict[str, Any]]:
    """The data links of a panel, those of single columns included."""
    config = shown.panel["fieldConfig"]
    found: list[dict[str, Any]] = list(config["defaults"].get("links", []))
    for override in config["overrides"]:
        for one in override["properties"]:
            found += one["value"] if one["id"] == "links" else []
    return found


@pytest.mark.parametrize("shown", PANELS, ids=str)
def test_data_links_carry_the_variables_on(shown: Shown) -> None:
    """Each link leads to one of the five with all variables: narrowed to the series, or kept."""
    for link in links_of(shown):
        if link["url"] == TO_THE_PAGE.build().url:
            continue
        uid, question = re.fullmatch(r"/d/([\w-]+)\?(.*)", link["url"]).groups()  # type: ignore[union-attr]
        assert uid in DOCUMENTS
        assert question.endswith("&${__url_time_range}")
        kept = re.findall(r"\$\{(\w+):queryparam\}", question)
        narrowed = re.findall(r"var-(\w+)=", question)
        assert sorted([*kept, *narrowed]) == sorted(NAMES)
        for label in re.findall(r"\$\{__field\.labels\.(\w+)\}", question):
            legends = [target["legendFormat"] for target in shown.panel["targets"]]
            assert all(f"{{{{{label}}}}}" in legend for legend in legends)
        for column in re.findall(r'\$\{__data\.fields\["([^"]+)"\]\}', question):
            organize = shown.panel["transformations"][-1]["options"]
            assert column in organize["renameByName"].values()


def test_links_lead_from_overview_to_timeline_to_evidence() -> None:
    """Each step of reading has a link to the next that narrows to country and platform."""
    ways = {
        (shown.board, re.split(r"[/?]", link["url"])[2])
        for shown in PANELS
        for link in links_of(shown)
        if "var-country=" in link["url"] and "var-platform=" in link["url"]
    }
    assert {
        ("shutwatch-overview", "shutwatch-timeline"),
        ("shutwatch-timeline", "shutwatch-evidence"),
    } <= ways


@pytest.mark.parametrize("uid", DOCUMENTS)
def test_nothing_is_loaded_from_elsewhere(uid: str) -> None:
    """The dashboards hold no address of another server and no map."""
    text = (FOLDER / "json" / f"{uid}.json").read_text("utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "geomap" not in text


def test_provisioning_matches_the_dashboards() -> None:
    """The provisioned source has a fixed uid, and nobody edits what is provisioned."""
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/shutwatch.yaml").read_text())
    (source,) = sources["datasources"]
    assert (source["uid"], source["type"]) == ("shutwatch-prometheus", "prometheus")
    assert source["editable"] is False
    providers = yaml.safe_load((FOLDER / "provisioning/dashboards/shutwatch.yaml").read_text())
    (provider,) = providers["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"] in (FOLDER / "README.md").read_text("utf-8")
