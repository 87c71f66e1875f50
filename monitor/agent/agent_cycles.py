"""CycleJobs of an agent: it takes none while its host paused it, and looks at nothing while the
collectors told it so."""

from monitor.app.cycle_job import CycleJobs
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle


class AgentCycles(CycleJobs):
    """CycleJobs of the one vantage."""

    paused = False
    """By the host: nothing goes out, and nothing is put on record."""
    resting = False
    """By the collectors: they are to know that the vantage is there."""

    async def take(self, vantage: VantagePoint) -> Cycle | None:
        """A turn of the schedule."""
        if self.paused:
            return None
        if self.resting:
            await self._left_out(vantage)
            return None
        return await super().take(vantage)

    async def hurry(self, vantage: VantagePoint, platforms: frozenset[str]) -> Cycle | None:
        """A turn between two of the schedule."""
        if self.paused or self.resting:
            return None
        return await super().hurry(vantage, platforms)
