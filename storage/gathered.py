"""Many rows out of PostgreSQL at once: each column of a page comes as one text.

Nothing is done for each row or cell then before the texts are cut. COPY would send every row as a
message of its own, and taking those in costs half as much again as all that is done here.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Float, Integer, Select, Text, cast, func, select
from sqlalchemy.sql.functions import coalesce

from storage.cells import BETWEEN_ROWS


class NotWholeError(Exception):
    """What was gathered is not what is stored, since a text has BETWEEN_ROWS in it."""


def gathered(connection: Connection, query: Select[Any]) -> tuple[int, list[str]]:
    """How many rows a query finds, and its columns: in each text as many cells, with BETWEEN_ROWS
    between them, and nothing for NULL; no texts when it finds nothing. Raises NotWholeError."""
    rows = query.subquery()
    texts = [func.string_agg(coalesce(cast(column, Text), ""), BETWEEN_ROWS) for column in rows.c]
    count, *found = connection.execute(select(func.count(), *texts)).one()
    if not count:
        return 0, []
    if any(text.count(BETWEEN_ROWS) != count - 1 for text in found):
        raise NotWholeError
    return count, found


def cut(query: Select[Any], texts: Sequence[str]) -> list[Sequence[Any]]:
    """The columns of the query: texts, floating point and whole numbers; NULL is None in a number,
    and nothing in a text."""
    kinds = [column.type for column in query.selected_columns]
    return [
        _column(text.split(BETWEEN_ROWS), kind) for text, kind in zip(texts, kinds, strict=True)
    ]


def _column(cells: Sequence[str], kind: Any) -> Sequence[Any]:
    if not isinstance(kind, Float | Integer):
        return cells
    number: Callable[[str], Any] = float if isinstance(kind, Float) else int
    return [number(cell) if cell else None for cell in cells]
