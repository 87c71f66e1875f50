"""Stored rows as they are, for files: no verdict or measurement is made of each first.

What is asked for is a few groups: a name alone gives that column as it is stored; a tuple of names
gives one text, the cells of those columns with APART between them, so that most of a row arrives
in one piece. An answer has a column for each group: whoever writes files looks at columns.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

APART = "\x1f"
"""Stands between the cells of a group, and nowhere else: a text that has it comes with it written
out, as files show it too."""

Group = str | tuple[str, ...]
"""A stored column as it is; or several as text: numbers in digits, `true` and `false`, nothing for
NULL and for the name ''. Of floating point only columns in ROUNDED have a text, as Python writes
it; others are asked for alone, since each database would write them in its own way."""
ROUNDED = frozenset({"dns_ms", "tcp_ms", "tls_ms", "http_ms"})
"""Columns of numbers with three digits behind the point at most, which nobody rounds or writes in
another way than others, but for whole ones."""
Columns = Sequence[Sequence[Any]]
"""One for each group, in that order, as long as each other; never empty."""


class Listed(StrEnum):
    """What can be read row by row."""

    MEASUREMENTS = "measurements"
    VERDICTS = "verdicts"
    AVAILABILITY = "availability"


def written_out(character: str) -> str:
    """A character that cannot be seen, as something that can."""
    return f"\\u{ord(character):04x}"


def text_of(cell: Any) -> str:
    """A stored cell as it stands in a group."""
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case str():
            return cell.replace(APART, written_out(APART))
        case _:
            return str(cell)


def columns_of(groups: Sequence[Group], rows: Sequence[Mapping[str, Any]]) -> Columns:
    """The columns that stored cells make, given by their names."""
    return [[_cell_of(group, row) for row in rows] for group in groups]


def _cell_of(group: Group, row: Mapping[str, Any]) -> Any:
    if isinstance(group, str):
        return row[group]
    return APART.join(text_of(row[name]) if name else "" for name in group)
