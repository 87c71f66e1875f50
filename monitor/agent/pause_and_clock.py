"""Cycles of an agent that can be paused, and the checks whether its host paused it or its clock was
set, every two seconds."""

import asyncio

from monitor.agent.ask_controls import RemoteControls
from monitor.agent.collector_client import CollectorClient
from monitor.agent.collector_clock import AgentClock
from monitor.agent.paths import AgentFiles
from monitor.app.cycle_job import CycleJobs
from monitor.app.schedule import Schedule
from monitor.logs import logger
from monitor.measuring.between_turns import ShortTests
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle

log = logger(__name__)

EVERY = 2.0
"""Seconds between two checks."""


class AgentCycles(CycleJobs):
    """CycleJobs of the one vantage: none while its host paused it, skipped ones while a collector
    did."""

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

    async def test_between_turns(
        self, vantage: VantagePoint, platforms: frozenset[str]
    ) -> ShortTests | None:
        """Short tests between two scheduled cycles."""
        if self.paused_by_host or self.paused_by_collector:
            return None
        return await super().test_between_turns(vantage, platforms)


class PauseAndClock:
    """The checks."""

    def __init__(
        self,
        files: AgentFiles,
        clock: AgentClock,
        schedule: Schedule,
        jobs: AgentCycles,
        controls: RemoteControls,
        client: CollectorClient,
    ) -> None:
        self._files = files
        self._clock = clock
        self._schedule = schedule
        self._jobs = jobs
        self._controls = controls
        self._client = client
        self.allowed = asyncio.Event()
        """Set while anything may go out."""
        if not files.pause.exists():
            self.allowed.set()
        self._pass_on()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            paused = self._files.pause.exists()
            if paused and self.allowed.is_set():
                await self._pause()
            elif not paused and not self.allowed.is_set():
                self.allowed.set()
                self._pass_on()
                log.info("resumed")
            step = self._clock.look()
            if step:
                log.warning("the machine's clock was set", seconds=round(step))

    async def _pause(self) -> None:
        """At once: a cycle under way is given up."""
        self.allowed.clear()
        self._pass_on()
        await self._client.hang_up()
        await self._jobs.give_up([vantage.id for vantage in self._schedule.vantages])
        log.info("paused by the host")

    def _pass_on(self) -> None:
        self._jobs.paused_by_host = not self.allowed.is_set()
        self._controls.allowed = self.allowed.is_set()
        self._client.paused = not self.allowed.is_set()
