"""One transaction for several callers: those that come while one is being made durable wait
together for the next.

A disk makes a few hundred transactions durable in a second, whatever their size. So one
transaction for many callers costs each of them little. A caller is answered only when its value is
on disk. The rows of the next group are prepared meanwhile, so that the processor does not wait for
the disk.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")

_QUICKLY = 1.0
"""Seconds. A faster failure may be one caller's fault; a slower one is the database's."""


class _Group(NamedTuple, Generic[T, P, R]):
    """What is written at once."""

    callers: list[tuple[T, asyncio.Future[R]]]
    ready: asyncio.Task[P]


class GroupCommit(Generic[T, P, R]):
    """Writes values in groups, in the order they came; used from one event loop."""

    def __init__(
        self,
        prepare: Callable[[Sequence[T]], Awaitable[P]],
        write: Callable[[P, Callable[[], None]], Awaitable[Sequence[R]]],
        *,
        weigh: Callable[[T], int],
        most: int,
    ) -> None:
        """`prepare` makes rows of a group. `write` stores them, all or none, and returns an answer
        for each value; it calls its second argument when it only waits for the disk: then the next
        group is prepared. A group weighs `most` at most, unless one value alone weighs more."""
        self._prepare = prepare
        self._write = write
        self._weigh = weigh
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def put(self, value: T) -> R:
        """The answer, once `value` is stored; what `prepare` or `write` raised of it, if it is not.

        A caller that is cancelled while waiting cannot know whether it was stored.
        """
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((value, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        group = self._next()
        while group is not None:
            waits_for_disk = asyncio.Event()
            values = [value for value, _ in group.callers]
            writing = asyncio.create_task(self._outcomes(values, group.ready, waits_for_disk.set))
            writing.add_done_callback(partial(_set, waits_for_disk))
            await waits_for_disk.wait()
            following = self._next()
            _answer(group.callers, await writing)
            group = following or self._next()

    def _next(self) -> _Group[T, P, R] | None:
        """The values that wait, being prepared."""
        if not self._waiting:
            return None
        callers = [self._waiting.popleft()]
        weight = self._weigh(callers[0][0])
        while self._waiting and weight + self._weigh(self._waiting[0][0]) <= self._most:
            callers.append(self._waiting.popleft())
            weight += self._weigh(callers[-1][0])
        return _Group(callers, self._making_ready([value for value, _ in callers]))

    def _making_ready(self, values: Sequence[T]) -> asyncio.Task[P]:
        async def ready() -> P:
            return await self._prepare(values)

        return asyncio.create_task(ready())

    async def _outcomes(
        self, values: Sequence[T], ready: asyncio.Task[P], waits_for_disk: Callable[[], None]
    ) -> Sequence[R | BaseException]:
        """An outcome for each value. A value that cannot be stored must not affect others, so a
        group that fails is tried value by value."""
        begun = time.monotonic()
        (outcome,) = await asyncio.gather(
            self._stored(ready, waits_for_disk), return_exceptions=True
        )
        if not isinstance(outcome, BaseException):
            return outcome
        if len(values) == 1 or time.monotonic() - begun > _QUICKLY:
            return [outcome] * len(values)
        outcomes: list[R | BaseException] = []
        for value in values:
            if time.monotonic() - begun > _QUICKLY:
                outcomes += [outcome] * (len(values) - len(outcomes))
                break
            outcomes += await self._outcomes([value], self._making_ready([value]), waits_for_disk)
        return outcomes

    async def _stored(
        self, ready: asyncio.Task[P], waits_for_disk: Callable[[], None]
    ) -> Sequence[R]:
        return await self._write(await ready, waits_for_disk)


def _answer(
    callers: Sequence[tuple[T, asyncio.Future[R]]], outcomes: Sequence[R | BaseException]
) -> None:
    for (_, answer), outcome in zip(callers, outcomes, strict=True):
        if answer.done():  # its caller was cancelled
            continue
        if isinstance(outcome, BaseException):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)


def _set(event: asyncio.Event, _: asyncio.Task[Any]) -> None:
    event.set()
