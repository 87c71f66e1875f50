"""Limits on what endpoints that only an order names may reach, whoever ordered them.

A vantage must not become a tool against others: neither against the machines beside it, nor, with
many vantages at once, against any one address of the internet.
"""

from collections.abc import Callable, Collection
from datetime import date, datetime

MOST_PER_ADDRESS = 8
"""Ordered endpoints that may reach one address in a day; also those of one host in an order."""
MOST_PER_DAY = 200
"""Different ordered endpoints that may be measured in a day."""


class OrderedLimits:
    """Counts ordered endpoints and the addresses they reach, in one day (UTC) of the own clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """`now` gives UTC by the vantage's own clock, which no order sets."""
        self._now = now
        self._day: date | None = None
        self._measured: set[str] = set()
        self._reached: dict[str, set[str]] = {}
        """Address → ids of endpoints that reached it."""

    def admit(self, endpoints: Collection[str]) -> bool:
        """Whether all of these may be measured today; if so they count."""
        self._begin_day()
        together = self._measured.union(endpoints)
        if len(together) > MOST_PER_DAY:
            return False
        self._measured = together
        return True

    def reaches(self, endpoint: str, address: str) -> bool:
        """Whether the endpoint may reach the address today; if so it counts."""
        # An order of yesterday goes on: another one in its place has the rest of the day's number.
        if not self.admit([endpoint]):
            return False
        there = self._reached.setdefault(address, set())
        if endpoint not in there and len(there) >= MOST_PER_ADDRESS:
            return False
        there.add(endpoint)
        return True

    def _begin_day(self) -> None:
        today = self._now().date()
        if today != self._day:
            self._day, self._measured, self._reached = today, set(), {}
