"""Empties a store between the examples of a property: a new store takes much longer."""

from sqlalchemy import Connection, delete

from storage.sql import schema
from storage.sql.store import SqlStore

_OF_CYCLES = (
    *(schema.measurement, schema.verdict, schema.platform_verdict, schema.vantage_health),
    *(schema.latest_verdict, schema.latest_platform, schema.latest_health),
    *(schema.availability_hour, schema.availability_day, schema.cycle),
)
"""Every table in which a cycle leaves rows."""


async def forget_cycles(store: SqlStore, country: str = "") -> None:
    """Delete what the cycles of a country left in the store, or of all countries. Events and their
    log stay."""
    chosen = [
        delete(table).where(table.c.country == country) if country else delete(table)
        for table in _OF_CYCLES
    ]

    def forget(connection: Connection) -> None:
        for statement in chosen:
            connection.execute(statement)

    await store._write(forget)
