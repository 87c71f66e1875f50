"""How notices are written: new ones once, later forms in place of earlier ones."""

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
        """Write those that are new; the caller holds the transaction."""
        self._new.run(connection, map(codecs.NOTICE.encode, notices))

    def update(self, connection: Connection, notices: Iterable[Notice]) -> None:
        """Replace the stored forms of these; the caller holds the transaction."""
        self._known.run(connection, map(codecs.NOTICE.encode, notices))
