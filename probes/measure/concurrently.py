"""Several coroutines in parallel, none of which outlives a failure of the others."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def all_of(several: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all in parallel; when one fails or the caller is cancelled, cancel the others."""
    if len(several) == 1:
        return [await several[0]]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in several]
    return [task.result() for task in tasks]
