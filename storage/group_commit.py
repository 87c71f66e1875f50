"""Several callers, one transaction: while one is being made durable, those who come wait together.

A disk makes a few hundred transactions durable in a second, whatever is in them. So one that
takes what many callers bring costs each of them little, and nobody is answered any earlier than
what he brought is on disk.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_QUICKLY = 1.0
"""Seconds. What failed sooner may be one caller's fault; what took longer is the database's."""


class GroupCommit(Generic[T, R]):
    """Hands values on in groups, in the order they came; used from one event loop."""

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        weigh: Callable[[T], int],
        most: int,
    ) -> None:
        """`write` stores a group, whole or not at all, and gives an answer for each value; a group
        has a weight of `most` at most, unless one value alone has more."""
        self._write = write
        self._weigh = weigh
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def put(self, value: T) -> R:
        """The answer, once `value` is stored; what `write` raised of it, if it is not.

        A caller that is cancelled while waiting cannot know whether it was stored.
        """
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((value, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        while self._waiting:
            group = self._next()
            outcomes = await self._outcomes([value for value, _ in group])
            for (_, answer), outcome in zip(group, outcomes, strict=True):
                if answer.done():  # its caller was cancelled
                    continue
                if isinstance(outcome, BaseException):
                    answer.set_exception(outcome)
                else:
                    answer.set_result(outcome)

    def _next(self) -> list[tuple[T, asyncio.Future[R]]]:
        group = [self._waiting.popleft()]
        weight = self._weigh(group[0][0])
        while self._waiting and weight + self._weigh(self._waiting[0][0]) <= self._most:
            group.append(self._waiting.popleft())
            weight += self._weigh(group[-1][0])
        return group

    async def _outcomes(self, values: Sequence[T]) -> Sequence[R | BaseException]:
        """One for each. What cannot be stored must not take others' along, so a group that fails
        is tried value by value."""
        begun = time.monotonic()
        (outcome,) = await asyncio.gather(self._write(values), return_exceptions=True)
        if not isinstance(outcome, BaseException):
            return outcome
        if len(values) == 1 or time.monotonic() - begun > _QUICKLY:
            return [outcome] * len(values)
        outcomes: list[R | BaseException] = []
        for value in values:
            if time.monotonic() - begun > _QUICKLY:
                outcomes += [outcome] * (len(values) - len(outcomes))
                break
            outcomes += await self._outcomes([value])
        return outcomes
