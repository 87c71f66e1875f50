"""Many rows out of PostgreSQL at once: each column of a page comes as one text.

Nothing is done for each row or cell then before the texts are cut. COPY would send every row as a
message of its own, and taking those in costs three times as much.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Float, Integer, Select, Text, cast, func, select
from sqlalchemy.sql.functions import coalesce

BETWEEN_ROWS = "\x1e"
"""Stands between the cells of a column."""


def gathered(connection: Connection, query: Select[Any]) -> tuple[list[Sequence[Any]], bool]:
    """The columns of what a query finds, empty when it finds nothing, and whether they are what is
    stored: not when a text has BETWEEN_ROWS in it. They are texts, floating point and whole
    numbers; NULL is None in a number, and nothing in a text."""
    kinds = [column.type for column in query.selected_columns]
    rows = query.subquery()
    texts = [func.string_agg(coalesce(cast(column, Text), ""), BETWEEN_ROWS) for column in rows.c]
    count, *found = connection.execute(select(func.count(), *texts)).one()
    if not count:
        return [], True
    columns = [text.split(BETWEEN_ROWS) for text in found]
    whole = all(len(column) == count for column in columns)
    return [
        _numbers(column, float if isinstance(kind, Float) else int)
        if whole and isinstance(kind, Float | Integer)
        else column
        for column, kind in zip(columns, kinds, strict=True)
    ], whole


def _numbers(column: Sequence[str], number: Callable[[str], Any]) -> Sequence[Any]:
    return [number(cell) if cell else None for cell in column]
