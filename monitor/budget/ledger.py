"""What each vantage has spent of today's bytes, and what it may do with the rest.

The budget is pure; the ledger knows the time, the bytes spent, and the recent cost of cycles. Bytes
are counted per day in UTC, anew in each process, which may continue from what the store has of
today.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from monitor.budget.budget import NOTHING, Allotment, Budget, Costs, Effort, Spent, allotment_of
from monitor.budget.bytes_used import bytes_of
from monitor.config.settings import Settings
from probes.measurement import Measurement, Purpose
from probes.vantage import VantageRole
from storage.store import Store
from storage.values.selection import Selection

_REMEMBERED = 3
"""Cycles of one effort whose cost is remembered; the highest of these costs is expected again."""
_USUAL = 15_000
"""Expected bytes for an endpoint that was never measured."""


class BudgetSpentError(Exception):
    """The day's bytes of a vantage are used up; the message names the vantage."""


class Ledger:
    """The bytes of every configured vantage; use from one thread."""

    def __init__(
        self, settings: Settings, *, now: Callable[[], datetime], limited: bool = True
    ) -> None:
        """`now` gives UTC. Without `limited` everything is allowed, and still counted."""
        self._now = now
        self._limited = limited
        self._days: dict[str, tuple[date, Spent]] = {}
        self._noted: dict[str, date] = {}
        """Days to come by which an earlier process noted bytes of today."""
        self._held: dict[str, Spent] = {}
        """Bytes that measurements under way are expected to take."""
        self._budgets: dict[str, Budget] = {}
        self.use(settings)
        self._cycles: dict[tuple[str, Effort], deque[int]] = {}
        self._last: dict[str, float] = {}
        self._costs: dict[tuple[str, str], int] = {}

    def use(self, settings: Settings) -> None:
        """Use other settings from now on; what was spent today stays spent."""
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
        """Whether the vantage is configured now, or was before."""
        return vantage in self._budgets

    # -- what was done ---------------------------------------------------------------------

    def count(self, made: Measurement, allotment: Allotment | None = None) -> None:
        """Count a finished measurement on the day it started; `allotment` pays, where its purpose
        names another."""
        cost = bytes_of(made)
        day = made.started_at.date()
        self._pay(made.vantage, day, allotment or allotment_of(made.look), cost)
        if made.look not in (Purpose.TRANSFER, Purpose.FOLLOW_UP):
            self._costs[made.vantage, made.endpoint] = cost

    async def restore(self, store: Store, vantages: Collection[str]) -> None:
        """Count what an earlier process spent today at these vantages. Days to come, which a clock
        that was ahead left in the store, count for none.

        Raises StorageError. Call it once for each vantage, or bytes count twice.
        """
        midnight = _midnight(self._now())
        tomorrow = midnight + timedelta(days=1)
        for vantage in vantages:
            today = Selection(since=midnight, until=tomorrow, vantage=vantage)
            async for page in store.measurements(today):
                for one in page:
                    day = one.started_at.date()
                    self._pay(vantage, day, allotment_of(one.look), bytes_of(one))

    def resume(self, vantage: str, spent: Spent, day: date) -> None:
        """Count what an earlier process noted as spent on a day: today, or one to come. Then its
        clock was ahead, or ours is behind, so the bytes count today, and on that day if our clock
        is set to it."""
        today = self._now().date()
        for allotment in Allotment:
            self._pay(vantage, today, allotment, spent.of(allotment))
        if day > today:
            self._noted[vantage] = day

    def cycle_done(self, vantage: str, effort: Effort, made: Iterable[Measurement]) -> None:
        """Learn what the routine of a cycle cost; `made` are all its measurements."""
        routine = (one for one in made if allotment_of(one.look) is Allotment.ROUTINE)
        cost = sum(bytes_of(one) for one in routine if one.vantage == vantage)
        known = self._cycles.setdefault((vantage, effort), deque(maxlen=_REMEMBERED))
        known.append(cost)

    def spent(self, vantage: str) -> Spent:
        """Bytes of today, and those that measurements under way are expected to take."""
        day, spent = self._last_day(vantage)
        today = spent if day == self._now().date() else NOTHING
        return self._held.get(vantage, NOTHING).and_(today)

    def _pay(self, vantage: str, day: date, allotment: Allotment, count: int) -> None:
        known, spent = self._last_day(vantage)
        day = min(day, self._now().date())
        if day >= known:  # one may begin before midnight and be done after it
            before = spent if day == known else NOTHING
            if day > known:
                self._noted.pop(vantage, None)
            self._days[vantage] = (day, before.plus(allotment, count))

    def _last_day(self, vantage: str) -> tuple[date, Spent]:
        """The newest day with bytes. One that is still to come was dated by a clock that was ahead:
        its bytes are of today from now on."""
        day, spent = self._days.get(vantage, (date.min, NOTHING))
        today = self._now().date()
        if day > today or today == self._noted.get(vantage):
            day = today
        self._days[vantage] = (day, spent)
        return self._days[vantage]

    # -- what may be done ------------------------------------------------------------------

    def begin_cycle(self, vantage: str) -> Effort:
        """The effort allowed for the cycle due now. A cycle that may run counts as begun."""
        now = self._now().timestamp()
        effort = Effort.WHOLE
        if self._limited:
            # The clock may have been put back since.
            self._last[vantage] = min(self._last.get(vantage, 0.0), now)
            since = now - self._last[vantage]
            costs = Costs(
                whole=self._dearest(vantage, Effort.WHOLE),
                modest=self._dearest(vantage, Effort.MODEST),
            )
            budget = self._budgets[vantage]
            effort = budget.effort(costs, self.spent(vantage), self._at(), since)
        if effort is not Effort.NONE:
            self._last[vantage] = now
        return effort

    def affords(self, vantage: str, allotment: Allotment, cost: int) -> bool:
        """Whether one more measurement of `cost` bytes is allowed for that purpose."""
        budget = self._budgets[vantage]
        return not self._limited or budget.affords(allotment, cost, self.spent(vantage), self._at())

    def spares(self, vantage: str, cost: int) -> bool:
        """Whether suspicion has `cost` bytes to spare while nothing is suspicious."""
        spent = self.spent(vantage)
        return not self._limited or self._budgets[vantage].spares(cost, spent, self._at())

    def lasts(self, vantage: str, cost: int) -> bool:
        """Whether the day's bytes suffice for `cost` more, whatever for."""
        return not self._limited or cost <= self._budgets[vantage].left(self.spent(vantage))

    def buy(self, vantage: str, allotment: Allotment, cost: int) -> bool:
        """Count `cost` bytes of what leaves no measurement, if the day's bytes suffice for it."""
        if not self.lasts(vantage, cost):
            return False
        self._pay(vantage, self._now().date(), allotment, cost)
        return True

    def usual(self, vantage: str, endpoint: str) -> int:
        """Bytes that the last measurement of an endpoint took."""
        return self._costs.get((vantage, endpoint), _USUAL)

    @contextmanager
    def holding(self, vantage: str, allotment: Allotment, endpoint: str) -> Iterator[None]:
        """Reserve the usual bytes of an endpoint while its measurement is under way.

        Raises BudgetSpentError where the whole day's bytes are gone.
        """
        count = self.usual(vantage, endpoint)
        if self._limited and self.spent(vantage).total + count > self._budgets[vantage].limit:
            raise BudgetSpentError(vantage)
        self._held[vantage] = self._held.get(vantage, NOTHING).plus(allotment, count)
        try:
            yield
        finally:
            self._held[vantage] = self._held[vantage].plus(allotment, -count)

    def _dearest(self, vantage: str, effort: Effort) -> int:
        return max(self._cycles.get((vantage, effort), ()), default=0)

    def _at(self) -> float:
        now = self._now()
        return (now - _midnight(now)).total_seconds()


def _midnight(before: datetime) -> datetime:
    return before.replace(hour=0, minute=0, second=0, microsecond=0)
