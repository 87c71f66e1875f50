"""Rows as JSON, with the columns of the CSV files."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from monitor.export.cells import SEPARATORS, Value, items
from monitor.export.columns import Column
from monitor.wording.visible_text import visible
from storage.values.times import time_text

SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": ["string", "null"]},
    "hex": {"type": ["string", "null"]},
    "UTC time": {"type": ["string", "null"], "format": "date-time"},
    "number": {"type": ["number", "null"]},
    "ms": {"type": ["number", "null"]},
    "bytes": {"type": ["number", "null"]},
    "yes or no": {"type": ["boolean", "null"]},
    "list": {"type": "array", "items": {"type": "string"}},
    "names": {"type": "array", "items": {"type": "string"}},
}
"""JSON Schema of a column's values, by its unit."""


def json_rows(columns: Sequence[Column[Any]], values: Iterable[Any]) -> list[dict[str, Any]]:
    """One object for each value, with a member for each column."""
    readers = [(column.name, _json_of(column)) for column in columns]
    return [{name: read(value) for name, read in readers} for value in values]


def _json_of(column: Column[Any]) -> Callable[[Any], Any]:
    unit = column.unit
    if unit not in SEPARATORS:
        return lambda value: _json_value(column.value(value))
    return lambda value: [visible(item) for item in items(unit, column.value(value))]


def _json_value(value: Value) -> str | int | float | bool | None:
    match value:
        case str():
            return visible(value) or None
        case datetime():
            return time_text(value)
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
