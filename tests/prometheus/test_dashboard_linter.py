"""The rules of Grafana's own linter of dashboards, and what import by hand and schema v2 need.

The linter is no part of the tests' tools, so its rules are written again here, under its names.
Exceptions to them are named with their reason.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards.grafana.boards.importable import INPUT, NAMES, panels_of
from tests.prometheus.boards import ANNOTATIONS, DOCUMENTS, FOLDER, asked_of, filled

MONITOR = "shutwatch-monitor"
PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
DATABASE = {"type": "grafana-postgresql-datasource", "uid": "${database}"}
ALL = [(uid, panel) for uid, document in DOCUMENTS.items() for panel in panels_of(document)]
"""Panels of every dashboard, those of collapsed rows too."""
each = pytest.mark.parametrize("uid", DOCUMENTS)
panel = pytest.mark.parametrize(
    ("uid", "panel"), ALL, ids=[f"{uid}-{one['title']}" for uid, one in ALL]
)


def variables(uid: str) -> dict[str, dict[str, Any]]:
    """Variables of a dashboard by name."""
    return {one["name"]: one for one in DOCUMENTS[uid]["templating"]["list"]}


def expressions(one: dict[str, Any]) -> Iterator[str]:
    """PromQL of a panel."""
    return (target["expr"] for target in one["targets"] if "expr" in target)


@each
def test_template_datasource_rule(uid: str) -> None:
    """The data source is a variable, with its label."""
    source = variables(uid)["datasource"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert source["label"] == "Data source"


@each
def test_template_job_rule(uid: str) -> None:
    """`job` is a variable that all may be chosen of."""
    job = variables(uid)["job"]
    assert (job["type"], job["datasource"], job["label"]) == ("query", PROMETHEUS, "Job")
    assert (job["multi"], job["includeAll"], job["allValue"]) == (True, True, ".+")


@each
def test_template_instance_rule(uid: str) -> None:
    """`instance` is one where a program speaks of itself, and nowhere else: what was concluded
    comes from whichever collector leads, and would have a gap when that changes."""
    instance = variables(uid).get("instance")
    assert (instance is not None) == (uid == MONITOR)
    if instance is not None:
        assert (instance["multi"], instance["includeAll"], instance["allValue"]) == (
            True,
            True,
            ".+",
        )


@each
def test_template_on_time_change_reload_rule(uid: str) -> None:
    """Variables that ask are asked again when the time range changes."""
    assert {one["refresh"] for one in variables(uid).values() if one["type"] == "query"} == {2}


@each
def test_uneditable_dashboard_rule(uid: str) -> None:
    """What is provisioned is not edited."""
    assert DOCUMENTS[uid]["editable"] is False


@panel
def test_panel_rules(uid: str, panel: dict[str, Any]) -> None:
    """panel-datasource, -title-description, -units and -no-targets of the linter. The database is
    for the last row of the evidence alone."""
    allowed = [PROMETHEUS, DATABASE] if uid == "shutwatch-evidence" else [PROMETHEUS]
    assert panel["datasource"] in allowed
    assert panel["title"].strip()
    assert panel["description"].strip()
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters)


SELECTOR = re.compile(r"\b(?:(?:shutwatch|process|scrape)_\w+|up)(\{[^}]*\})?")
OF_ITSELF = re.compile(r"\b(?:process|scrape)_\w+|\bup\b|shutwatch_(?:build|config|storage)\w+")
"""What each program says of itself."""
COUNTERS = re.compile(r"\b\w+_(?:total|count|bucket|sum)(?=\{)")


@panel
def test_target_rules(uid: str, panel: dict[str, Any]) -> None:
    """target-job, target-instance, target-counter-agg and target-rate-interval of the linter."""
    for expression in expressions(panel):
        for found in SELECTOR.finditer(expression):
            selector = found[1] or ""
            assert 'job=~"$job"' in selector, found[0]
            of_itself = bool(OF_ITSELF.match(found[0])) and uid == MONITOR
            assert ('instance=~"$instance"' in selector) == of_itself, found[0]
        for found in COUNTERS.finditer(expression):
            assert re.search(r"\b(rate|increase)\($", expression[: found.start()]), found[0]
        for stretch in re.findall(r"\b(?:rate|increase|irate)\([^\[]*\[([^\]]*)\]", expression):
            assert stretch == "$__rate_interval"


@pytest.mark.prometheus
def test_target_promql_rule() -> None:
    """Every expression, of panels, variables and annotations, is PromQL that promtool formats."""
    found = {one for _, shown in ALL for one in expressions(shown)}
    found |= {one["expr"] for one in ANNOTATIONS}
    for document in DOCUMENTS.values():
        found |= {asked_of(one)[0] for one in document["templating"]["list"] if "refresh" in one}
    rules = {
        "groups": [
            {
                "name": "all",
                "rules": [
                    {"record": f"one:{number}:x", "expr": filled(one)}
                    for number, one in enumerate(sorted(found))
                ],
            }
        ]
    }
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=none", "/dev/stdin"],
        input=json.dumps(rules),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(found)} rules found" in done.stdout


def shaped(folder: str, uid: str) -> dict[str, Any]:
    """One dashboard in another shape."""
    loaded: dict[str, Any] = json.loads((FOLDER / folder / f"{uid}.json").read_text("utf-8"))
    return loaded


@each
def test_import_by_hand_asks_for_the_data_source_and_names_plugins(uid: str) -> None:
    """The form of Grafana asks for one Prometheus; who has no PostgreSQL is asked for none. The
    dashboard keeps its uid, which links hold, and no id of somebody's server."""
    document = shaped("import", uid)
    (given,) = document["__inputs"]
    assert (given["name"], given["type"], given["pluginId"]) == (INPUT, "datasource", "prometheus")
    first = document["templating"]["list"][0]
    assert first["current"]["value"] == f"${{{INPUT}}}"
    text = json.dumps(document)
    assert set(re.findall(r"\$\{(DS_\w+)\}", text)) == {INPUT}
    kinds = {shown["type"] for _, shown in ALL if _ == uid}
    required = {(one["type"], one["id"]) for one in document["__requires"]}
    assert required == {
        ("grafana", "grafana"),
        ("datasource", "prometheus"),
        *(("panel", kind) for kind in kinds),
    }
    assert all(one["name"] for one in document["__requires"])
    assert (document["uid"], document["id"], document["__elements"]) == (uid, None, {})
    same = {key: document[key] for key in ("panels", "annotations", "schemaVersion", "title")}
    assert same == {key: DOCUMENTS[uid][key] for key in same}


