"""Empties a store between the examples of a property: a new store takes much longer."""

from sqlalchemy import Connection, bindparam, delete

from storage.sql import schema
from storage.sql.store import SqlStore

_OF_CYCLES = (
    *(schema.measurement, schema.verdict, schema.platform_verdict, schema.vantage_health),
    *(schema.latest_verdict, schema.latest_platform, schema.latest_health),
    *(schema.availability_hour, schema.availability_day, schema.cycle),
)
"""Every table in which a cycle leaves rows."""
_DELETE = [delete(table) for table in _OF_CYCLES]
_OF_COUNTRY = [delete(table).where(table.c.country == bindparam("of")) for table in _OF_CYCLES]


async def forget_cycles(store: SqlStore, country: str = "") -> None:
    """Delete what the cycles of a country left in the store, or of all countries. Events and their
    log stay."""

    def forget(connection: Connection) -> None:
        for statement in _OF_COUNTRY if country else _DELETE:
            connection.execute(statement, {"of": country} if country else {})

    await store._write(forget)
