"""Grafana's alert rules: the same alerts as Prometheus and Alertmanager, delivered by Grafana."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards.grafana import alerting
from tests.prometheus import board_world
from tests.prometheus.boards import DOCUMENTS, FOLDER
from tests.prometheus.server import PrometheusServer
from tests.worlds.yaml_files import yaml_of

FILE = FOLDER / "provisioning/alerting/shutwatch.yaml"
DOCUMENT: dict[str, Any] = yaml_of(FILE)
RULES: list[dict[str, Any]] = [rule for group in DOCUMENT["groups"] for rule in group["rules"]]
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml_of(alerting.PROMETHEUS)["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def named(rule: dict[str, Any]) -> str:
    """A test id."""
    return str(rule["title"])


def test_grafana_notifies_of_the_same_alerts_as_alertmanager() -> None:
    """Each alert that is critical or a warning has one rule of the same severity; no other has."""
    notifying = {
        name: alert["labels"]["severity"]
        for name, alert in ALERTS.items()
        if alert["labels"]["severity"] in alerting.NOTIFYING
    }
    assert {rule["title"]: rule["labels"]["severity"] for rule in RULES} == notifying
    assert len(RULES) == len(notifying) >= 10


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_rules_are_complete(rule: dict[str, Any]) -> None:
    """Each has a fixed uid of at most 40 characters, a panel that exists, and all its texts."""
    assert rule["uid"] == rule["title"]
    assert len(rule["uid"]) <= 40
    panels = {panel["id"]: panel["type"] for panel in DOCUMENTS[rule["dashboardUid"]]["panels"]}
    assert panels[rule["panelId"]] != "row"
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    runbook = f"http://127.0.0.1:10100/runbooks/{rule['title']}"
    assert rule["annotations"]["runbook_url"] == runbook
    query, condition = rule["data"]
    assert rule["condition"] == condition["refId"]
    assert condition["model"]["expression"] == query["refId"] == query["model"]["refId"]
    assert query["datasourceUid"] == query["model"]["datasource"]["uid"] == "shutwatch-prometheus"
    # Nothing fires: OK. Prometheus does not answer: an error.
    assert (rule["noDataState"], rule["execErrState"]) == ("OK", "Error")


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_words_are_grafanas(rule: dict[str, Any]) -> None:
    """Texts use labels only, and no dollar sign, which provisioning would replace."""
    for text in rule["annotations"].values():
        assert "$" not in text
        for action in re.findall(r"\{\{\s*(.*?)\s*\}\}", text):
            allowed = r"\.Labels\.\w+|with \.Labels\.\w+|if eq \.Labels\.\w+ \"\w+\"|\.|end|else"
            assert re.fullmatch(allowed, action), action
        assert len(re.findall(r"\{\{ (?:with|if) ", text)) == text.count("{{ end }}")


@pytest.mark.parametrize(
    ("template", "kept"),
    [
        ("on {{ $labels.country }}", "on {{ $labels.country }}"),
        ('a {{ with printf "x" | query }}found{{ else }}none{{ end }} b', "a none b"),
        ('a {{ with printf "x" | query }}found{{ end }} b', "a b"),
        (
            "{{ with $labels.instance }} at {{ . }}{{ end }}",
            "{{ with $labels.instance }} at {{ . }}{{ end }}",
        ),
        (
            (
                '{{ with printf "x" | query }}{{ if . }}y{{ else }}z{{ end }}{{ else }}'
                "{{ if $labels.a }}k{{ else }}l{{ end }}{{ end }}"
            ),
            "{{ if $labels.a }}k{{ else }}l{{ end }}",
        ),
    ],
)
def test_plain_replaces_queries_by_the_text_for_no_answer(template: str, kept: str) -> None:
    """Each query becomes its text for an empty answer; all other parts stay."""
    assert alerting.plain(template) == kept


def test_nothing_that_fires_takes_an_alert_with_an_end_away() -> None:
    """Attack: all vantages of a country fall silent during a block. Grafana says “Resolved” of a
    series that vanishes, so an inhibition within the query would be an end. Such alerts are not
    inhibited, and say what “Resolved” means."""
    ending = {name for name, alert in ALERTS.items() if "until" in alert["annotations"]}
    found = {rule["title"]: rule for rule in RULES}
    inhibited = {name for name, rule in found.items() if "unless" in _asked(rule)}
    told = {name for name, rule in found.items() if alerting.RESOLVED in _described(rule)}
    assert ending == told
    assert inhibited & ending == set()
    assert {"ShutwatchCountryUnseen", "ShutwatchCycleStalled"} <= inhibited


def _asked(rule: dict[str, Any]) -> str:
    return str(rule["data"][0]["model"]["expr"])


def _described(rule: dict[str, Any]) -> str:
    return str(rule["annotations"]["description"])


def test_other_matchers_are_refused() -> None:
    """An inhibition by anything but alert names is an error."""
    rule = {"target_matchers": ["severity = info"], "source_matchers": ["alertname = A"]}
    with pytest.raises(alerting.AlertingError, match="severity"):
        alerting.firing("B", [rule])


@pytest.fixture(scope="module")
def prometheus() -> Iterator[PrometheusServer]:
    """A Prometheus with the rules, in whose world X is blocked."""
    with (
        board_world.serving() as address,
        PrometheusServer([address], [alerting.PROMETHEUS]) as running,
    ):
        running.eventually(lambda: running.firing("ShutwatchPlatformBlockConfirmed"), 90)
        yield running


@pytest.mark.prometheus
def test_what_fires_in_prometheus_fires_in_grafana(prometheus: PrometheusServer) -> None:
    """Each rule's query is valid, and finds what Prometheus says fires, with its labels."""
    found = {rule["title"]: prometheus.query(rule["data"][0]["model"]["expr"]) for rule in RULES}
    (blocked,) = found.pop("ShutwatchPlatformBlockConfirmed")
    assert blocked.labels == {"country": "PK", "platform": "x"}
    assert blocked.value > RULES[0]["data"][1]["model"]["conditions"][0]["evaluator"]["params"][0]
    assert not any(
        samples for name, samples in found.items() if name.startswith("ShutwatchPlatform")
    )


@pytest.mark.prometheus
def test_grafana_inhibits_as_alertmanager_does(prometheus: PrometheusServer) -> None:
    """While the source fires the target does not, where the labels are equal and only there."""
    name = "ShutwatchPlatformBlockConfirmed"
    rule = {
        "target_matchers": [f"alertname = {name}"],
        "source_matchers": ["alertname = ShutwatchWatchdog"],
    }
    assert prometheus.query(alerting.firing(name, []))
    assert not prometheus.query(alerting.firing(name, [rule]))
    assert prometheus.query(alerting.firing(name, [{**rule, "equal": ["platform"]}]))
    assert prometheus.query(alerting.firing("ShutwatchWatchdog", [rule]))
