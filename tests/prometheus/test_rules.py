"""The rule file, checked by promtool and by the conventions it follows."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.worlds.yaml_files import yaml_of

FOLDER = Path(__file__).parents[2] / "dashboards" / "prometheus"
RULES = FOLDER / "shutwatch.rules.yml"
CASES = (FOLDER / "shutwatch.rules.test.yml", FOLDER / "shutwatch.rules.hours.test.yml")
RUNBOOKS = Path(__file__).parents[2] / "docs/runbooks"


def all_rules() -> list[dict[str, Any]]:
    """Every rule of every group."""
    return [rule for group in yaml_of(RULES)["groups"] for rule in group["rules"]]


ALERTS = [rule for rule in all_rules() if "alert" in rule]
RECORDS = [rule for rule in all_rules() if "record" in rule]


def by_name(rule: dict[str, Any]) -> str:
    """A test id."""
    return str(rule.get("alert") or rule.get("record"))


def groups() -> list[dict[str, Any]]:
    """Every group of cases."""
    return [group for file in CASES for group in yaml_of(file)["tests"]]


def alert_cases(name: str) -> list[list[dict[str, Any]]]:
    """What each case of an alert expects."""
    return [
        case.get("exp_alerts", [])
        for group in groups()
        for case in group.get("alert_rule_test", [])
        if case["alertname"] == name
    ]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool in the folder of the rules."""
    return subprocess.run(
        ["promtool", *arguments],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "GOGC": "400"},  # less often: fewer CPU seconds
    )


ABOUT_A_PLATFORM = ("PlatformBlockConfirmed", "PlatformBlockSuspected", "PlatformThrottled")
ABOUT_A_COUNTRY = ("Country", "International", "Coverage", "Vantage", "Traffic", "Clock", "Control")


def told_of(alert: str) -> set[str]:
    """Annotations that a message needs beside what every alert has."""
    name = alert.removeprefix("Shutwatch")
    if name in ABOUT_A_PLATFORM:
        return {
            *("country_name", "platform_name", "owner", "effect", "functions", "state", "networks"),
            *("extent", "since", "until", "witness", "event", "event_url", "whole_owner"),
        }
    if name in ("CountryShutdownSuspected", "InternationalCutSuspected"):
        return {"country_name", "until", "witness"}
    if name == "AllowlistConfirmed":
        return {"country_name", "until"}
    if name == "PlatformDegraded":
        return {"country_name", "platform_name", "networks"}
    if name == "PlatformOutageElsewhere":
        return {"platform_name"}
    return {"country_name"} if name.startswith(ABOUT_A_COUNTRY) else set()


def served(template: str) -> str:
    """The name of the runbook that an alert links to: its address is that of the metric, or where
    shutwatch listens by default."""
    found = re.fullmatch(
        r'\{\{ with "last_over_time\(shutwatch_runbooks_url_info\[1d\]\)" \| query \}\}'
        r'\{\{ \. \| first \| label "url" \}\}\{\{ else \}\}http://127\.0\.0\.1:10100/runbooks'
        r"\{\{ end \}\}/(\w+)",
        template,
    )
    assert found, template
    return found[1]


@pytest.mark.prometheus
def test_promtool_accepts_the_rules() -> None:
    """`promtool check rules` finds nothing, duplicates included, and sees every rule."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS) + len(RECORDS)} rules found" in done.stdout


@pytest.mark.prometheus
@pytest.mark.timeout(900)
def test_every_case_of_the_rules_holds() -> None:
    """`promtool test rules` passes."""
    done = promtool("test", "rules", *(file.name for file in CASES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_promtool_accepts_the_example_configuration() -> None:
    """The example prometheus.yml is valid, finds the rules, and keeps the labels of shutwatch."""
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 rule files found" in done.stdout
    config = yaml_of(FOLDER / "prometheus.yml")
    assert [job["honor_labels"] for job in config["scrape_configs"]] == [True]


def test_no_rule_knows_the_name_of_a_job() -> None:
    """Attack: an operator calls the job `watch-pk`, and ShutwatchMonitorDown fires for ever. Two
    clusters have the same job and address, and a join finds both."""
    for rule in all_rules():
        text = f"{rule['expr']} {rule.get('annotations')}"
        assert 'job="' not in text
        assert not re.search(r"without \(", rule["expr"])
        for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
            names = grouped.split(", ")
            assert "instance" not in names or names[:3] == ["cluster", "job", "instance"]
            assert "job" not in names or "cluster" in names


@pytest.mark.parametrize("rule", ALERTS, ids=by_name)
def test_every_alert_has_a_firing_case(rule: dict[str, Any]) -> None:
    """For each alert there is a case in which it fires."""
    assert any(alert_cases(rule["alert"]))


@pytest.mark.parametrize(
    "rule", [rule for rule in ALERTS if rule["expr"] != "vector(1)"], ids=by_name
)
def test_every_alert_has_a_quiet_case(rule: dict[str, Any]) -> None:
    """For each alert that is not meant to fire always there is a case in which it does not."""
    assert [] in alert_cases(rule["alert"])


@pytest.mark.parametrize("rule", RECORDS, ids=by_name)
def test_every_recording_rule_is_computed_in_a_case(rule: dict[str, Any]) -> None:
    """For each recording rule there is a case that expects samples of it."""
    computed = [
        case["expr"]
        for group in groups()
        for case in group.get("promql_expr_test", [])
        if case["exp_samples"]
    ]
    assert rule["record"] in computed


@pytest.mark.parametrize("rule", ALERTS, ids=by_name)
def test_alerts_are_complete(rule: dict[str, Any]) -> None:
    """Each alert has our prefix, a severity, texts, a runbook that exists, and keeps firing."""
    assert re.fullmatch(r"Shutwatch([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == (
        {"summary", "description", "runbook_url"} | told_of(rule["alert"])
    )
    assert served(rule["annotations"]["runbook_url"]) == rule["alert"]
    assert rule["keep_firing_for"]


@pytest.mark.parametrize("rule", RECORDS, ids=by_name)
def test_records_are_named_level_metric_operation(rule: dict[str, Any]) -> None:
    """A recording rule's level is what its expression keeps, and no ratio is averaged."""
    level, metric, operation = rule["record"].split(":")
    assert metric.startswith("shutwatch_")
    assert operation in ("count", "ratio", "ratio_rate15m", "per_day", "days")
    assert "avg" not in rule["expr"]
    kept = re.search(r"by \(([^)]*)\)", rule["expr"])
    if kept:
        assert set(level.split("_")) <= set(kept.group(1).split(", "))


@pytest.mark.parametrize("rule", ALERTS, ids=by_name)
def test_runbooks_say_what_to_do(rule: dict[str, Any]) -> None:
    """Each runbook has the same three parts, and names its alert as its title."""
    text = (RUNBOOKS / f"{served(rule['annotations']['runbook_url'])}.md").read_text("utf-8")
    assert text.startswith(f"# {rule['alert']}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "What it means",
        "What to check",
        "Before publishing",
    ]


def test_no_runbook_is_left_over() -> None:
    """Each runbook belongs to an alert."""
    found = {path.stem for path in RUNBOOKS.glob("*.md")}
    assert found == {rule["alert"] for rule in ALERTS}