@each
def test_the_newer_schema_shows_the_same(uid: str) -> None:
    """Each panel of the classic file is an element of the resource, in a place of its own in its
    row, with the same queries, settings and variables."""
    document = shaped("v2", uid)
    assert (document["apiVersion"], document["kind"]) == ("dashboard.grafana.app/v2", "Dashboard")
    assert document["metadata"] == {"name": uid}
    spec, classic = document["spec"], DOCUMENTS[uid]
    panels = {f"panel-{one['id']}": one for one in panels_of(classic)}
    assert set(spec["elements"]) == set(panels)
    for name, was in panels.items():
        now = spec["elements"][name]["spec"]
        queries = now["data"]["spec"]["queries"]
        assert [one["spec"]["refId"] for one in queries] == [one["refId"] for one in was["targets"]]
        for query, target in zip(queries, was["targets"], strict=True):
            asked = query["spec"]["query"]
            assert asked["datasource"] == {"name": target["datasource"]["uid"]}
            assert asked["group"] == target["datasource"]["type"] in NAMES
            assert asked["spec"].get("expr") == target.get("expr")
            assert asked["spec"].get("rawSql") == target.get("rawSql")
        assert now["vizConfig"]["group"] == was["type"]
        assert now["vizConfig"]["spec"]["fieldConfig"] == was["fieldConfig"]
        assert (now["title"], now["description"]) == (was["title"], was["description"])
    placed = []
    for row in spec["layout"]["spec"]["rows"]:
        items = [item["spec"] for item in row["spec"]["layout"]["spec"]["items"]]
        placed += [item["element"]["name"] for item in items]
        assert min(item["y"] for item in items) == 0
        assert all(item["x"] >= 0 and item["x"] + item["width"] <= 24 for item in items)
    assert sorted(placed) == sorted(panels)
    names = [one["spec"]["name"] for one in spec["variables"]]
    assert names == [one["name"] for one in classic["templating"]["list"]]
    marks = [one["spec"]["query"]["spec"]["expr"] for one in spec["annotations"]]
    assert marks == [one["expr"] for one in classic["annotations"]["list"]]
