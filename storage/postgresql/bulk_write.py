"""Many rows into PostgreSQL at once: COPY writes them to a temporary table, and one INSERT takes
them from there in the order of their key.

COPY into the table itself would fail as a whole at the first row that is stored already.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Table,
    Text,
)

NO_NUL = "\ufffd"
"""Stands for U+0000, which PostgreSQL's text cannot hold."""
_TYPES = (
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Float, "float8"),
    (Boolean, "bool"),
    (LargeBinary, "bytea"),
    (Text, "text"),
)
_MADE = "staging tables"


class StagingTable:
    """Takes many rows of one table at once. See `storage.sql.backend.Staging`."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        """`names` are the columns in the order of the rows' cells."""
        self.name = f"staged_{table.name}"
        columns = ", ".join(f'"{name}"' for name in names)
        self._make = (
            f'CREATE TEMPORARY TABLE IF NOT EXISTS "{self.name}" (LIKE "{table.name}") '
            "ON COMMIT DELETE ROWS"
        )
        # An earlier statement of this transaction may have left rows.
        self._empty = f'DELETE FROM "{self.name}"'  # noqa: S608 # our own word
        self._copy = f'COPY "{self.name}" ({columns}) FROM STDIN (FORMAT binary)'
        self._types = [_type(table, name) for name in names]
        texts = [place for place, kind in enumerate(self._types) if kind == "text"]
        self._texts = itemgetter(*texts, *texts[:1])

    def fill(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        made: set[str] = connection.info.setdefault(_MADE, set())
        if self.name not in made:
            connection.exec_driver_sql(self._make)
            made.add(self.name)
        connection.exec_driver_sql(self._empty)
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(self._types)
            for row in rows:
                # To search all text together is cheaper than each cell.
                has_nul = "\x00" in "".join([cell for cell in self._texts(row) if cell])
                copy.write_row([_clean(cell) for cell in row] if has_nul else row)


def forget(connection: Connection) -> None:
    """A staging table made in a transaction is gone when that is rolled back."""
    connection.info.pop(_MADE, None)


def _clean(cell: Any) -> Any:
    return cell.replace("\x00", NO_NUL) if isinstance(cell, str) else cell


def _type(table: Table, name: str) -> str:
    kind = table.c[name].type
    return next(word for types, word in _TYPES if isinstance(kind, types))
