"""How much a collector accepts: at once, and from each vantage over time.

What is too much is refused, with the seconds after which to try again. An agent has a spool, so
waiting costs it nothing; a collector that fails costs everybody.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor.wire.answers import AGE_LIMIT, Reason
from monitor.wire.refusal import BUSY_FOR, Refused

EACH_AT_ONCE = 4
"""Requests of one vantage under way: an agent makes one at a time, and may give up on some."""


class Slots:
    """Places for requests under way, for those that name an enrolled key."""

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
    """How much each name may do: `most` at once, and as much again over `per` seconds."""

    def __init__(self, most: float, per: float, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never goes back."""
        self.most = most
        self._per = per
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        """What was left, and when."""

    def take(self, name: str, what: str, amount: float = 1.0) -> None:
        """Take an amount, at most `most`. Refused, with nothing taken, when less is left; `what`
        names it in the refusal."""
        now = self._clock()
        left, at = self._left.get(name, (self.most, now))
        left = min(self.most, left + (now - at) * self.most / self._per)
        if left < amount:
            wait = (amount - left) * self._per / self.most
            raise Refused(
                Reason.TOO_FAST, f"too many {what} from this vantage", retry_after=max(1.0, wait)
            )
        self._left[name] = (left - amount, now)


class Answered:
    """The questions that were answered while they are fresh: one that was recorded on the way and
    is sent again gets no second answer. A question's id is signed, and serves as its nonce.

    Each collector remembers its own. What it holds is bounded by what `VantageRate` lets through.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never goes back."""
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}
        """Vantage and id → when its time of sending is too old; the oldest first."""

    def check(self, vantage: str, request: str) -> None:
        """Refused for a question that was answered."""
        now = self._clock()
        while self._until and next(iter(self._until.values())) < now:
            del self._until[next(iter(self._until))]
        if (vantage, request) in self._until:
            raise Refused(Reason.REPLAY, "this question was answered before")

    def note(self, vantage: str, request: str) -> None:
        """It is answered from now on."""
        # It may have been sent by a clock that is ahead by as much as one may be behind.
        self._until[vantage, request] = self._clock() + 2 * AGE_LIMIT


class Room:
    """Bytes of unpacked batches that may be worked on at once; later ones wait."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._given_back = asyncio.Condition()
        self.unpacking = asyncio.Lock()
        """Unpack inside this, one body at a time, so that only one without room is in memory."""

    async def take(self, size: int) -> None:
        """Wait for that many bytes. Call `give_back` for them."""
        async with self._given_back:
            await self._given_back.wait_for(lambda: self._left >= size)
            self._left -= size

    async def give_back(self, size: int) -> None:
        """After `take`."""
        async with self._given_back:
            self._left += size
            self._given_back.notify_all()
