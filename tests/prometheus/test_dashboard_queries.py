"""Every query of the Grafana dashboards against a real Prometheus that scrapes the real server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.grafana.boards import palette
from dashboards.grafana.boards.promql import DECIDED
from tests.contract.cycles import START
from tests.prometheus import board_world, world
from tests.prometheus.boards import (
    ANNOTATIONS,
    FURTHER,
    QUERIES,
    VARIABLES,
    Asked,
    asked_of,
    expressions,
    filled,
)
from tests.prometheus.server import PrometheusServer, Sample

pytestmark = pytest.mark.prometheus

RULES = Path(__file__).parents[2] / "dashboards/prometheus/shutwatch.rules.yml"
JOB, CLUSTER = "watch-pk", "eu-1"
"""Names of an operator's own. The country is where the server is."""
TARGET = {"cluster": CLUSTER, "country": "DE", "platform": "kubernetes"}
NARROWED = {"country": "PK", "platform": "x", "network": "PTCL", "vantage": "khi-ptcl"}
OVERVIEW, TIMELINE, EVIDENCE, VANTAGES = (
    f"shutwatch-{name}" for name in ("overview", "timeline", "evidence", "vantages")
)


@pytest.fixture(scope="module")
def prometheus() -> Iterator[PrometheusServer]:
    """A Prometheus that has scraped that world for some seconds and evaluated the rules."""
    with (
        board_world.serving() as address,
        PrometheusServer([address], [RULES], job=JOB, target_labels=TARGET) as running,
    ):
        counting = 'min(count_over_time(shutwatch_probes_total{platform="x"}[1m])) > 3'
        running.eventually(lambda: running.value(counting), 90)
        running.eventually(lambda: running.firing("ShutwatchWatchdog"), 90)
        yield running


def elsewhere(asked: Asked) -> bool:
    """True for the speed of X where X is blocked: what cannot be reached has no speed."""
    return str(asked.shown.panel["title"]) == "Speed of the platform"


@pytest.mark.parametrize("chosen", [{}, NARROWED], ids=["all", "narrowed"])
@pytest.mark.parametrize("asked", QUERIES, ids=str)
def test_every_panel_has_data_during_a_block(
    prometheus: PrometheusServer, asked: Asked, chosen: dict[str, str]
) -> None:
    """Each query is valid and finds data, for everything and narrowed to one blocking vantage."""
    expression = filled(asked.target["expr"], **chosen)
    samples = prometheus.query(expression)
    if chosen and elsewhere(asked):
        assert not samples
        return
    assert samples
    assert all(sample.value == sample.value for sample in samples), "no NaN"
    legend = asked.target.get("legendFormat", "")
    for label in re.findall(r"\{\{(\w+)\}\}", legend):
        assert all(label in sample.labels for sample in samples)
    if asked.target["range"]:
        assert prometheus.query_range(expression, 10)


@pytest.mark.parametrize(
    "variable",
    [*VARIABLES[1:], *FURTHER["shutwatch-monitor"]],
    ids=lambda variable: str(variable["name"]),
)
def test_every_variable_offers_what_is_there(
    prometheus: PrometheusServer, variable: dict[str, Any]
) -> None:
    """Each variable's query finds the values of the world being scraped."""
    query, label = asked_of(variable)
    points = (*world.FIELD, *world.CONTROL)
    expected = {
        "cluster": {CLUSTER},
        "job": {JOB},
        "country": {"PK"},
        "platform": set(world.TITLES),
        "network": {point.network for point in points},
        "vantage": {point.id for point in points},
        "instance": set(prometheus.label_values("instance", "up")),
    }
    name = str(variable["name"])
    if "query_result" in variable["query"]["query"]:
        (found,) = prometheus.query(filled(query))
        # As Grafana writes a series for the variable's regular expression.
        written = "{" + ",".join(f'{key}="{text}"' for key, text in found.labels.items()) + "} 1 0"
        pattern = variable["regex"].strip("/").replace("(?<", "(?P<")
        named = re.search(pattern, written)
        assert named is not None
        assert named.groupdict() == {"value": "PK", "text": "Pakistan"}
    else:
        assert set(prometheus.label_values(label, filled(query))) == expected[name]


