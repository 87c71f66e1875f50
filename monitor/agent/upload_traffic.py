"""The agent's bytes of today, over restarts."""

from collections.abc import Callable
from datetime import datetime

from monitor.agent.saved_state import TrafficOfDay
from monitor.budget.budget import Allotment, Spent
from monitor.budget.ledger import Ledger


class DayTraffic:
    """Bytes of one vantage: of its measurements, and of its uploads."""

    def __init__(
        self,
        vantage: str,
        ledger: Ledger,
        carried: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        """`carried` gives the bytes to and from collectors since the process began, `now` UTC."""
        self._vantage = vantage
        self._ledger = ledger
        self._carried = carried
        self._now = now
        self._day = now().date()
        self._base = 0
        """The value of `carried` when the day began."""
        self._noted = self._day
        """The day of an earlier process's note, which begins no new one."""

    def resume(self, before: TrafficOfDay | None) -> None:
        """Continue from the note of an earlier process, unless its day is over: one that is still
        to come was dated by a clock that was ahead, or ours is behind."""
        if before is None or before.day < self._day:
            return
        self._ledger.resume(self._vantage, Spent(**before.looks), before.day)
        self._base, self._noted = -before.uploaded, before.day

    def today(self) -> TrafficOfDay:
        """Bytes of today, up to now."""
        day = self._now().date()
        if day > self._day and day != self._noted:
            self._base = self._carried()
        self._day = day
        spent = self._ledger.spent(self._vantage)
        return TrafficOfDay(
            day=day,
            looks={one.value: spent.of(one) for one in Allotment},
            uploaded=self._carried() - self._base,
        )
