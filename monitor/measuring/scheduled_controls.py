"""What a control looks at by the clock: every endpoint there is, whoever may ask about it later.

Whoever can reach a control asks it at once. An agent in the field may be unable to, and hand in
what failed an hour later: then what serves as its control is a look that a control made by itself
soon after the failure. So each cycle of such a control looks at everything once, as modestly as
shows whether it can be reached: a handshake where that proves it. Its bytes come from the purse for
what others suspect, whose looks on demand go first: where it does not hold enough, one address
family in turn is looked over, or nothing.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Sequence

from monitor.budget.budget import Allotment
from monitor.budget.bytes_used import bytes_of
from monitor.budget.ledger import BudgetSpentError
from monitor.measuring.probers import Probers
from probes.catalog.catalog import Platform
from probes.measurement import Measurement, Purpose
from probes.target import Reduction, Target
from probes.vantage import VantagePoint

SPREAD = 30.0
"""Seconds over which the looks of one cycle are spread, at most."""


class ScheduledControls:
    """Looks for every control vantage, and knows what that costs."""

    def __init__(self, looking: Probers, rng: random.Random, interval: float) -> None:
        """`interval` is seconds between two cycles."""
        self._looking = looking
        self._rng = rng
        self._spread = min(SPREAD, interval / 4)
        self._cost: dict[tuple[str, bool], int] = {}
        """Bytes of the last cycle over all families, or over one."""
        self._turns: Counter[str] = Counter()

    async def look(
        self,
        vantage: VantagePoint,
        cycle: str,
        platforms: Iterable[Platform],
        families: Sequence[str],
    ) -> tuple[Measurement, ...]:
        """Every endpoint of `platforms`; fewer, or none, where bytes run short. `families` are the
        address families that work from there."""
        targets = [
            Target(platform=platform.name, role=role.name, endpoint=endpoint)
            for platform in platforms
            for role in platform.roles
            for endpoint in role.endpoints
        ]
        self._turns[vantage.id] += 1
        whole = self._affords(vantage.id, targets, whole=True)
        if not whole and not self._affords(vantage.id, targets, whole=False):
            return ()
        turn = self._turns[vantage.id]
        family = "" if whole or not families else families[turn % len(families)]
        reduction = Reduction(family=family, greet=True)
        made = await asyncio.gather(
            *(self._at(vantage.id, one, cycle, reduction) for one in targets)
        )
        looks = tuple(look for look in made if look is not None)
        self._cost[vantage.id, whole] = sum(map(bytes_of, looks))
        return looks

    def _affords(self, vantage: str, targets: Sequence[Target], *, whole: bool) -> bool:
        ledger = self._looking.ledger
        expected = self._cost.get((vantage, whole))
        if expected is None:
            usual = sum(ledger.usual(vantage, target.endpoint.id) for target in targets)
            expected = usual if whole else usual // 2
        return ledger.affords(vantage, Allotment.SUSPICION, expected)

    async def _at(
        self, vantage: str, target: Target, cycle: str, reduction: Reduction
    ) -> Measurement | None:
        await asyncio.sleep(self._rng.uniform(0, self._spread))
        try:
            return await self._looking.at(
                vantage, target, cycle=cycle, look=Purpose.CONTROL, reduction=reduction
            )
        except BudgetSpentError:
            return None
