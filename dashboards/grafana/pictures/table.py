"""Rows of a table panel: merges the answers of its queries and orders its columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.grafana.pictures.recording import Answer

Row = dict[str, float | str | None]


def rows_of(panel: Mapping[str, Any], answers: Mapping[str, Answer]) -> tuple[list[str], list[Row]]:
    """Column names, and rows as name → value."""
    several = len(answers) > 1
    merged: list[Row] = []
    for ref, answer in answers.items():
        for series in answer.series:
            cells: Row = {**series.labels}
            cells[f"Value #{ref}" if several else "Value"] = series.values[-1]
            _merge(merged, cells)
    organize = panel["transformations"][-1]["options"]
    order = sorted(organize["indexByName"], key=organize["indexByName"].__getitem__)
    names = [organize["renameByName"][column] for column in order]
    rows = [
        {name: row.get(column) for name, column in zip(names, order, strict=True)} for row in merged
    ]
    return names, rows


def _merge(rows: list[Row], cells: Row) -> None:
    for row in rows:
        if all(row[key] == cells[key] for key in cells.keys() & row.keys()):
            row.update(cells)
            return
    rows.append(cells)


def widths(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[float]:
    """Each column's share of the width, by its longest text."""
    longest = [
        max(len(text) for text in (name, *(row[index] for row in rows))) + 2
        for index, name in enumerate(names)
    ]
    return [one / sum(longest) for one in longest]
