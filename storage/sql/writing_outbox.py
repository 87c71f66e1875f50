"""How notices are written: new ones once, later forms of known ones over them."""

from collections.abc import Iterable

from sqlalchemy import Connection, true

from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.statements import insert_new, upsert
from storage.values import codecs
from storage.values.outbox import Notice


class OutboxWriter:
    """The statements that store notices, compiled for one database."""

    def __init__(self, backend: Backend) -> None:
        names = codecs.NOTICE.names
        self._new = insert_new(schema.outbox, backend, names)
        self._known = upsert(schema.outbox, backend, names, lambda *_: true())

    def add(self, connection: Connection, notices: Iterable[Notice]) -> None:
        """Write those that are not there; the caller holds the transaction."""
        self._new.run(connection, map(codecs.NOTICE.encode, notices))

    def update(self, connection: Connection, notices: Iterable[Notice]) -> None:
        """Put these in the place of their earlier forms; the caller holds the transaction."""
        self._known.run(connection, map(codecs.NOTICE.encode, notices))
