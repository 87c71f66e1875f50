"""Reads ahead of whoever takes pages: while one is worked on, the next ones are under way."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Literal, TypeVar

F = TypeVar("F")
P = TypeVar("P")

_AHEAD = 2
"""Pages that are being read, or wait, beside the one that was taken."""
_Over = Literal[False]


async def read_ahead(
    find: Callable[[], Awaitable[F | None]], read: Callable[[F], Awaitable[P]]
) -> AsyncGenerator[P]:
    """Pages in their order. `find` says where the next one lies, None when there is none: that is
    asked one after the other, and must take little; `read` reads what was found, several at once.

    What either raises is raised in place of the page.
    """
    finding = asyncio.Lock()  # whose turn comes in the order it was asked for

    async def page() -> P | _Over:
        async with finding:
            found = await find()
        return False if found is None else await read(found)

    under_way = deque(asyncio.create_task(page()) for _ in range(_AHEAD))
    try:
        while (read_one := await under_way.popleft()) is not False:
            under_way.append(asyncio.create_task(page()))
            yield read_one
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
