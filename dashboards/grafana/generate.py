"""Write the Grafana dashboards: `python -m dashboards.grafana.generate`.

The JSON beside this file is what users load. It is generated so that titles, units and queries
follow one pattern, and committed so that nobody needs this program to use it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from dashboards.grafana.boards import evidence, monitor, overview, timeline, vantages
from dashboards.grafana.boards.board import build

FOLDER = Path(__file__).parent
BOARDS = tuple(module.BOARD for module in (overview, timeline, evidence, vantages, monitor))


def files() -> Mapping[Path, str]:
    """Every generated file and its text."""
    return {
        FOLDER / "json" / f"{board.uid}.json": json.dumps(
            build(board), indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for board in BOARDS
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
