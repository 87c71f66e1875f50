"""From stored cells to lines of CSV, a page at a time and many cells in one go.

Nearly all cells are plain: nothing in them needs a quote, an apostrophe or an escape. So each piece
of a page is looked at as a whole, by what kinds of characters stand in it, and only rows with
something else are taken apart. What is made of several cells is made once for each that differ.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from monitor.export.cells import Value, cell, text_cell
from monitor.export.columns import Column
from monitor.export.stored import STORED, Made, Stored, shown
from storage.cells import APART, BETWEEN_ROWS, RAW, Cell, Group, Joined, Listed, Page, Rounded
from storage.store import StorageError

_PLAIN, _BOUNDARY, _LEAD, _OTHER = b"a|!?"
_ASCII = 128
_Piece = Callable[[Sequence[Any]], Iterable[str]]
"""Makes text of the cells of one group, for each row of a page."""
_NUMBERS = frozenset({"number", "ms", "bytes"})
"""Units of columns whose cells come from us alone and stay as they are."""


def _kind(code: int) -> int:
    char = chr(code)
    if char in (APART, BETWEEN_ROWS, "\n"):
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
        found: list[tuple[Column[Any], Stored]] = [
            (column, "" if column.name in hidden else sources.get(column.name, column.name))
            for column in columns
        ]
        for of, run in groupby(found, _apart):
            some = list(run)
            cells = tuple(stored for _, stored in some if not isinstance(stored, Made))
            if not cells:
                ways = [stored.value for _, stored in some if isinstance(stored, Made)]
                self.groups.append(of)
                self._pieces.append(partial(_made, ways=ways))
                continue
            numbers = [column.unit in _NUMBERS for column, _ in some]
            self.groups.append(cells)
            self._pieces.append(partial(_shown, cells=cells, numbers=numbers))

    def lines(self, page: Page) -> str:
        """The lines of a page, each with its end. StorageError for a row that makes no sense."""
        if len(self.groups) == 1:
            whole, count = _in_one(page)
            if plain(whole, count * len(self.groups[0]) - 1):
                return whole.replace(APART, ",").replace(BETWEEN_ROWS, "\r\n") + "\r\n"
        if isinstance(page, Joined):
            page = [page.text.split(BETWEEN_ROWS)]
        try:
            pieces = [list(piece(column)) for piece, column in zip(self._pieces, page, strict=True)]
        except ValueError as error:
            raise StorageError(f"there is a row this version cannot read: {error}") from error
        rows = pieces[0] if len(pieces) == 1 else map(",".join, zip(*pieces, strict=True))
        return "\r\n".join(rows) + "\r\n"


def _in_one(page: Page) -> tuple[str, int]:
    """All texts of the one group in one piece, and how many there are."""
    return page if isinstance(page, Joined) else (BETWEEN_ROWS.join(page[0]), len(page[0]))


def _apart(one: tuple[Column[Any], Stored]) -> tuple[Cell, ...]:
    """What is asked for by itself: what others are made of, and numbers that are often negative,
    since a text that begins like them is no plain one."""
    column, stored = one
    if isinstance(stored, Made):
        return stored.of
    return (stored,) if isinstance(stored, Rounded) and column.unit == "number" else ()


def _shown(page: Sequence[str], cells: Sequence[Cell], numbers: Sequence[bool]) -> Iterable[str]:
    """Texts of several cells that are shown as they are stored."""
    inside = len(cells) - 1
    text = "\n".join(page)
    ours = all(numbers) and RAW not in text
    if ours or plain(text, len(page) * len(cells) - 1):
        return text.replace(APART, ",").split("\n")
    return [
        one.replace(APART, ",") if plain(one, inside) else _careful(one, cells, numbers)
        for one in page
    ]


def _careful(text: str, cells: Sequence[Cell], numbers: Sequence[bool]) -> str:
    return ",".join(
        _careful_cell(one, of, number)
        for one, of, number in zip(text.split(APART), cells, numbers, strict=True)
    )


def _careful_cell(text: str, of: Cell, number: bool) -> str:
    if not isinstance(of, str) and text.startswith(RAW):
        return quoted(cell(shown(of, text.removeprefix(RAW))))
    return quoted(text if number else text_cell(text))


def _made(page: Sequence[str], ways: Sequence[Callable[[str], Value]]) -> Iterable[str]:
    """What is made of stored cells, in each of these ways."""
    return map(_Once(ways).__getitem__, page)


class _Once(dict[str, str]):
    """Text of stored cells → cells made of it, once for each that differs."""

    def __init__(self, ways: Sequence[Callable[[str], Value]]) -> None:
        self._ways = ways

    def __missing__(self, stored: str) -> str:
        made = self[stored] = ",".join(quoted(cell(way(stored))) for way in self._ways)
        return made


def quoted(text: str) -> str:
    """A cell as RFC 4180 has it."""
    if '"' in text or "," in text:
        return '"' + text.replace('"', '""') + '"'
    return text
