"""From stored cells to lines of CSV, a page at a time and many cells in one go.

Nearly all cells are plain: nothing in them needs a quote, an apostrophe or an escape. So each piece
of a page is looked at as a whole, by what kinds of characters stand in it, and only rows with
something else are taken apart. What is made of a stored cell is made once for each cell that
differs.
"""

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from monitor.export.cells import Value, cell, text_cell
from monitor.export.columns import Column
from monitor.export.stored import STORED, Fraction, Made, Stored
from storage.cells import APART, Columns, Group, Listed
from storage.store import StorageError

_PLAIN, _BOUNDARY, _LEAD, _OTHER = b"a|!?"
_ASCII = 128
_NOT_FINITE = frozenset({math.inf, -math.inf}).__contains__
_Piece = Callable[[Sequence[Any]], Iterable[str]]
"""Makes text of the cells of one group, for each row of a page."""
_NUMBERS = frozenset({"number", "ms", "bytes"})
"""Units of columns whose cells come from us alone and stay as they are."""


def _kind(code: int) -> int:
    char = chr(code)
    if char in (APART, "\n"):
        return _BOUNDARY
    if char in "=+-@ '`":
        return _LEAD
    return _PLAIN if code < _ASCII and char.isprintable() and char not in '",;' else _OTHER


_KINDS = bytes(map(_kind, range(256)))
_ODD = bytes([_OTHER])
_BETWEEN = bytes([_BOUNDARY])
_LEADING = bytes([_LEAD])
_LED = re.compile(re.escape(bytes([_BOUNDARY, _LEAD]))).search
"""Of two bytes, an expression finds none in a sixth of the time that `in` takes."""


def plain(text: str, boundaries: int) -> bool:
    """Whether each cell of `text` is shown as it is, without quotes: ASCII that can be seen, led
    by no sign that could begin a formula. `boundaries` are how many there are between the cells."""
    if not text.isascii():
        return False
    kinds = text.encode().translate(_KINDS)
    return (
        _ODD not in kinds
        and not _LED(kinds)
        and kinds[:1] != _LEADING
        and kinds.count(_BETWEEN) == boundaries
    )


class Plan:
    """What to ask a store for, and how lines are made of its answer."""

    def __init__(
        self, kind: Listed, columns: Sequence[Column[Any]], hidden: Collection[str] = ()
    ) -> None:
        """Columns that are `hidden` stay empty."""
        sources = STORED[kind]
        self.groups: list[Group] = []
        self._pieces: list[_Piece] = []
        found = [
            (column, "" if column.name in hidden else sources.get(column.name, column.name))
            for column in columns
        ]
        for of, run in groupby(found, lambda one: None if isinstance(one[1], str) else one[1].of):
            some, stored = zip(*run, strict=True)
            self.groups.append(stored if of is None else of)
            self._pieces.append(_piece([column.unit in _NUMBERS for column in some], stored))

    def lines(self, page: Columns) -> str:
        """The lines of a page, each with its end. StorageError for a row that makes no sense."""
        try:
            pieces = [list(piece(column)) for piece, column in zip(self._pieces, page, strict=True)]
        except ValueError as error:
            raise StorageError(f"there is a row this version cannot read: {error}") from error
        return "\r\n".join(map(",".join, zip(*pieces, strict=True))) + "\r\n"


def _piece(numbers: Sequence[bool], stored: Sequence[Stored]) -> _Piece:
    """What makes cells of one group."""
    if isinstance(stored[0], Fraction):
        return partial(_fractions, of=stored[0])
    ways = [one.value for one in stored if isinstance(one, Made)]
    return partial(_made, ways=ways) if ways else partial(_shown, numbers=numbers)


def _shown(page: Sequence[str], numbers: Sequence[bool]) -> Iterable[str]:
    """Texts of several cells that are shown as they are stored."""
    inside = len(numbers) - 1
    text = "\n".join(page)
    if plain(text, len(page) * len(numbers) - 1):
        return text.replace(APART, ",").split("\n")
    return [
        one.replace(APART, ",") if plain(one, inside) else _careful(one, numbers) for one in page
    ]


def _careful(text: str, numbers: Sequence[bool]) -> str:
    return ",".join(
        quoted(one if number else text_cell(one))
        for one, number in zip(text.split(APART), numbers, strict=True)
    )


def _made(page: Sequence[Any], ways: Sequence[Callable[[Any], Value]]) -> Iterable[str]:
    """What is made of stored cells, in each of these ways."""
    return map(_Once(ways).__getitem__, page)


def _fractions(page: Sequence[float | None], of: Fraction) -> Iterable[str]:
    """Numbers as we write them."""
    digits, factor = of.digits, of.factor
    numbers = [None if one is None else round(one * factor, digits) for one in page]
    if any(map(_NOT_FINITE, numbers)):
        return map(cell, numbers)
    return ["" if one is None else repr(one) for one in numbers]


class _Once(dict[Any, str]):
    """Stored cell → cells made of it, once for each that differs."""

    def __init__(self, ways: Sequence[Callable[[Any], Value]]) -> None:
        self._ways = ways

    def __missing__(self, stored: Any) -> str:
        made = ",".join(quoted(cell(way(stored))) for way in self._ways)
        if stored != 0:  # 0.0 and -0.0 are equal, and do not look alike.
            self[stored] = made
        return made


def quoted(text: str) -> str:
    """A cell as RFC 4180 has it."""
    if '"' in text or "," in text:
        return '"' + text.replace('"', '""') + '"'
    return text
