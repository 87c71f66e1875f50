"""The part of an SQL store that keeps what people add: reviews and annotations, in tables of their
own, so that events stay as they are."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from storage.sql import listing as listings
from storage.sql import schema
from storage.sql.acts_store import SqlActs
from storage.sql.backend import Backend
from storage.sql.statements import insert_new
from storage.store import StorageError
from storage.values import codecs
from storage.values.acts import Act
from storage.values.reviews import Annotation, Review
from storage.values.selection import Selection
from storage.values.storable_text import storable


class SqlReviews(SqlActs):
    """Reviews and annotations."""

    def __init__(self, backend: Backend, **options: Any) -> None:
        super().__init__(backend, **options)
        self._new_review = insert_new(schema.review, backend, codecs.REVIEW.names)
        self._new_annotation = insert_new(schema.annotation, backend, codecs.ANNOTATION.names)

    async def add_review(self, review: Review, act: Act | None = None) -> None:
        valid = storable(review, Review)
        event = schema.event_table.c
        known = select(event.id).where(event.country == valid.country, event.id == valid.event)

        def add(connection: Connection) -> None:
            if connection.execute(known).first() is None:
                raise StorageError(
                    f"there is no event {valid.event} of country {valid.country or '(none)'} to "
                    "review"
                )
            self._new_review.run(connection, [codecs.REVIEW.encode(valid)])
            self._note(connection, act)

        await self._write(add)

    async def reviews(self, event_id: str = "") -> list[Review]:
        where = [schema.review.c.event == event_id] if event_id else []
        return await self._all(listings.REVIEWS, where)

    async def add_annotations(
        self, annotations: Sequence[Annotation], act: Act | None = None
    ) -> int:
        valid = storable(tuple(annotations), tuple[Annotation, ...])

        def add(connection: Connection) -> int:
            new = self._new_annotation.run(connection, map(codecs.ANNOTATION.encode, valid))
            self._note(connection, act if new else None)
            return new

        return await self._write(add)

    async def remove_annotations(self, ids: Collection[str], act: Act | None = None) -> int:
        removal = delete(schema.annotation).where(schema.annotation.c.id.in_(list(ids)))

        def remove(connection: Connection) -> int:
            removed = connection.execute(removal).rowcount
            self._note(connection, act if removed else None)
            return removed

        return await self._write(remove)

    async def annotations(
        self,
        country: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        platform: str = "",
    ) -> list[Annotation]:
        selection = Selection(since=since, until=until, country=country, platform=platform)
        return await self._all(listings.ANNOTATIONS, listings.bearing_on(selection))
