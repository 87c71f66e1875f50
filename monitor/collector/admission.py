"""How much a collector takes on: at once, and from each vantage in a while.

Whatever is over is refused with the seconds after which it is worth another try: an agent has a
spool, so waiting costs it nothing, while a collector that falls over costs everybody.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from monitor.wire.answers import Reason
from monitor.wire.refusal import BUSY_FOR, Refused

EACH_AT_ONCE = 4
"""Requests of one vantage under way: an agent makes one at a time, and may lose sight of some."""


class Slots:
    """Places for requests under way. Only who names an enrolled key gets one."""

    def __init__(self, most: int, each: int = EACH_AT_ONCE) -> None:
        """`most` in all, `each` for one vantage."""
        self.most = most
        self._each = each
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, vantage: str) -> Iterator[None]:
        """A place for as long as the context lasts. Refused when there is none."""
        if self._taken.total() >= self.most:
            raise Refused(Reason.BUSY, "too many requests at once", retry_after=BUSY_FOR)
        if self._taken[vantage] >= self._each:
            raise Refused(
                Reason.TOO_FAST, "earlier requests of this vantage are under way", retry_after=1
            )
        self._taken[vantage] += 1
        try:
            yield
        finally:
            self._taken[vantage] -= 1
            if not self._taken[vantage]:
                del self._taken[vantage]


class VantageRate:
    """How much each name may do: `most` at once, and so much again over `per` seconds."""

    def __init__(self, most: float, per: float, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never goes back."""
        self.most = most
        self._per = per
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        """What is left, and when that was so."""

    def take(self, name: str, what: str, amount: float = 1.0) -> None:
        """Take an amount, at most `most`. Refused, with nothing taken, when less is left; `what`
        says of what, for a person."""
        now = self._clock()
        left, at = self._left.get(name, (self.most, now))
        left = min(self.most, left + (now - at) * self.most / self._per)
        if left < amount:
            wait = (amount - left) * self._per / self.most
            raise Refused(
                Reason.TOO_FAST, f"too many {what} from this vantage", retry_after=max(1.0, wait)
            )
        self._left[name] = (left - amount, now)


class Room:
    """Bytes of unpacked batches that may be worked on at once; whoever comes later waits."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._given_back = asyncio.Condition()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Unpack inside this, one at a time: what is unpacked and has no room yet is one body."""
        async with self._turn:
            yield

    async def take(self, size: int) -> None:
        """Wait for that many bytes, which must be given back."""
        async with self._given_back:
            await self._given_back.wait_for(lambda: self._left >= size)
            self._left -= size

    async def give_back(self, size: int) -> None:
        """After `take`."""
        async with self._given_back:
            self._left += size
            self._given_back.notify_all()
