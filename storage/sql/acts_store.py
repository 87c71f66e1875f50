"""The part of an SQL store that keeps what people do: the audit log, mutes, acknowledgements."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete

from storage.sql import listing as listings
from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.statements import insert_new, upsert
from storage.sql.transactions import SqlDatabase
from storage.values import codecs
from storage.values.acts import Acknowledgement, Act, Mute
from storage.values.storable_text import storable
from storage.values.times import time_text


class SqlActs(SqlDatabase):
    """The audit log, and what people decided for a time."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._new_act = insert_new(schema.audit, backend, codecs.ACT.names)
        self._mute = upsert(schema.mute, backend, codecs.MUTE.names)
        self._acknowledgement = upsert(
            schema.acknowledgement, backend, codecs.ACKNOWLEDGEMENT.names
        )

    def _note(self, connection: Connection, act: Act | None) -> None:
        """Add a line to the audit log in the transaction of what it is about."""
        if act is not None:
            self._new_act.run(connection, [codecs.ACT.encode(storable(act, Act))])

    async def note(self, act: Act) -> None:
        await self._write(lambda connection: self._note(connection, act))

    async def acts(self, since: datetime | None = None, until: datetime | None = None) -> list[Act]:
        at = schema.audit.c.at
        where = [at >= time_text(since)] if since is not None else []
        where += [at < time_text(until)] if until is not None else []
        return await self._all(listings.ACTS, where)

    async def mute(self, mute: Mute, act: Act | None = None) -> None:
        row = codecs.MUTE.encode(storable(mute, Mute))

        def write(connection: Connection) -> None:
            self._mute.run(connection, [row])
            self._note(connection, act)

        await self._write(write)

    async def unmute(self, country: str, event: str, act: Act | None = None) -> bool:
        table = schema.mute
        removal = delete(table).where(table.c.country == country, table.c.event == event)

        def write(connection: Connection) -> bool:
            changed = connection.execute(removal).rowcount > 0
            self._note(connection, act if changed else None)
            return changed

        return await self._write(write)

    async def mutes(self) -> list[Mute]:
        return await self._all(listings.MUTES)

    async def acknowledge(self, made: Acknowledgement, act: Act | None = None) -> None:
        row = codecs.ACKNOWLEDGEMENT.encode(storable(made, Acknowledgement))

        def write(connection: Connection) -> None:
            self._acknowledgement.run(connection, [row])
            self._note(connection, act)

        await self._write(write)

    async def acknowledgements(self) -> list[Acknowledgement]:
        return await self._all(listings.ACKNOWLEDGEMENTS)
