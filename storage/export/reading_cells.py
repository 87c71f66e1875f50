"""What a database is asked for, so that it gives cells as `storage.export.cells` has them."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    Integer,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
)
from sqlalchemy.sql.base import ColumnCollection
from sqlalchemy.sql.functions import coalesce

from storage.export.cells import (
    APART,
    EXACT,
    LARGEST,
    NOT_IN_TEXTS,
    RAW,
    Cell,
    Entry,
    Group,
    Rounded,
    Words,
    written_out,
)

_Text = ColumnElement[str]


def _literal(text: str) -> _Text:
    # In the statement itself: a parameter would be bound again and again.
    return literal_column("'" + text.replace("'", "''") + "'", Text)


_EMPTY, _BETWEEN, _RAW, _POINT = _literal(""), _literal(APART), _literal(RAW), _literal(".0")
_ESCAPE = _literal("\\")
_LARGEST_WHOLE = literal_column("1e15", Float)
"""Milliseconds of thirty thousand years. What is beyond stands as the database writes it."""
_EVEN = literal_column("6755399441055744.0", Float)
"""Added to a number of less than 2 ** 51 it leaves no room for what is behind the point, and that
is rounded to even; SQLite has nothing else that does so."""


def groups_of(
    columns: ColumnCollection[str, Any], groups: Sequence[Group], dialect: str, *, mend: bool
) -> Sequence[ColumnElement[Any]]:
    """What is selected for each group. `mend` writes out what stands between cells and rows where
    a text has it."""
    return [
        _mended(columns[group], mend=mend)
        if isinstance(group, str)
        else _joined(list(_cells(columns, group, dialect, mend=mend)), dialect)
        for group in groups
    ]


def _cells(
    columns: ColumnCollection[str, Any], group: Sequence[Cell], dialect: str, *, mend: bool
) -> Iterator[_Text]:
    """The cells one by one, but those of one object together: most are empty."""
    for column, run in groupby(group, lambda cell: cell.column if isinstance(cell, Entry) else ""):
        cells = [_cell(columns, cell, dialect, mend=mend) for cell in run]
        if column:
            empty = columns[column] == _literal("{}")
            none = _literal(APART * (len(cells) - 1))
            yield case((empty, none), else_=_joined(cells, dialect))
        else:
            yield from cells


def _joined(cells: Sequence[_Text], dialect: str) -> _Text:
    """The cells as one text."""
    if dialect == "postgresql":
        # Which writes them into one text; joined two by two they would be copied again and again.
        return func.concat_ws(_BETWEEN, *cells, type_=Text)
    return reduce(lambda text, cell: text.concat(_BETWEEN).concat(cell), cells)


def _cell(columns: ColumnCollection[str, Any], cell: Cell, dialect: str, *, mend: bool) -> _Text:
    match cell:
        case "":
            return _EMPTY
        case str():
            return _stored(columns[cell], dialect, mend=mend)
        case Words():
            return _words(_mended(columns[cell.column], mend=mend), dialect)
        case Entry():
            return _entry(_mended(columns[cell.column], mend=mend), cell.key, dialect)
        case Rounded():
            return _rounded(columns[cell.column], cell, dialect)


def _stored(column: ColumnElement[Any], dialect: str, *, mend: bool) -> _Text:
    if isinstance(column.type, Float):
        return coalesce(_exact(column, dialect), _EMPTY)
    if isinstance(column.type, Boolean):
        return case((column, _literal("true")), else_=_literal("false"))
    known = isinstance(column, Column) and not column.nullable
    if dialect == "postgresql" and known and isinstance(column.type, Integer):
        return column  # which is made text of where it is put into one
    text = column if isinstance(column.type, Text) else cast(column, Text)
    text = _mended(text, mend=mend)
    return text if known else coalesce(text, _EMPTY)


def _mended(column: ColumnElement[Any], *, mend: bool) -> ColumnElement[Any]:
    if not mend or not isinstance(column.type, Text):
        return column
    for between in NOT_IN_TEXTS:
        column = func.replace(column, between, written_out(between), type_=Text)
    return column


# --- numbers ----------------------------------------------------------


def _exact(column: ColumnElement[Any], dialect: str) -> _Text:
    """A number of few digits as Python writes it: with a point, whole or not."""
    if not isinstance(column, Column) or column.name not in EXACT:
        raise TypeError(f"{column} has no text of its own")
    return _number(column, dialect)


def _number(number: ColumnElement[Any], dialect: str) -> _Text:
    text = cast(number, Text)
    if dialect == "sqlite":
        # Which writes 1e-06 as 1.0e-06.
        return func.replace(text, _literal(".0e-"), _literal("e-"), type_=Text)
    whole = cast(cast(number, BigInteger), Text).concat(_POINT)
    small = func.abs(number) < _LARGEST_WHOLE
    return case((and_(number == func.trunc(number), small), whole), else_=text)


def _rounded(column: ColumnElement[Any], how: Rounded, dialect: str) -> _Text:
    """As `storage.export.cells.rounded` has it."""
    scaled = column * literal_column(repr(how.times), Float)
    over = literal_column(repr(how.over), Float)
    if dialect == "sqlite":
        near: ColumnElement[Any] = (scaled + _EVEN) - _EVEN
        raw: _Text = func.printf(_literal("%!.17g"), column, type_=Text)
    else:
        near, raw = func.round(scaled, type_=Float), cast(column, Text)
    small = func.abs(column) < literal_column(repr(LARGEST), Float)
    return case((small, _number(near / over, dialect)), else_=_RAW.concat(raw))


# --- JSON -------------------------------------------------------------
# Where nothing is escaped, no text has a quote in it: then what is between quotes is a text.


def _words(column: ColumnElement[Any], dialect: str) -> _Text:
    inside = func.substr(column, 3, func.length(column) - 4)
    words = func.replace(inside, _literal('","'), _literal(" "), type_=Text)
    plain = and_(
        column.like(_literal('["%"]')),
        _place(column, _ESCAPE, dialect) == 0,
        _place(words, _RAW, dialect) == 0,
    )
    return case((column == _literal("[]"), _EMPTY), (plain, words), else_=_RAW.concat(column))


def _entry(column: ColumnElement[Any], key: str, dialect: str) -> _Text:
    begin = f'"{key}":"'
    at = _place(column, _literal(begin), dialect)
    behind = func.substr(column, at + len(begin))
    text = func.substr(behind, 1, _place(behind, _RAW, dialect) - 1, type_=Text)
    plain = and_(column.like(_literal('{"%"}')), _place(column, _ESCAPE, dialect) == 0)
    return case(
        (plain, case((at == 0, _EMPTY), else_=text)),
        else_=_RAW.concat(column),
    )


def _place(text: ColumnElement[Any], part: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """Where the part is, from 1; 0 when it is not in it."""
    return func.instr(text, part) if dialect == "sqlite" else func.strpos(text, part)
