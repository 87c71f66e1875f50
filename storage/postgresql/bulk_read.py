"""Many rows out of PostgreSQL at once: each column of a few hundred rows comes as one text.

Nothing is done for each row or cell then before the texts are cut. COPY would send every row as a
message of its own, and taking those in costs half as much again as all that is done here. Texts of
many thousand rows would cost more than they save: memory is fetched anew for each, here and there.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    cast,
    func,
    select,
    true,
)
from sqlalchemy.sql.functions import coalesce

from storage.export.cells import BETWEEN_ROWS
from storage.export.time_cuts import Span

AS_BYTES = "texts_as_bytes"
"""The option of a statement whose texts are not to be decoded."""


class Gathering(NamedTuple):
    """What is asked, so that rows come gathered."""

    statement: Select[Any]
    kinds: Sequence[Any]
    """Types of the columns."""


class Gathered(NamedTuple):
    """Some rows."""

    rows: int
    """Never none."""
    texts: Sequence[bytes]
    """The columns: as many cells with BETWEEN_ROWS between them, and nothing for NULL; in UTF-8."""


def gathering(query: Select[Any]) -> Gathering:
    """All that a query finds, in one piece."""
    return Gathering(select(*_texts(query.subquery())), _kinds(query))


def gathering_in_spans(query: Select[Any], time: ColumnElement[Any]) -> Gathering:
    """What a query finds in each of some spans of `time`."""
    # Of this statement alone, with types of their own: SQLAlchemy writes into what it compiles, and
    # another thread that does the same with it may crash.
    begins, ends = (bindparam(name, type_=ARRAY(Text())) for name in ("begins", "ends"))
    begin, end = (bindparam(name, type_=Text()) for name in ("begin", "end"))
    span = (
        func.unnest(begins, ends)
        .table_valued("begin", "end", with_ordinality="number")
        .render_derived("span")
    )
    # The outermost moments by themselves, too: so that months they are not in are left out.
    bounds = (time >= begin, time < end, time >= span.c.begin, time < span.c.end)
    rows = query.where(*bounds).correlate(span).lateral("piece")
    texts = select(*_texts(rows)).lateral("texts")
    statement = select(*texts.c).select_from(span.join(texts, true())).order_by(span.c.number)
    return Gathering(statement, _kinds(query))


def gathered(
    connection: Connection, asked: Gathering, spans: Sequence[Span] = ()
) -> list[Gathered]:
    """What is found, in the order of the spans if it is asked in spans: these lie one behind the
    other. Nothing where that is no row."""
    values: dict[str, Any] = {}
    if spans:
        begins, ends = zip(*spans, strict=True)
        values = {
            "begins": list(begins),
            "ends": list(ends),
            "begin": begins[0],
            "end": ends[-1],
        }
    found = connection.execute(asked.statement, values, execution_options={AS_BYTES: True})
    return [Gathered(rows, texts) for rows, *texts in found if rows]


def _texts(rows: FromClause) -> list[ColumnElement[Any]]:
    texts = [
        func.string_agg(coalesce(cast(column, Text), ""), BETWEEN_ROWS).label(f"text_{number}")
        for number, column in enumerate(rows.c)
    ]
    return [func.count().label("rows"), *texts]


def _kinds(query: Select[Any]) -> Sequence[Any]:
    return [column.type for column in query.selected_columns]


def cut(asked: Gathering, found: Sequence[Gathered]) -> list[Sequence[Any]]:
    """The columns: texts, floating point and whole numbers; NULL is None in a number, and nothing
    in a text."""
    return [
        _column([cell for one in found for cell in _cells(one.texts[at])], kind)
        for at, kind in enumerate(asked.kinds)
    ]


def _cells(texts: bytes) -> Sequence[str]:
    return texts.decode().split(BETWEEN_ROWS)


def _column(cells: Sequence[str], kind: Any) -> Sequence[Any]:
    if not isinstance(kind, Float | Integer):
        return cells
    number: Callable[[str], Any] = float if isinstance(kind, Float) else int
    return [number(cell) if cell else None for cell in cells]
