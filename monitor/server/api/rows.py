"""Rows of the command line's columns, as JSON and as CSV."""

import csv
import io
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from monitor.export.cells import Value, cell, visible
from monitor.export.columns import Column
from storage.times import time_text

HIDDEN = frozenset({"vantage", "cycle_id", "resolvers"})
"""Columns that are empty for whoever may see nothing finer than a network: a cycle is of one
vantage, and a small resolver serves few."""

_BETWEEN_ITEMS = re.compile(r" (?!through proxy)(?<!through )")
"""An item may say that it was reached ` through proxy`."""

_NO_NUMBERS = frozenset({"text", "hex", "UTC time", "list", "names"})
"""Units of columns that hold texts and times."""

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
"""What a value of a column of each unit is in JSON."""


def json_rows(
    columns: Sequence[Column[Any]], values: Iterable[Any], hidden: Collection[str]
) -> list[dict[str, Any]]:
    """One object for each value, with a member for each column, in their order."""
    readers = [(column.name, _json_of(column, column.name in hidden)) for column in columns]
    return [{name: read(value) for name, read in readers} for value in values]


def csv_header(columns: Sequence[Column[Any]]) -> bytes:
    """The first line of a file."""
    return _lines([[column.name for column in columns]])


def csv_rows(
    columns: Sequence[Column[Any]], values: Iterable[Any], hidden: Collection[str]
) -> bytes:
    """Lines of a file, as `shutwatch export csv` writes them."""
    # A column at a time: in most of them a few words come over and over.
    listed = list(values)
    return _lines(zip(*(_cells(c, listed, c.name in hidden) for c in columns), strict=True))


class _Texts(dict[Value, str]):
    """Cells of one column of one batch, each worked out once."""

    def __missing__(self, value: Value) -> str:
        text = self[value] = cell(value)
        return text


def _cells(column: Column[Any], values: Sequence[Any], hide: bool) -> Iterable[str]:
    if hide:
        return [""] * len(values)
    found = map(column.value, values)
    # Numbers that are equal need not look alike: 1, 1.0 and true, 0.0 and -0.0.
    repeated = column.unit in _NO_NUMBERS
    return map(_Texts().__getitem__ if repeated else cell, found)


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _json_of(column: Column[Any], hide: bool) -> Callable[[Any], Any]:
    several = {"list": _BETWEEN_ITEMS, "names": re.compile(re.escape(" | "))}.get(column.unit)
    if hide:
        nothing: Any = None if several is None else []
        return lambda _: nothing
    if several is None:
        return lambda value: _json_value(column.value(value))
    return lambda value: _items(several, column.value(value))


def _items(between: re.Pattern[str], text: Value) -> list[str]:
    return [visible(item) for item in between.split(str(text))] if text else []


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
