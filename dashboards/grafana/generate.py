"""Write the Grafana dashboards and alert rules: `python -m dashboards.grafana.generate`.

Users load the generated files, which are committed, so they do not need this program. Generating
them gives all titles, units and queries one pattern.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dashboards.grafana import alerting
from dashboards.grafana.boards import evidence, monitor, overview, timeline, vantages
from dashboards.grafana.boards.board import build
from dashboards.grafana.boards.importable import for_import, in_v2

FOLDER = Path(__file__).parent
BOARDS = tuple(module.BOARD for module in (overview, timeline, evidence, vantages, monitor))


SHAPES: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "json": dict,
    "import": for_import,
    "v2": in_v2,
}
"""Folder → the shape of the dashboards in it."""


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def files() -> Mapping[Path, str]:
    """Every generated file and its text."""
    documents = {board.uid: build(board) for board in BOARDS}
    made = {
        FOLDER / folder / f"{uid}.json": _json(shape(document))
        for folder, shape in SHAPES.items()
        for uid, document in documents.items()
    }
    panels = {
        (uid, panel["title"]): panel["id"]
        for uid, document in documents.items()
        for panel in document["panels"]
    }
    made[FOLDER / "provisioning/alerting/shutwatch.yaml"] = alerting.text(panels)
    return made


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
