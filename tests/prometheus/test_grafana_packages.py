"""The dashboards against Grafana's own packages: its types, units, mappings and transformations."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dashboards.grafana.boards import palette
from dashboards.grafana.boards.importable import in_v2
from dashboards.grafana.boards.parts import words_of
from dashboards.grafana.pictures.recording import load
from dashboards.grafana.pictures.table import rows_of
from tests.prometheus.boards import DOCUMENTS, PANELS

pytestmark = [pytest.mark.soak, pytest.mark.npm, pytest.mark.timeout(900)]

HERE = Path(__file__).parent / "grafana_packages"
COMPOSABLE = "@grafana/schema/dist/esm/raw/composable"
NEWEST = "./node_modules/grafana-schema-newest/dist/types/schema/dashboard/v2/types.spec.gen.js"
TYPES = {
    "stat": "stat/panelcfg/x/StatPanelCfg_types.gen.d.ts",
    "state-timeline": "statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.d.ts",
    "status-history": "statushistory/panelcfg/x/StatusHistoryPanelCfg_types.gen.d.ts",
    "table": "table/panelcfg/x/TablePanelCfg_types.gen.d.ts",
    "timeseries": "timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts",
}

ENUMS = """
type Enums<T> = T extends string ? `${T}`
  : T extends number ? (`${T}` extends `${infer N extends number}` ? N : T)
  : T extends object ? { [K in keyof T]: Enums<T[K]> }
  : T;
"""
"""JSON has the words of an enum where TypeScript wants its members."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages installed."""
    folder = tmp_path_factory.mktemp("packages")
    for path in HERE.iterdir():
        shutil.copy(path, folder)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return folder


def test_types_are_grafanas(packages: Path) -> None:
    """Dashboards, and options and field settings of each kind of panel, fit @grafana/schema."""
    lines = [
        'import type * as schema from "@grafana/schema";',
        f'import type {{ Spec }} from "{NEWEST}";',
    ]
    for index, path in enumerate(TYPES.values()):
        lines.append(f'import type * as p{index} from "{COMPOSABLE}/{path}";')
    names = {kind: f"p{index}" for index, kind in enumerate(TYPES)}
    exact = "Partial<Record<string, never>>"
    for number, shown in enumerate(PANELS):
        panel, kind = shown.panel, names[shown.panel["type"]]
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        has_fields = panel["type"] != "stat"
        lines.append(
            _constant(f"o{number}", f"Enums<Partial<{kind}.Options>>", panel.get("options", {}))
        )
        if has_fields:
            base = "schema.TableFieldOptions" if panel["type"] == "table" else f"{kind}.FieldConfig"
            lines.append(_constant(f"f{number}", f"Enums<Partial<{base}>>", custom))
        else:
            lines.append(_constant(f"f{number}", exact, custom))
    for number, document in enumerate(DOCUMENTS.values()):
        lines.append(_constant(f"d{number}", "Enums<Board>", _known(document)))
        lines.append(_constant(f"n{number}", "Spec", in_v2(document)["spec"]))
    lines += [
        ENUMS,
        "type Board = Partial<schema.Dashboard> & { editable: boolean };",
        "export {};",
    ]
    (packages / "boards.ts").write_text("\n".join(lines), "utf-8")
    done = subprocess.run(
        [
            *("node_modules/.bin/tsc", "--noEmit", "--strict", "--skipLibCheck"),
            *("--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"),
            "boards.ts",
        ],
        cwd=packages,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def _known(document: dict[str, Any]) -> dict[str, Any]:
    """Without what only Prometheus's part of Grafana knows, and what the SDK adds to variables."""
    annotations, variables = document["annotations"]["list"], document["templating"]["list"]
    return {
        **document,
        "annotations": {
            "list": [
                _without(one, "expr", "titleFormat", "step", "useValueForTime")
                for one in annotations
            ]
        },
        "templating": {
            "list": [_without(one, "auto", "auto_count", "auto_min") for one in variables]
        },
    }


def _without(given: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in keys}


def _constant(name: str, kind: str, value: Any) -> str:
    return f"const {name}: {kind} = {json.dumps(value)}; void {name};"


@pytest.fixture(scope="module")
def checked(packages: Path) -> dict[str, Any]:
    """What Grafana's code makes of the dashboards and the recorded answers."""
    answers = {
        board: {
            title: {
                ref: {"series": [{"labels": s.labels, "values": s.values} for s in answer.series]}
                for ref, answer in panel.items()
            }
            for title, panel in panels.items()
        }
        for board, panels in load().answers.items()
    }
    done = subprocess.run(
        ["node", "check.cjs"],
        cwd=packages,
        input=json.dumps({"boards": list(DOCUMENTS.values()), "answers": answers}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_units_are_grafanas(checked: dict[str, Any]) -> None:
    """Every unit is one that @grafana/data knows."""
    assert checked["units"] > 100
    assert checked["unknown"] == []


def test_tables_are_joined_as_we_think(checked: dict[str, Any]) -> None:
    """Grafana's transformations give the columns and rows that the pictures show."""
    tables = [shown for shown in PANELS if shown.panel["type"] == "table"]
    assert len(checked["tables"]) == len(tables) > 5
    recording = load()
    for shown in tables:
        title = shown.panel["title"]
        names, rows = rows_of(shown.panel, recording.answers[shown.board][title])
        theirs = checked["tables"][f"{shown.board}/{title}"]
        assert sorted(theirs["names"]) == sorted(names), title
        assert [name for name in theirs["names"] if name in names] == names, title
        ours = sorted(str([row[name] for name in names]) for row in rows)
        assert sorted(map(_as_python, theirs["rows"])) == ours, title


def _as_python(row: list[Any]) -> str:
    return str([float(cell) if isinstance(cell, int) else cell for cell in row])


def test_states_have_their_words_and_colours(checked: dict[str, Any]) -> None:
    """Each number of a panel of states is shown as its word and colour, and none as a grey gap."""
    by_title = {
        "shutwatch-overview/Platforms by country": palette.PLATFORM_STATES,
        "shutwatch-timeline/Events": palette.EVENT_STATES,
        "shutwatch-vantages/Vantage health": palette.VANTAGE_STATES,
    }
    for key, states in by_title.items():
        gap, *numbers = checked["states"][key][: len(states) + 1]
        known = words_of(states)
        assert (gap["text"], gap["color"]) == ("no data", palette.GREY)
        for (state, colour), shown in zip(states, numbers, strict=True):
            assert (shown["text"], shown["color"]) == (known.get(state, state), colour)
