"""Further rounds of references, near the failures of a quiet vantage.

One round of references at the end of a cycle speaks for failures of the seconds before it. A quiet
vantage spreads its measurements over minutes: an uplink that died and came back in between would go
unnoticed, and its failures would count against the platforms.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from monitor.analysis.vantage.health import ReferenceMeasurements
from monitor.analysis.verdict import VantageHealth
from monitor.measuring.controls import Shared


class Checkups:
    """The rounds of references that failures of one cycle called for. Failures that come close
    together share one."""

    def __init__(
        self,
        measure: Callable[[], Coroutine[Any, Any, ReferenceMeasurements]],
        assess: Callable[[ReferenceMeasurements], VantageHealth],
        now: Callable[[], float],
        gathering: float,
    ) -> None:
        """`measure` makes a round, `assess` gives the health it shows, `now` gives POSIX seconds;
        `gathering` is how many seconds a round waits for further failures."""
        self._measure = measure
        self._assess = assess
        self._now = now
        self._gathering = gathering
        self._shared: Shared[VantageHealth] | None = None
        self.measurements: ReferenceMeasurements = ()
        """Those of all rounds so far."""

    async def after(self, moment: float) -> VantageHealth:
        """The health that a round begun at or after `moment` (POSIX seconds) shows."""
        if self._shared is None or not self._shared.serves(moment):
            self._shared = Shared(self._round, self._now, self._gathering)
        return await self._shared.result()

    async def _round(self) -> VantageHealth:
        made = await self._measure()
        self.measurements += made
        return self._assess(made)
