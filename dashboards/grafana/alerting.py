"""Grafana's alert rules, made from Prometheus's alert rules and Alertmanager's inhibitions.

Prometheus decides which alerts fire and for how long; Grafana delivers them. Each rule queries the
firing alerts of one name, without those that Alertmanager would inhibit: Grafana has no inhibition,
and its templates cannot query Prometheus. It calls an alert resolved when its series vanishes. So
an alert that ends with its event is not inhibited: a second message does less harm than a false
end.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dashboards.grafana.boards.links import MONITOR, TIMELINE, VANTAGES

PROMETHEUS = Path(__file__).parents[1] / "prometheus/shutwatch.rules.yml"
ALERTMANAGER = Path(__file__).parents[1] / "alertmanager/alertmanager.yml"
SOURCE = "shutwatch-prometheus"
NOTIFYING = ("critical", "warning")
"""Severities that notify people; other alerts only inhibit."""

RESOLVED = "“Resolved” means that this alert ended. shutwatch's page says whether the event did."
"""Grafana cannot say why an alert ended; each alert that ends with its event says this."""

HEADER = """\
# Alerts by Grafana instead of Alertmanager: docs/grafana.md. Generated from Prometheus's rules and
# Alertmanager's inhibitions by `python -m dashboards.grafana.generate`. Prometheus must have loaded
# dashboards/prometheus/shutwatch.rules.yml.
"""

PANELS: Mapping[str, tuple[str, str]] = {
    "shutwatch-blocking": (TIMELINE, "Events"),
    "shutwatch-vantages": (VANTAGES, "Vantage health"),
    "shutwatch-monitor": (MONITOR, "Cycle duration"),
}
"""Group of alerts → the dashboard and panel that its alerts link to."""


class AlertingError(Exception):
    """Grafana cannot express a rule. The message names it."""


def document(panels: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """The provisioning file. `panels` holds the id of each panel by dashboard and title."""
    rules = yaml.safe_load(PROMETHEUS.read_text("utf-8"))
    inhibitions = yaml.safe_load(ALERTMANAGER.read_text("utf-8"))["inhibit_rules"]
    groups = []
    for group in rules["groups"]:
        notifying = [
            rule for rule in group["rules"] if rule.get("labels", {}).get("severity") in NOTIFYING
        ]
        board, title = PANELS[group["name"]]
        made = [_rule(rule, inhibitions, board, panels[board, title]) for rule in notifying]
        groups.append(
            {
                "orgId": 1,
                "name": group["name"],
                "folder": "shutwatch",
                "interval": "1m",
                "rules": made,
            }
        )
    return {"apiVersion": 1, "groups": groups}


def text(panels: Mapping[tuple[str, str], int]) -> str:
    """The text of the provisioning file."""
    return HEADER + yaml.safe_dump(document(panels), sort_keys=False, width=100, allow_unicode=True)


def _rule(
    rule: Mapping[str, Any], inhibitions: Sequence[Mapping[str, Any]], board: str, panel: int
) -> dict[str, Any]:
    name = rule["alert"]
    query = firing(name, () if "until" in rule["annotations"] else inhibitions)
    return {
        "uid": name,
        "title": name,
        "condition": "fires",
        "data": [_query(query), _condition()],
        "dashboardUid": board,
        "panelId": panel,
        "noDataState": "OK",
        "execErrState": "Error",
        # Prometheus has already waited, and resolves the alert itself.
        "for": "0s",
        "annotations": annotations(name, rule["annotations"]),
        "labels": {"severity": rule["labels"]["severity"]},
        "isPaused": False,
    }


def firing(name: str, inhibitions: Sequence[Mapping[str, Any]]) -> str:
    """PromQL for the firing alerts of that name that nothing inhibits.

    It removes their name and severity, since Grafana adds those of its rule.
    """
    parts = [f'ALERTS{{alertname="{name}",alertstate="firing"}}']
    for inhibition in inhibitions:
        if name in _names(inhibition["target_matchers"]):
            sources = "|".join(_names(inhibition["source_matchers"]))
            labels = ", ".join(inhibition.get("equal", ()))
            parts.append(
                f'unless on ({labels}) ALERTS{{alertname=~"{sources}",alertstate="firing"}}'
            )
    return "max without (alertname, alertstate, severity) (\n  " + "\n  ".join(parts) + "\n)"


def _names(matchers: Sequence[str]) -> list[str]:
    """The alert names in matchers of Alertmanager."""
    found = re.fullmatch(r'alertname\s*=~?\s*"?([\w|]+)"?', "; ".join(matchers))
    if not found:
        raise AlertingError(f"matchers may contain alert names only, not {matchers}")
    return str(found.group(1)).split("|")


def _query(expression: str) -> dict[str, Any]:
    return {
        "refId": "A",
        "datasourceUid": SOURCE,
        "relativeTimeRange": {"from": 300, "to": 0},
        "model": {
            "refId": "A",
            "datasource": {"type": "prometheus", "uid": SOURCE},
            "expr": expression,
            "instant": True,
            "range": False,
            "editorMode": "code",
        },
    }


def _condition() -> dict[str, Any]:
    """True for every series the query gives."""
    return {
        "refId": "fires",
        "datasourceUid": "__expr__",
        "relativeTimeRange": {"from": 0, "to": 0},
        "model": {
            "refId": "fires",
            "type": "threshold",
            "datasource": {"type": "__expr__", "uid": "__expr__"},
            "expression": "A",
            "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
        },
    }


def annotations(name: str, given: Mapping[str, str]) -> dict[str, str]:
    """Summary, description and runbook in Grafana's templates.

    A label replaces each query for its title. A description that needs a query, a value or fields
    that Grafana does not have becomes a reference to the dashboard.
    """
    summary = re.sub(r"\{\{ \$value \}\} (\w+)\(s\)", r"\1s", plain(given["summary"]))
    description = " ".join(given["description"].split())
    if re.search(r"\bquery\b|\$value|\bevent_url\b", description):
        description = "The linked dashboard shows what happens, where and since when."
    else:
        description = _labels(description)
    if "until" in given:
        description = f"{description} {RESOLVED}"
    made = {
        "summary": _labels(summary),
        "description": description,
        "runbook_url": plain(given["runbook_url"]),
    }
    for key, value in made.items():
        if "$" in value or "query" in value:
            raise AlertingError(f"{name}: {key} Grafana cannot express: {value}")
    return made


def _labels(template: str) -> str:
    """Labels by a name without a dollar sign, which provisioning would read as a variable."""
    return template.replace("$labels.", ".Labels.")


def plain(template: str) -> str:
    """A template with each query of Prometheus replaced by the text for an empty answer."""
    pieces = re.split(r"(\{\{.*?\}\})", " ".join(template.split()))
    kept, rest = _until_end(pieces)
    if rest:
        raise AlertingError(f"one `end` too many: {template}")
    return " ".join(kept.split())


def _until_end(pieces: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The text before the `else` or `end` of this level, and the remaining pieces."""
    kept = ""
    while pieces:
        piece = pieces[0]
        word = re.match(r"\{\{\s*(with|range|if|else|end)\b", piece)
        if word and word.group(1) in ("else", "end"):
            return kept, pieces
        pieces = pieces[1:]
        if not word:
            kept += piece
            continue
        then, pieces = _until_end(pieces)
        otherwise = ""
        if pieces[0].split()[1].rstrip("}") == "else":
            otherwise, pieces = _until_end(pieces[1:])
        pieces = pieces[1:]
        queries = re.search(r"\|\s*query\b", piece) is not None
        if queries:
            kept += otherwise
        else:
            middle = f"{{{{ else }}}}{otherwise}" if otherwise else ""
            kept += f"{piece}{then}{middle}{{{{ end }}}}"
    return kept, pieces
