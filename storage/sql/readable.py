"""Whether a database can be read, found out in seconds: each table that must be there, and of a
small SQLite file every page."""

from sqlalchemy import Connection, inspect, select

from storage.sql import schema
from storage.store import StorageError

WHOLE = 128_000_000
"""Bytes of an SQLite file up to which every page is read."""
_AT_START = (
    schema.conclusion,
    schema.latest_platform,
    schema.latest_health,
    schema.latest_verdict,
)
"""Tables that a start reads as a whole."""


def read_some(connection: Connection, name: str, size: int) -> bool:
    """Read what a start reads, and the ends of each table; returns whether all was read. The tables
    must be of this release; `size` is that of the database in bytes.

    Raises StorageError for what is missing or damaged, or as the database does.
    """
    there = inspect(connection).get_table_names()
    for table in schema.metadata.sorted_tables:
        if table.name not in there:
            raise StorageError(
                f"database {name} lacks the table {table.name}: stop shutwatch, and restore a"
                " copy: docs/backup.md"
            )
        key = list(table.primary_key)
        for order in (key, [column.desc() for column in key]):
            connection.execute(select(table).order_by(*order).limit(1)).all()
    for table in _AT_START:
        connection.execute(select(table)).all()
    if connection.dialect.name != "sqlite" or size > WHOLE:
        return False
    damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if damage != "ok":
        raise StorageError(
            f"database {name} is damaged: stop shutwatch, keep a copy, and restore a backup or"
            f" rescue it with `sqlite3 FILE .recover` (SQLite says: {damage})"
        )
    return True
