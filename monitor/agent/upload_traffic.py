"""What the agent's traffic took today, over restarts."""

from collections.abc import Callable
from datetime import datetime

from monitor.agent.saved_state import TrafficOfDay
from monitor.budget.budget import Allotment, Spent
from monitor.budget.ledger import Ledger


class DayTraffic:
    """Of one vantage: its looks, and what is handed in."""

    def __init__(
        self,
        vantage: str,
        ledger: Ledger,
        carried: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        """`carried` gives the bytes to and from collectors since the process began, `now` UTC."""
        self._vantage = vantage
        self._spending = ledger
        self._carried = carried
        self._now = now
        self._day = now().date()
        self._base = 0
        """What `carried` would have given when the day began."""

    def resume(self, before: TrafficOfDay | None) -> None:
        """Go on from what an earlier process noted, if that was today."""
        if before is None or before.day != self._day:
            return
        self._spending.resume(self._vantage, Spent(**before.looks))
        self._base = -before.uploaded

    def today(self) -> TrafficOfDay:
        """Up to now."""
        day = self._now().date()
        if day != self._day:
            self._day, self._base = day, self._carried()
        spent = self._spending.spent(self._vantage)
        return TrafficOfDay(
            day=day,
            looks={purse.value: spent.of(purse) for purse in Allotment},
            uploaded=self._carried() - self._base,
        )