def samples_of(
    prometheus: PrometheusServer, board: str, title: str, ref: str = "A", **chosen: str
) -> list[Sample]:
    """What one query of one panel finds."""
    return prometheus.query(filled(expressions(board, title)[ref], **chosen))


def test_the_states_on_the_boards_are_the_true_ones(prometheus: PrometheusServer) -> None:
    """X is blocked, YouTube throttled, Telegram down; by network only where it is so."""
    words = [state for state, _ in palette.PLATFORM_STATES]
    by_country = {
        (one.labels["country"], one.labels["platform"]): words[int(one.value)]
        for one in samples_of(prometheus, OVERVIEW, "Platforms by country")
    }
    wrong = {"x": "blocked", "youtube": "throttled", "telegram": "down"}
    assert by_country == {("PK", platform): wrong.get(platform, "ok") for platform in world.TITLES}
    by_network = {
        (one.labels["network"], one.labels["platform"]): words[int(one.value)]
        for one in samples_of(prometheus, TIMELINE, "Platforms by network")
        if one.labels["platform"] in ("x", "youtube")
    }
    assert by_network == {
        ("PTCL", "x"): "blocked",
        ("Nayatel", "x"): "blocked",
        ("Jazz", "x"): "ok",
        ("PTCL", "youtube"): "ok",
        ("Nayatel", "youtube"): "ok",
        ("Jazz", "youtube"): "throttled",
    }
    parts = {
        one.labels["function"]: words[int(one.value)]
        for one in samples_of(prometheus, EVIDENCE, "Functions of platforms", platform="x")
    }
    assert parts == {"web": "blocked", "api": "ok", "media": "ok"}


def test_the_events_on_the_boards_are_the_true_ones(prometheus: PrometheusServer) -> None:
    """One confirmed event, on two of three networks; of every other platform it is known none, but
    of Telegram, which is down at the controls too."""
    words = [state for state, _ in palette.EVENT_STATES]
    states = {
        one.labels["platform"]: words[int(one.value)]
        for one in samples_of(prometheus, TIMELINE, "Events")
    }
    known = {"x": "confirmed", "telegram": "cannot tell"}
    assert states == {platform: known.get(platform, "no event") for platform in world.TITLES}
    (state,) = samples_of(prometheus, OVERVIEW, "Active events")
    numbers = {
        title: [one.value for one in samples_of(prometheus, OVERVIEW, title)]
        for title in (
            "Confirmed blocks",
            "Suspected blocks",
            "Working field vantages",
            "Blind spots",
        )
    }
    assert numbers == {
        "Confirmed blocks": [1],
        "Suspected blocks": [0],
        "Working field vantages": [1],
        "Blind spots": [1],
    }
    assert state.labels == {
        "country": "PK",
        "country_name": "Pakistan",
        "platform": "x",
        "state": "confirmed",
        "confirmed": "true",
        "event": "PK-x",
    }
    (page,) = samples_of(prometheus, OVERVIEW, "Active events", "F")
    assert page.labels["page"] == f"{world.PUBLIC_URL}/events/PK-x"
    (since,) = samples_of(prometheus, OVERVIEW, "Active events", "B")
    (first,) = samples_of(prometheus, OVERVIEW, "Active events", "C")
    assert since.value == first.value
    (affected,) = samples_of(prometheus, OVERVIEW, "Active events", "D")
    (seen,) = samples_of(prometheus, OVERVIEW, "Active events", "E")
    assert (affected.value, seen.value) == (2, 3)
    (part,) = samples_of(prometheus, TIMELINE, "Events in the time range")
    assert (part.labels["platform"], part.value) == ("x", 1)
    methods = {
        (one.labels["network"], one.labels["method"], one.labels["sub_method"])
        for one in samples_of(prometheus, TIMELINE, "Methods by network")
    }
    assert methods == {
        ("PTCL", "tls", "reset"),
        ("Nayatel", "dns", "nxdomain"),
        ("Jazz", "throttling", "rate"),
    }
    circumstances = {
        one.labels["kind"]
        for one in samples_of(prometheus, OVERVIEW, "Outages, shutdowns and silent vantages")
    }
    assert circumstances == {"outage", "vantage_silent"}
    alerts = {one.labels["alertname"] for one in samples_of(prometheus, OVERVIEW, "Firing alerts")}
    assert {"ShutwatchWatchdog", "ShutwatchPlatformBlockConfirmed"} <= alerts


