"""The part of an SQL store that keeps what platforms withhold."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_

from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.listing import Listing
from storage.sql.statements import upsert
from storage.sql.transactions import SqlDatabase
from storage.values import codecs
from storage.values.storable_text import storable
from storage.values.times import time_text
from storage.values.withheld import Withheld

WITHHELD = Listing(schema.withheld, codecs.WITHHELD, "since", "country", "url")


class SqlWithheld(SqlDatabase):
    """Posts, accounts and videos that are withheld in a country."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._withheld = upsert(schema.withheld, backend, codecs.WITHHELD.names)

    async def save_withheld(self, found: Sequence[Withheld]) -> None:
        valid = storable(tuple(found), tuple[Withheld, ...])
        await self._write(
            lambda connection: self._withheld.run(connection, map(codecs.WITHHELD.encode, valid)),
            leader_only=True,
        )

    async def withheld(
        self, country: str = "", since: datetime | None = None, until: datetime | None = None
    ) -> list[Withheld]:
        row = schema.withheld.c
        where: list[ColumnElement[bool]] = [row.country == country] if country else []
        if until is not None:
            where.append(row.since < time_text(until))
        if since is not None:
            where.append(or_(row.over_at.is_(None), row.over_at > time_text(since)))
        return await self._all(WITHHELD, where)
