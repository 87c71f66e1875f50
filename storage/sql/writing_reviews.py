"""How reviews and annotations are written: into tables of their own, so that events stay as they
are."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, select

from storage.sql import schema
from storage.sql.backend import Backend
from storage.sql.statements import insert_new
from storage.store import StorageError
from storage.values import codecs
from storage.values.reviews import Annotation, Review, no_such_event


class ReviewWriter:
    """The statements that store reviews and annotations, compiled for one database."""

    def __init__(self, backend: Backend) -> None:
        self._review = insert_new(schema.review, backend, codecs.REVIEW.names)
        self._annotation = insert_new(schema.annotation, backend, codecs.ANNOTATION.names)

    def add_review(self, connection: Connection, review: Review) -> None:
        """Write it; the caller holds the transaction. StorageError when there is no such event."""
        event = schema.event_table.c
        known = select(event.id).where(event.country == review.country, event.id == review.event)
        if connection.execute(known).first() is None:
            raise StorageError(no_such_event(review))
        self._review.run(connection, [codecs.REVIEW.encode(review)])

    def add_annotations(self, connection: Connection, annotations: Sequence[Annotation]) -> int:
        """Write those that are new; the caller holds the transaction. Returns how many were."""
        return self._annotation.run(connection, map(codecs.ANNOTATION.encode, annotations))

    def remove_annotations(self, connection: Connection, ids: Collection[str]) -> int:
        """Delete them; the caller holds the transaction. Returns how many there were."""
        table = schema.annotation
        return connection.execute(delete(table).where(table.c.id.in_(list(ids)))).rowcount
