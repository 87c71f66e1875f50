"""Stored rows as they are shown in files: no verdict or measurement is made of each first.

What is asked for is a few groups: a name alone gives that column as it is stored; a tuple gives one
text, its cells with APART between them, so that most of a row, or all of it, arrives in one piece.
An answer has a column for each group, since whoever writes files looks at columns; or, of one
group, hundreds of rows in each piece.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

APART = "\x1f"
"""Stands between the cells of a group, and nowhere else: a text that has it comes with it written
out, as files show it too."""
BETWEEN_ROWS = "\r\n"
"""Stands between the rows of a piece, as it does in files. What ends it stands nowhere else in it:
a text that has it comes with it written out, like one that has APART."""
NOT_IN_TEXTS = (APART, BETWEEN_ROWS[-1])
"""What is written out."""
RAW = '"'
"""Stands before a cell that comes as it is stored, for whoever reads it to make of it what is
shown: where that takes more than a database does in one and the same way as Python."""


class Words(NamedTuple):
    """The texts in a column of JSON lists, apart by spaces; or RAW and the list."""

    column: str


class Entry(NamedTuple):
    """One text in a column of JSON objects, '' when there is none; or RAW and the object."""

    column: str
    key: str


class Rounded(NamedTuple):
    """A number, `rounded`, as Python writes it; or RAW and the number."""

    column: str
    times: float
    over: float


Cell = str | Words | Entry | Rounded
"""A name stands for a stored column as text: numbers in digits, `true` and `false`, nothing for
NULL and for the name ''. Of floating point only columns in EXACT have such a text: others, each
database would write in its own way."""
Group = str | tuple[Cell, ...]
EXACT = frozenset({"dns_ms", "tcp_ms", "tls_ms", "http_ms"})
"""Columns of numbers with three digits behind the point at most, which nobody rounds or writes in
another way than others, but for whole ones."""
LARGEST = 1e9
"""Numbers are rounded below: beyond, the digits that are left mean nothing."""
Columns = Sequence[Sequence[Any]]
"""One for each group, in that order, as long as each other; never empty."""


class Piece(NamedTuple):
    """Some texts of the one group that was asked for."""

    texts: bytes
    """In UTF-8, with BETWEEN_ROWS between two of them."""
    rows: int
    """How many there are, never none."""


class Joined(NamedTuple):
    """All of them."""

    pieces: Sequence[Piece]


Page = Columns | Joined
"""Some rows, never none; joined when one group of cells was asked for and no other."""
ROWS_IN_PIECE = 500
"""About: as much as a processor keeps at hand."""


class Listed(StrEnum):
    """What can be read row by row."""

    MEASUREMENTS = "measurements"
    VERDICTS = "verdicts"
    AVAILABILITY = "availability"


def rows_in(page: Page) -> int:
    """How many there are."""
    if isinstance(page, Joined):
        return sum(piece.rows for piece in page.pieces)
    return len(page[0])


def joined(texts: Sequence[str]) -> Joined:
    """The texts of the one group that was asked for, which hold none of NOT_IN_TEXTS."""
    parts = [texts[at : at + ROWS_IN_PIECE] for at in range(0, len(texts), ROWS_IN_PIECE)]
    return Joined([Piece(encoded(BETWEEN_ROWS.join(part)), len(part)) for part in parts])


def encoded(text: str) -> bytes:
    """In UTF-8, also what that does not have: halves of characters, that only memory can hold."""
    return text.encode("utf-8", "surrogatepass")


def decoded(raw: bytes) -> str:
    """The text of which `encoded` made bytes."""
    return raw.decode("utf-8", "surrogatepass")


def is_joined(groups: Sequence[Group]) -> bool:
    """Whether the rows come in pieces when these are asked for."""
    return len(groups) == 1 and isinstance(groups[0], tuple)


def rounded(number: float, times: float, over: float) -> float:
    """`number` times `times` as a whole number, the even one of two that are as near, divided by
    `over`: what Python and databases work out alike, unlike rounding to digits."""
    if abs(number) < LARGEST:
        return round(number * times) / over
    return number * (times / over)


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
            text: str = cell
            for sign in NOT_IN_TEXTS:
                text = text.replace(sign, written_out(sign))
            return text
        case _:
            return str(cell)


def page_of(groups: Sequence[Group], rows: Sequence[Mapping[str, Any]]) -> Page:
    """What stored cells make, given by their names."""
    columns = [[_group_of(group, row) for row in rows] for group in groups]
    return joined(columns[0]) if is_joined(groups) else columns


def _group_of(group: Group, row: Mapping[str, Any]) -> Any:
    if isinstance(group, str):
        return row[group]
    return APART.join(_cell_of(cell, row) for cell in group)


def _cell_of(cell: Cell, row: Mapping[str, Any]) -> str:
    if isinstance(cell, str):
        return text_of(row[cell]) if cell else ""
    # Whoever reads it can make of it what is shown.
    return RAW + str(row[cell.column])
