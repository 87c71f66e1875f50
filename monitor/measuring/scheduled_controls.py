"""What a control measures by the clock: every endpoint, before anybody asks for it.

A vantage that can reach a control asks it at once. An agent may be unable to, and send an hour
later what failed. Its control is then a measurement that a control made by itself soon after the
failure. So each cycle of such a control measures everything once, at the least cost that shows
whether it can be reached: by a handshake where that proves it. The bytes come from the allotment
for suspicion, and measurements on demand go first: where it does not suffice, one address family in
turn is measured, or nothing.
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
"""Seconds over which the measurements of one cycle are spread, at most."""


class ScheduledControls:
    """Measures from every control vantage, and knows what that costs."""

    def __init__(self, probers: Probers, rng: random.Random, interval: float) -> None:
        """`interval` is seconds between two cycles."""
        self._probers = probers
        self._rng = rng
        self._spread = min(SPREAD, interval / 4)
        self._cost: dict[tuple[str, bool], int] = {}
        """Bytes of the last cycle over all families, or over one."""
        self._cycles: Counter[str] = Counter()

    async def measure(
        self,
        vantage: VantagePoint,
        cycle: str,
        platforms: Iterable[Platform],
        families: Sequence[str],
    ) -> tuple[Measurement, ...]:
        """Every endpoint of `platforms`; fewer, or none, where bytes run short. `families` are the
        address families that work from there."""
        targets = [
            Target(platform=platform.name, function=function.name, endpoint=endpoint)
            for platform in platforms
            for function in platform.functions
            for endpoint in function.endpoints
        ]
        self._cycles[vantage.id] += 1
        whole = self._affords(vantage.id, targets, whole=True)
        if not whole and not self._affords(vantage.id, targets, whole=False):
            return ()
        number = self._cycles[vantage.id]
        family = "" if whole or not families else families[number % len(families)]
        reduction = Reduction(family=family, greet=True)
        made = await asyncio.gather(
            *(self._at(vantage.id, one, cycle, reduction) for one in targets)
        )
        measurements = tuple(one for one in made if one is not None)
        self._cost[vantage.id, whole] = sum(map(bytes_of, measurements))
        return measurements

    def _affords(self, vantage: str, targets: Sequence[Target], *, whole: bool) -> bool:
        ledger = self._probers.ledger
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
            return await self._probers.measure(
                vantage, target, cycle=cycle, purpose=Purpose.CONTROL, reduction=reduction
            )
        except BudgetSpentError:
            return None
