"""What the tables have on PostgreSQL: partitions, and the same partial indexes as on SQLite.

`storage.sql.schema` does not say it, since SQLAlchemy would load all of its dialect of PostgreSQL
to check that, in every command that reads a file of SQLite.
"""

from storage.postgresql.partitions import TIMES
from storage.sql.schema import metadata


def describe() -> None:
    """Complete the metadata for PostgreSQL."""
    for name, time in TIMES.items():
        metadata.tables[name].dialect_options["postgresql"]["partition_by"] = f"RANGE ({time})"
    for table in metadata.tables.values():
        for index in table.indexes:
            where = index.dialect_options["sqlite"]["where"]
            index.dialect_options["postgresql"]["where"] = where
