"""Requests take turns: at a bounded rate, and whoever asked least of late goes first.

When the event loop is late, so that what measures waits too, one request at a time has its turn.
Thousands of requests a second cost the one that measures nothing but the place in which they wait.
Somebody who comes from elsewhere, or opens another connection, goes before all of them.
"""

import asyncio
import math
from collections.abc import Callable
from heapq import nsmallest
from typing import Protocol

from monitor.server.allowance import Allowance

_BURST = 1.0
"""Seconds of the rate that may be used at once."""
_TICK = 0.02
"""Seconds between two rounds while somebody waits."""
_LATE = 0.05
"""Seconds by which a round may be late."""
_FORGOTTEN = 10.0
"""Seconds in which what somebody asked counts for a third."""
_MOST_SOURCES = 4096


class Waiting(Protocol):
    """Who may have to wait."""

    source: str
    """Where it comes from."""
    requests: int
    """How many requests it made."""

    def go(self) -> None:
        """Its turn has come."""


class Turns:
    """The turns of one listener."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        """`rate` is requests a second; `clock` gives seconds and `later` calls after some, as an
        event loop's do."""
        self._clock = clock
        self._later = later
        self._free = Allowance(rate, rate * _BURST, clock)
        self._asked: dict[str, tuple[float, float]] = {}
        self._waiting: dict[Waiting, int] = {}
        self._arrivals = 0
        self._ticking = False
        self._next_tick = 0.0

    @classmethod
    def of_loop(cls, rate: float) -> "Turns":
        """Turns by the clock of the running event loop."""
        loop = asyncio.get_running_loop()
        return cls(rate, loop.time, loop.call_later)

    def may_go(self, one: Waiting) -> bool:
        """Whether its request may be read now. Else `go` is called when its turn comes."""
        if not self._waiting and self._free.take():
            self._count(one)
            return True
        self._arrivals += 1
        self._waiting.setdefault(one, self._arrivals)
        self._tick_later()
        return False

    def leave(self, one: Waiting) -> None:
        """It waits no longer."""
        self._waiting.pop(one, None)

    def _tick_later(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._next_tick = self._clock() + _TICK
            self._later(_TICK, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        late = self._clock() - self._next_tick > _LATE
        turns = self._free.take(1 if late else len(self._waiting))
        for one in nsmallest(turns, self._waiting, key=self._rank):
            # The turn of one may have closed another.
            if self._waiting.pop(one, None) is not None:
                self._count(one)
                one.go()
        if self._waiting:
            self._tick_later()

    def _rank(self, one: Waiting) -> tuple[float, int, int]:
        return round(self._recent(one.source)), one.requests, self._waiting[one]

    def _recent(self, source: str) -> float:
        asked, at = self._asked.get(source, (0.0, 0.0))
        return asked * math.exp((at - self._clock()) / _FORGOTTEN)

    def _count(self, one: Waiting) -> None:
        recent = self._recent(one.source)
        self._asked.pop(one.source, None)
        self._asked[one.source] = recent + 1, self._clock()
        if len(self._asked) > _MOST_SOURCES:
            del self._asked[next(iter(self._asked))]
