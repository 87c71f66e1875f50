"""docs/alerts.md against the rule file, both ways."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "alerts.md").read_text("utf-8")


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """Rules of one kind by name."""
    document = yaml.safe_load((ROOT / "dashboards/prometheus/shutwatch.rules.yml").read_text())
    return {
        rule[kind]: rule for group in document["groups"] for rule in group["rules"] if kind in rule
    }


def rows() -> dict[str, tuple[str, str, str]]:
    """The table of alerts: severity, delay and runbook by name."""
    found = re.findall(
        r"^\| \[(\w+)\]\((\S+)\) \| (\w+) \| [^|]+ \| ([^|]+) \|$", TEXT, re.MULTILINE
    )
    return {name: (severity, delay, runbook) for name, runbook, severity, delay in found}


def test_every_alert_is_documented_and_every_documented_alert_is_there() -> None:
    """The table and the rule file name the same alerts."""
    assert set(rows()) == set(rules("alert"))


def test_severity_delay_and_runbook_are_as_documented() -> None:
    """Each row tells the severity and delay of its rule, and links a runbook that exists."""
    for name, rule in rules("alert").items():
        severity, delay, runbook = rows()[name]
        assert (name, severity) == (name, rule["labels"]["severity"])
        assert (name, delay) == (name, rule.get("for", "at once"))
        assert f"docs/{runbook}" == rule["annotations"]["runbook_url"]
        assert (ROOT / "docs" / runbook).is_file()


def test_every_recorded_series_is_documented_and_the_other_way_round() -> None:
    """The table of recorded series and the rule file name the same series."""
    assert set(re.findall(r"^\| `(\S+:\S+)` \|", TEXT, re.MULTILINE)) == set(rules("record"))
