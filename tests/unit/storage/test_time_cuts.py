"""Rows in the order of their time are cut where their number asks for it, never within a moment."""

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, create_engine

from storage.export.time_cuts import AFTER_ALL, Moments, Span
from storage.sql import schema

TIME = schema.cycle.c.started_at


@pytest.fixture
def connection() -> Iterator[Connection]:
    """To a database with the store's tables."""
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def begun(connection: Connection, times: Sequence[str], country: str = "PK") -> None:
    """Cycles that began then."""
    numbers = {
        column.name: 0 if column.name.endswith("_count") else "" for column in schema.cycle.c
    }
    for number, time in enumerate(times):
        row = {**numbers, "country": country, "id": f"{number}", "started_at": time}
        connection.execute(schema.cycle.insert(), row)


def spans(connection: Connection, begin: str, ahead: int, count: int) -> Sequence[Span]:
    """Of the cycles of one country."""
    found = Moments(TIME, [schema.cycle.c.country == "PK"])
    return found.spans(connection, begin, ahead, count)


def test_as_many_rows_lie_in_each(connection: Connection) -> None:
    """Each span ends where the next begins; others' rows are not counted."""
    begun(connection, [f"2026-{n}" for n in range(9)])
    begun(connection, [f"2026-{n}5" for n in range(9)], country="BR")
    assert spans(connection, "", 3, 2) == [("", "2026-3"), ("2026-3", "2026-6")]
    assert spans(connection, "2026-6", 2, 5) == [("2026-6", "2026-8"), ("2026-8", AFTER_ALL)]
    assert spans(connection, "2026-8", 2, 5) == [("2026-8", AFTER_ALL)]


def test_no_moment_is_cut(connection: Connection) -> None:
    """What shares a moment stays together, however much it is."""
    begun(connection, ["2026-1", *["2026-2"] * 5, "2026-3", "2026-4"])
    assert spans(connection, "", 2, 3) == [("", "2026-2")]
    assert spans(connection, "2026-2", 2, 3) == [("2026-2", "2026-3")]
    assert spans(connection, "2026-3", 2, 3) == [("2026-3", AFTER_ALL)]


def test_where_there_is_nothing_there_is_one_span(connection: Connection) -> None:
    """In which nothing is found."""
    assert spans(connection, "", 2, 3) == [("", AFTER_ALL)]
