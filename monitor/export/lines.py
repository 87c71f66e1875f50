"""From stored cells to lines of CSV, hundreds of rows in one go.

Cells that are plain are shown as they are; only others are taken in hand, as is what is made of
several cells, and most of them once, however often they come.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from monitor.export.cells import Value, cell, text_cell
from monitor.export.columns import Column
from monitor.export.plain_cells import AmbiguousError, Odd, odd_cells
from monitor.export.stored_columns import STORED, Made, Stored, shown
from storage.export.cells import (
    APART,
    BETWEEN_ROWS,
    RAW,
    Cell,
    Group,
    Joined,
    Listed,
    Page,
    Piece,
    decoded,
    joined,
)
from storage.store import StorageError

_NUMBERS = frozenset({"number", "ms", "bytes"})
"""Units of columns whose cells come from us alone and stay as they are."""
_KEPT = 1024
"""Cells that were made, and may come again."""
_APART, _RAW, _LINE_END = APART.encode(), RAW.encode(), BETWEEN_ROWS.encode()


class Plan:
    """What to ask a store for, and how lines are made of its answer."""

    def __init__(
        self, kind: Listed, columns: Sequence[Column[Any]], hidden: Collection[str] = ()
    ) -> None:
        """Columns that are `hidden` stay empty."""
        sources = STORED[kind]
        self.groups: list[Group] = []
        self._parts: list[_Part] = []
        found: list[tuple[Column[Any], Stored]] = [
            (column, "" if column.name in hidden else sources.get(column.name, column.name))
            for column in columns
        ]
        for of, run in groupby(found, _apart):
            some = list(run)
            cells = tuple(stored for _, stored in some if not isinstance(stored, Made))
            if cells:
                numbers = [column.unit in _NUMBERS for column, _ in some]
                self.groups.append(cells)
                self._parts.append(_Shown(cells, numbers))
            else:
                ways = [stored.value for _, stored in some if isinstance(stored, Made)]
                self.groups.append(of)
                self._parts.append(_Derived(ways))

    def lines(self, page: Page) -> list[bytes]:
        """The lines of a page, each with its end, in pieces of any size. StorageError for a row
        that makes no sense."""
        try:
            if isinstance(page, Joined):
                (only,) = self._parts
                return [only.lines(piece) + _LINE_END for piece in page.pieces]
            columns = [part.each(column) for part, column in zip(self._parts, page, strict=True)]
        except ValueError as error:
            raise StorageError(f"there is a row this version cannot read: {error}") from error
        return [_LINE_END.join(map(b",".join, zip(*columns, strict=True))) + _LINE_END]


def _apart(one: tuple[Column[Any], Stored]) -> tuple[Cell, ...]:
    """What is asked for by itself: what others are made of."""
    _, stored = one
    return stored.of if isinstance(stored, Made) else ()


class _Part(Protocol):
    """Makes cells of the texts of one group, row by row, with commas between them."""

    def lines(self, piece: Piece) -> bytes:
        """Of several rows, with BETWEEN_ROWS between them."""

    def each(self, texts: Sequence[str]) -> list[bytes]:
        """Of each row."""


class _Shown(NamedTuple):
    """Cells that are shown as they are stored."""

    cells: Sequence[Cell]
    numbers: Sequence[bool]

    def lines(self, piece: Piece) -> bytes:
        raw = piece.texts
        plain = raw.replace(_APART, b",")
        if all(self.numbers) and _RAW not in raw:
            return plain
        try:
            odd = odd_cells(raw, piece.rows, self.numbers)
        except AmbiguousError:
            return _LINE_END.join(map(self._careful, decoded(raw).split(BETWEEN_ROWS)))
        return b"".join(self._mended(raw, plain, odd)) if odd else plain

    def each(self, texts: Sequence[str]) -> list[bytes]:
        return [
            line for piece in joined(texts).pieces for line in self.lines(piece).split(_LINE_END)
        ]

    def _mended(self, raw: bytes, plain: bytes, odd: Sequence[Odd]) -> Iterator[bytes]:
        """All cells: those that are odd by themselves, the others as they are."""
        done = 0
        for number, begin, end in odd:
            yield plain[done:begin]
            yield _careful_again(raw[begin:end], self.cells[number], self.numbers[number])
            done = end
        yield plain[done:]

    def _careful(self, row: str) -> bytes:
        cells = zip(row.split(APART), self.cells, self.numbers, strict=True)
        return ",".join(_careful(*one) for one in cells).encode()


def _careful(text: str, of: Cell, number: bool) -> str:
    if not isinstance(of, str) and text.startswith(RAW):
        return quoted(cell(shown(of, text.removeprefix(RAW))))
    return quoted(text if number else text_cell(text))


@lru_cache(_KEPT)
def _careful_again(raw: bytes, of: Cell, number: bool) -> bytes:
    """What comes once, a title say, mostly comes over and over."""
    return _careful(decoded(raw), of, number).encode()


class _Derived:
    """Cells that are made of stored ones, each in its way."""

    def __init__(self, ways: Sequence[Callable[[str], Value]]) -> None:
        self._ways = ways
        self._cells = lru_cache(_KEPT)(self._made)

    def lines(self, piece: Piece) -> bytes:
        return _LINE_END.join(self.each(decoded(piece.texts).split(BETWEEN_ROWS)))

    def each(self, texts: Sequence[str]) -> list[bytes]:
        return list(map(self._cells, texts))

    def _made(self, stored: str) -> bytes:
        return ",".join(quoted(cell(way(stored))) for way in self._ways).encode()


def quoted(text: str) -> str:
    """A cell as RFC 4180 has it."""
    if '"' in text or "," in text:
        return '"' + text.replace('"', '""') + '"'
    return text
