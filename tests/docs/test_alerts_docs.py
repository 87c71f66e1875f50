"""docs/alerts.md against the rule file, both ways."""

import re
from pathlib import Path
from typing import Any

from tests.worlds.yaml_files import yaml_of

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "alerts.md").read_text("utf-8")


def rules(kind: str) -> dict[str, dict[str, Any]]:
    """Rules of one kind by name."""
    document = yaml_of(ROOT / "dashboards/prometheus/shutwatch.rules.yml")
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
        assert rule["annotations"]["runbook_url"].endswith(f"/{Path(runbook).stem}")
        assert (ROOT / "docs" / runbook).is_file()


def test_every_recorded_series_is_documented_and_the_other_way_round() -> None:
    """The table of recorded series and the rule file name the same series."""
    assert set(re.findall(r"^\| `(\S+:\S+)` \|", TEXT, re.MULTILINE)) == set(rules("record"))


def test_every_annotation_of_a_block_is_documented() -> None:
    """The table for webhooks and the annotations of an alert about a platform are the same."""
    table = TEXT[TEXT.index("### For a webhook") :]
    told = rules("alert")["ShutwatchPlatformBlockConfirmed"]["annotations"]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(told)


def test_the_message_shown_is_a_real_one() -> None:
    """What the document shows is what the committed templates make, word for word."""
    messages = ROOT / "tests" / "prometheus" / "messages"
    shown = re.findall(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert (messages / "one-confirmed.text").read_text("utf-8") in shown
    first = [
        (messages / f"{story}.text").read_text("utf-8").splitlines()[0]
        for story in ("all-of-meta", "several")
    ]
    assert "\n".join([*first, ""]) in shown


def test_receivers_and_inhibitions_are_documented() -> None:
    """The receivers of the configuration are those of the table, and each alert that silences
    others stands in the table of what silences what."""
    config = yaml_of(ROOT / "dashboards/alertmanager/alertmanager.yml")
    table = TEXT[TEXT.index("### Who is told what") : TEXT.index("### What silences what")]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [
        receiver["name"] for receiver in config["receivers"]
    ]
    table = TEXT[TEXT.index("### What silences what") : TEXT.index("### A message")]
    told = {name for row in re.findall(r"^\| (Sh[^|]+)\|", table, re.M) for name in words(row)}
    assert told == {
        name
        for rule in config["inhibit_rules"]
        for matcher in rule["source_matchers"]
        for name in words(matcher)
    }


def words(text: str) -> list[str]:
    """Names of alerts in a text."""
    return re.findall(r"Shutwatch\w+", text)
