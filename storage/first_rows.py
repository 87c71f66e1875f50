"""The first rows of a listing of the store."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def first_rows(listing: AsyncIterator[Sequence[T]], most: int) -> list[T]:
    """At most that many rows. Closes the listing, so that it holds no transaction afterwards."""
    found: list[T] = []
    async with aclosing(listing) as batches:  # type: ignore[type-var]
        async for batch in batches:
            found += batch
            if len(found) >= most:
                break
    return found[:most]
