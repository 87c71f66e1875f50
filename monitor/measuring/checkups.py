"""The vantage's health, asked again near each failure, for a vantage that takes its time.

One round of references at the end of a cycle speaks for failures seconds before it. Where looks are
spread over minutes it does not: an uplink that died and came back in between would be forgotten,
and its failures held against the platforms.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from monitor.analysis.vantage.exit_location import AS_CONFIGURED, ExitMismatch
from monitor.analysis.vantage.health import assess
from monitor.analysis.verdict import VantageHealth
from monitor.measuring.controls import Shared
from monitor.measuring.probers import ReferenceMeasurements
from probes.vantage import VantagePoint


class Checkups:
    """The rounds of references of one cycle that failures called for; those close share one."""

    def __init__(
        self,
        vantage: VantagePoint,
        look: Callable[[], Coroutine[Any, Any, ReferenceMeasurements]],
        now: Callable[[], datetime],
        gathering: float,
        where: Callable[[], ExitMismatch] = lambda: AS_CONFIGURED,
    ) -> None:
        """`look` makes a round; `gathering` is how many seconds it waits for further failures;
        `where` tells in what the vantage's exit differs from where it should be."""
        self._vantage = vantage
        self._look = look
        self._now = now
        self._gathering = gathering
        self._where = where
        self._shared: Shared[VantageHealth] | None = None
        self.looks: ReferenceMeasurements = ()
        """Every look of every round made so far."""

    async def after(self, moment: float) -> VantageHealth:
        """The health that a round begun at or after `moment` (POSIX seconds) tells."""
        if self._shared is None or not self._shared.serves(moment):
            self._shared = Shared(self._round, self._posix, self._gathering)
        return await self._shared.result()

    async def _round(self) -> VantageHealth:
        looks = await self._look()
        self.looks += looks
        return assess(self._vantage, looks, (), self._now(), self._where())

    def _posix(self) -> float:
        return self._now().timestamp()
