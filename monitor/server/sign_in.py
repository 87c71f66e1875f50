"""Wrong passwords, counted by where they come from.

Each source may give ten wrong passwords at once, and one more every two seconds after that. So
guessers slow themselves down, and nobody else. A password takes 0.1 s to check, so one is checked
at a time, and beside it one of a source that gave no wrong one. Of those that wait, the one whose
source gave the fewest is next, and of several the one that came last. After one of a source that
gave wrong ones checking rests for twice as long as it took.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum

import msgspec

BURST = 10
"""Wrong passwords of one source allowed at once."""
PAUSE = 2.0
"""Seconds until one more is allowed."""
WAITING = 4
"""Passwords of one source being checked or waiting for it."""
MOST_WAITING = 32
"""Of all sources; then the one with the most wrong ones gives way."""
_MOST_SOURCES = 4096
_REST = 2.0
"""How much longer than a check of a guesser's password took no other one is checked."""
_LONGEST_REST = 2.0
"""Seconds."""


class Answer(StrEnum):
    """What came of a password."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_NOW = "not now"


class _Source(msgspec.Struct):
    allowed: float
    counted_at: float
    wrong: int = 0
    """Wrong passwords since the last right one."""
    waiting: int = 0


class _Waiting(msgspec.Struct, eq=False):
    source: _Source
    turn: "asyncio.Future[bool]"
    """True when it is its turn, False when it gives way."""


class _Lane:
    """Passwords that are checked one after the other."""

    def __init__(self, rest: float, clock: Callable[[], float]) -> None:
        """`rest` is how much longer it rests than a check took; `clock` gives seconds."""
        self._rest, self._clock = rest, clock
        self._began = 0.0
        self._queue: list[_Waiting] = []
        self._checking = False

    async def turn(self, source: _Source) -> bool:
        """Wait for a turn. False: too many wait."""
        if not self._checking:
            self._checking = True
            self._began = self._clock()
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        mine = _Waiting(source, turn)
        self._queue.append(mine)
        if len(self._queue) > MOST_WAITING:
            worst = max(reversed(self._queue), key=lambda one: one.source.wrong)
            self._queue.remove(worst)
            worst.turn.set_result(False)
        try:
            return await turn
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._queue.remove(mine)
            if turn.done() and not turn.cancelled() and turn.result():
                self.next()
            raise

    def next(self) -> None:
        """A turn is over."""
        rest = min(_LONGEST_REST, self._rest * (self._clock() - self._began))
        if rest > 0:
            asyncio.get_running_loop().call_later(rest, self._go_on)
        else:
            self._go_on()

    def _go_on(self) -> None:
        if not self._queue:
            self._checking = False
            return
        best = min(reversed(self._queue), key=lambda one: one.source.wrong)
        self._queue.remove(best)
        self._began = self._clock()
        best.turn.set_result(True)


class SignIn:
    """Checks passwords. Of a source it keeps a keyed digest, in memory alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._sources: dict[bytes, _Source] = {}
        self._lanes = {False: _Lane(0.0, clock), True: _Lane(_REST, clock)}

    async def check(self, source: str, is_right: Callable[[], Awaitable[bool]]) -> Answer:
        """What comes of a password from there; `is_right` checks it."""
        known = self._source(source)
        if known.waiting >= WAITING or not self._may_try(known):
            return Answer.NOT_NOW
        lane = self._lanes[known.wrong > 0]
        known.waiting += 1
        try:
            if not await lane.turn(known):
                return Answer.NOT_NOW
            try:
                # Others of this source may have used up its allowance meanwhile.
                if not self._may_try(known):
                    return Answer.NOT_NOW
                if await is_right():
                    known.wrong = 0
                    return Answer.RIGHT
                known.allowed -= 1
                known.wrong += 1
                return Answer.WRONG
            finally:
                lane.next()
        finally:
            known.waiting -= 1

    def _source(self, address: str) -> _Source:
        mark = hashlib.blake2b(address.encode(), key=self._key, digest_size=16).digest()
        known = self._sources.pop(mark, None) or _Source(float(BURST), self._clock())
        self._sources[mark] = known
        if len(self._sources) > _MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        return known

    def _may_try(self, source: _Source) -> bool:
        now = self._clock()
        source.allowed = min(BURST, source.allowed + (now - source.counted_at) / PAUSE)
        source.counted_at = now
        return source.allowed >= 1
