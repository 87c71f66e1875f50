"""The cycles of an agent: none while its host paused it, skipped ones while a collector did."""

from monitor.app.cycle_job import CycleJobs
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle


class AgentCycles(CycleJobs):
    """CycleJobs of the one vantage."""

    paused_by_host = False
    """Nothing goes out, and nothing is recorded."""
    paused_by_collector = False
    """Skipped cycles are recorded: the collectors must know that the vantage is there."""

    async def run_scheduled(self, vantage: VantagePoint) -> Cycle | None:
        """A scheduled cycle."""
        if self.paused_by_host:
            return None
        if self.paused_by_collector:
            await self._skip(vantage)
            return None
        return await super().run_scheduled(vantage)

    async def run_out_of_turn(
        self, vantage: VantagePoint, platforms: frozenset[str]
    ) -> Cycle | None:
        """A cycle between two scheduled ones."""
        if self.paused_by_host or self.paused_by_collector:
            return None
        return await super().run_out_of_turn(vantage, platforms)