def test_an_event_nobody_can_judge_is_grey(prometheus: PrometheusServer) -> None:
    """Where no network can tell about a platform, the timeline says so and not that all is well."""
    expression = expressions(TIMELINE, "Events")["A"]
    blind = expression.replace(DECIDED, f'{DECIDED},network="nowhere"')
    assert blind != expression
    words = [state for state, _ in palette.EVENT_STATES]
    states = {
        one.labels["platform"]: words[int(one.value)] for one in prometheus.query(filled(blind))
    }
    assert states.pop("x") == "confirmed"
    assert set(states.values()) == {"cannot tell"}


def test_field_and_control_are_told_apart(prometheus: PrometheusServer) -> None:
    """The field's failures are in its line, the control's in the other, whatever is narrowed to."""
    title = "Failures by layer, field and control"
    field = {
        one.labels["layer"]: one.value
        for one in samples_of(prometheus, EVIDENCE, title, vantage="lhe-nayatel")
    }
    assert field["dns"] > 0
    assert field.get("tls", 0) == 0
    control = {
        one.labels["layer"]: one.value
        for one in samples_of(prometheus, EVIDENCE, title, "B", vantage="lhe-nayatel")
    }
    assert control["tls"] == pytest.approx(0.5)
    assert control["dns"] == 0


def test_tables_of_vantages_hold_all(prometheus: PrometheusServer) -> None:
    """Each query of the table gives one row for every configured vantage."""
    names = {point.id for point in (*world.FIELD, *world.CONTROL)}
    for ref in "ABCD":
        found = [one.labels["vantage"] for one in samples_of(prometheus, VANTAGES, "Vantages", ref)]
        assert sorted(found) == sorted(names)


def test_the_annotations_mark_what_happens(prometheus: PrometheusServer) -> None:
    """The annotations' queries find the block, and what else goes on, with what titles need."""
    blocks, suspected, others, noted = (
        prometheus.query(filled(one["expr"])) for one in ANNOTATIONS
    )
    pair = {"country": "PK", "country_name": "Pakistan", "platform": "x"}
    assert [found.labels for found in blocks] == [pair]
    assert suspected == []
    assert {found.labels["kind"] for found in others} == {"outage", "vantage_silent"}
    assert {
        (found.labels["platform"], found.value) for found in noted if "platform" in found.labels
    } == {
        ("x", START.timestamp() * 1000 + 60_000),
    }
    assert len(noted) == 2
    assert [one.get("useValueForTime") for one in ANNOTATIONS] == [None, None, None, "on"]
    for annotation in ANNOTATIONS:
        assert annotation["titleFormat"].startswith("{{")


def test_gaps_stay_gaps(prometheus: PrometheusServer) -> None:
    """For a country nobody looks at, no panel invents a value."""
    for asked in QUERIES:
        expression = asked.target["expr"]
        everywhere = '$country|"' in expression or 'vantage_role="control"' in expression
        if "$country" in expression and not everywhere:
            assert prometheus.query(filled(expression, country="ZZ")) == []
