"""So many at once, and so many a second after that."""

from collections.abc import Callable


class Allowance:
    """What is left of it. `clock` gives seconds."""

    __slots__ = ("_burst", "_clock", "_counted_at", "_free", "_rate")

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._free, self._counted_at = burst, clock()

    def take(self, most: int = 1) -> int:
        """Take as many as there are, at most so many."""
        self._count()
        taken = min(most, int(self._free))
        self._free -= taken
        return taken

    def _count(self) -> None:
        now = self._clock()
        self._free = min(self._burst, self._free + (now - self._counted_at) * self._rate)
        self._counted_at = now
