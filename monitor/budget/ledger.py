"""What each vantage has spent of today's bytes, and what it may do with the rest.

The budget is pure; this knows the time, what was spent, and what cycles have cost lately.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from datetime import datetime

from monitor.budget.budget import Allotment, Budget, Costs, Effort, Spent
from monitor.budget.bytes_used import Traffic, routine_bytes
from monitor.config.settings import Settings
from probes.measurement import Measurement, Purpose
from probes.vantage import VantageRole
from storage.store import Selection, Store

_REMEMBERED = 3
"""Cycles of one effort whose cost is remembered; the dearest of them is expected again."""
_USUAL_LOOK = 15_000
"""Bytes of a look at an endpoint that was not looked at yet."""


class BudgetSpentError(Exception):
    """The day's bytes of a vantage are used up; the message names the vantage."""


class Ledger:
    """Answers for every configured vantage; use from one thread."""

    def __init__(
        self, settings: Settings, *, now: Callable[[], datetime], limited: bool = True
    ) -> None:
        """`now` gives UTC. Without `limited` everything may be done, and is counted as well."""
        self._now = now
        self._limited = limited
        self._traffic = Traffic()
        self._budgets: dict[str, Budget] = {}
        self.use(settings)
        self._cycles: dict[tuple[str, Effort], deque[int]] = {}
        self._last: dict[str, float] = {}
        self._looks: dict[tuple[str, str], int] = {}

    def use(self, settings: Settings) -> None:
        """Go by other settings from now on; what was spent today stays spent."""
        # Vantages that are gone keep their budgets: a cycle of one may still be ending.
        self._budgets |= {
            vantage.id: Budget(
                limit=settings.probe.daily_bytes,
                interval=settings.interval,
                by_clock=settings.throttling.every > 0,
                control=vantage.role is VantageRole.CONTROL,
            )
            for vantage in settings.vantages
        }

    def knows(self, vantage: str) -> bool:
        """Whether it answers for this vantage, or did before other settings came."""
        return vantage in self._budgets

    # -- what was done ---------------------------------------------------------------------

    def count(self, look: Measurement, purse: Allotment | None = None) -> None:
        """Count a finished look, for another purpose than its kind's when `purse` is given."""
        cost = self._traffic.add(look, purse)
        if look.look not in (Purpose.TRANSFER, Purpose.FOLLOW_UP):
            self._looks[look.vantage, look.endpoint] = cost

    async def restore(self, store: Store, vantages: Collection[str] | None = None) -> None:
        """Count what an earlier process spent today, of all vantages or of these, which are few in
        a store of many.

        Raises StorageError. Whatever was counted before must not be counted again.
        """
        midnight = self._now().replace(hour=0, minute=0, second=0, microsecond=0)
        asked = [""] if vantages is None else vantages
        wanted = frozenset(self._budgets if vantages is None else vantages)
        for one in asked:
            async for looks in store.measurements(Selection(since=midnight, vantage=one)):
                for look in looks:
                    if look.vantage in wanted:
                        self._traffic.add(look)

    def resume(self, vantage: str, spent: Spent) -> None:
        """Count what an earlier process spent today, where it left a note of it."""
        for purse in Allotment:
            self._traffic.pay(vantage, self._now().date(), purse, spent.of(purse))

    def cycle_done(self, vantage: str, effort: Effort, looks: Iterable[Measurement]) -> None:
        """Learn what the routine looks of a cycle cost."""
        cost = routine_bytes(vantage, looks)
        known = self._cycles.setdefault((vantage, effort), deque(maxlen=_REMEMBERED))
        known.append(cost)

    def spent(self, vantage: str) -> Spent:
        """Bytes of today, with what looks under way are expected to take."""
        return self._traffic.spent(vantage, self._now().date())

    # -- what may be done ------------------------------------------------------------------

    def begin_cycle(self, vantage: str) -> Effort:
        """The effort that the cycle now due may make; one that may run counts as begun."""
        now = self._now().timestamp()
        effort = Effort.WHOLE
        if self._limited:
            since = now - self._last.get(vantage, 0.0)
            costs = Costs(
                whole=self._dearest(vantage, Effort.WHOLE),
                modest=self._dearest(vantage, Effort.MODEST),
            )
            budget = self._budgets[vantage]
            effort = budget.effort(costs, self.spent(vantage), self._at(), since)
        if effort is not Effort.NONE:
            self._last[vantage] = now
        return effort

    def affords(self, vantage: str, purse: Allotment, cost: int) -> bool:
        """Whether one more look of `cost` bytes may be made for that purpose."""
        budget = self._budgets[vantage]
        return not self._limited or budget.affords(purse, cost, self.spent(vantage), self._at())

    def lasts(self, vantage: str, cost: int) -> bool:
        """Whether the day's bytes suffice for `cost` more, whatever for."""
        return not self._limited or cost <= self._budgets[vantage].left(self.spent(vantage))

    def buy(self, vantage: str, purse: Allotment, cost: int) -> bool:
        """Count `cost` bytes of what leaves no measurement, if the day's bytes suffice for it."""
        if not self.lasts(vantage, cost):
            return False
        self._traffic.pay(vantage, self._now().date(), purse, cost)
        return True

    def usual(self, vantage: str, endpoint: str) -> int:
        """Bytes that the last look at an endpoint took."""
        return self._looks.get((vantage, endpoint), _USUAL_LOOK)

    def holding(
        self, vantage: str, purse: Allotment, endpoint: str
    ) -> AbstractContextManager[None]:
        """Keep what a look at an endpoint usually takes while it is under way.

        Raises BudgetSpentError where the whole day's bytes are gone.
        """
        count = self.usual(vantage, endpoint)
        if self._limited and self.spent(vantage).total + count > self._budgets[vantage].limit:
            raise BudgetSpentError(vantage)
        return self._traffic.holding(vantage, purse, count)

    def _dearest(self, vantage: str, effort: Effort) -> int:
        return max(self._cycles.get((vantage, effort), ()), default=0)

    def _at(self) -> float:
        now = self._now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return (now - midnight).total_seconds()
