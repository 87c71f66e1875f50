"""The public's share of the processor: whoever reads, however many, measuring goes on.

Answers for the public are made one at a time, and after each its place rests for longer than it
took. Those who wait too long, or in too great a number, get 503 and the time to come back.
Operators never wait here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

AT_ONCE = 1
"""Answers made at once: each thread that computes holds up the event loop."""
_REST = 2.0
"""How much longer a place rests than its answer took to begin."""
_LONGEST_REST = 2.0
"""Seconds; an answer may have waited for the store."""
WAITING = 64
"""Requests that may wait."""
PATIENCE = 10.0
"""Seconds for which one waits."""


class PublicShare:
    """The places of the public. One for the life of a server."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def answer(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Have `app` answer, in a place of its own until the answer begins."""
        if self._waiting >= WAITING or not await self._enter():
            busy = PlainTextResponse(
                "Too many readers at the moment. Try again in a few seconds.\n",
                status_code=503,
                headers={"Retry-After": "5"},
            )
            await busy(scope, receive, send)
            return
        began = time.monotonic()
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                rest = min(_LONGEST_REST, _REST * (time.monotonic() - began))
                asyncio.get_running_loop().call_later(rest, self._places.release)

        async def send_on(message: Message) -> None:
            leave()
            await send(message)

        try:
            await app(scope, receive, send_on)
        finally:
            leave()

    async def _enter(self) -> bool:
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await self._places.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return True
