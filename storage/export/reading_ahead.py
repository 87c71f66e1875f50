"""Reads ahead of whoever takes pages: while one is worked on, the next ones are under way."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Literal, TypeVar

F = TypeVar("F")
P = TypeVar("P")

_Over = Literal[False]


async def read_ahead(
    find: Callable[[], Awaitable[F | None]], read: Callable[[F], Awaitable[P]], ahead: int
) -> AsyncGenerator[P]:
    """Pages in their order; `ahead` of them are being read, or wait, beside the one that was taken.

    `find` says where the next one lies, None when there is none: that is asked one after the other,
    and must take little; `read` reads what was found, several at once. What either raises is raised
    in place of the page.
    """
    finding = asyncio.Lock()  # whose turn comes in the order it was asked for

    async def page() -> P | _Over:
        async with finding:
            found = await find()
        return False if found is None else await read(found)

    under_way: deque[asyncio.Task[P | _Over]] = deque()
    try:
        while True:
            under_way.append(asyncio.create_task(page()))
            if len(under_way) > ahead:
                taken = await under_way.popleft()
                if taken is False:
                    return
                yield taken
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
