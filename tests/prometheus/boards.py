"""The committed dashboards as the tests read them, and how Grafana would fill in their queries."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from dashboards.grafana import generate

FOLDER = Path(generate.__file__).parent
DOCUMENTS: dict[str, dict[str, Any]] = {
    board.uid: json.loads((FOLDER / "json" / f"{board.uid}.json").read_text("utf-8"))
    for board in generate.BOARDS
}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Shown(NamedTuple):
    """One panel and the dashboard it is on."""

    board: str
    panel: dict[str, Any]

    def __str__(self) -> str:
        """A test id."""
        return f"{self.board.removeprefix('shutwatch-')}-{self.panel['title']}"


class Asked(NamedTuple):
    """One query of a panel."""

    shown: Shown
    target: dict[str, Any]

    def __str__(self) -> str:
        """A test id."""
        return f"{self.shown}-{self.target['refId']}"


PANELS = [
    Shown(uid, panel)
    for uid, document in DOCUMENTS.items()
    for panel in document["panels"]
    if panel["type"] != "row"
]
QUERIES = [Asked(shown, target) for shown in PANELS for target in shown.panel["targets"]]
VARIABLES: list[dict[str, Any]] = DOCUMENTS["shutwatch-overview"]["templating"]["list"]
"""Of every dashboard; some have one more."""
FURTHER: dict[str, list[dict[str, Any]]] = {
    uid: document["templating"]["list"][len(VARIABLES) :] for uid, document in DOCUMENTS.items()
}
ANNOTATIONS: list[dict[str, Any]] = next(iter(DOCUMENTS.values()))["annotations"]["list"]
NAMES = [variable["name"] for variable in VARIABLES]


def filled(expression: str, **chosen: str) -> str:
    """The expression as Grafana would send it; variables not chosen stand for all."""
    times = {"__rate_interval": "30s", "__range": "60s"}
    values = {**dict.fromkeys([*NAMES, "instance"], ".*"), **times, **chosen}
    return re.sub(r"\$(\w+)", lambda found: values[found.group(1)], expression)


def asked_of(variable: dict[str, Any]) -> tuple[str, str]:
    """The query of a variable, and the label whose values it offers."""
    query = str(variable["query"]["query"])
    values = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    if values:
        return values[1], values[2]
    result = re.fullmatch(r"query_result\((.+)\)", query, re.DOTALL)
    label = re.search(r'(\w+)="\(\?<value>', variable["regex"])
    assert result, query
    assert label, query
    return result[1], label[1]


def expressions(board: str, title: str) -> dict[str, str]:
    """The queries of one panel by their letter."""
    return {
        asked.target["refId"]: asked.target["expr"]
        for asked in QUERIES
        if asked.shown.board == board and asked.shown.panel["title"] == title
    }
