"""The open connections of a listener by where they come from, and which of them are idle."""

from collections import Counter
from typing import Protocol


class Member(Protocol):
    """One connection."""

    source: str
    """Where it comes from."""

    def close_now(self) -> None:
        """Close it, whatever is under way."""


class Crowd:
    """Who is connected."""

    def __init__(self) -> None:
        self._idle: dict[str, dict[Member, None]] = {}
        self.of_source: Counter[str] = Counter()
        """Source → its open connections."""
        self.count = 0
        """Of all sources."""

    def came(self, one: Member) -> None:
        """It was opened, and is idle."""
        self.count += 1
        self.of_source[one.source] += 1
        self.idle(one)

    def idle(self, one: Member) -> None:
        """It waits for a request from now on."""
        self.busy(one)
        self._idle.setdefault(one.source, {})[one] = None

    def busy(self, one: Member) -> None:
        """A request of it is being answered."""
        idle = self._idle.get(one.source, {})
        idle.pop(one, None)
        if not idle:
            self._idle.pop(one.source, None)

    def left(self, one: Member) -> None:
        """It is closed."""
        self.busy(one)
        self.count -= 1
        self.of_source[one.source] -= 1
        if not self.of_source[one.source]:
            del self.of_source[one.source]

    def fair_share(self, most: int) -> int:
        """How many each source may have of so many."""
        return most // (len(self.of_source) + 1)

    def longest_idle(self) -> Member | None:
        """Of the source with the most idle ones, the one idle for longest; None where all work."""
        most = max(self._idle.values(), key=len, default=None)
        return next(iter(most)) if most else None
