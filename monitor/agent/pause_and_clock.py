"""Notices what nobody tells the agent: that its host paused it, and that the clock was set."""

import asyncio

from monitor.agent.agent_cycles import AgentCycles
from monitor.agent.collector_client import CollectorClient
from monitor.agent.collector_clock import AgentClock
from monitor.agent.paths import AgentFiles
from monitor.agent.remote_controls import RemoteControls
from monitor.app.schedule import Schedule
from monitor.logs import logger

log = logger(__name__)

GLANCE = 2.0
"""Seconds from one look to the next."""
_STEP = 5.0
"""Seconds by which the wall clock must have moved for that to matter to the schedule."""


class PauseAndClock:
    """Looks again and again."""

    def __init__(
        self,
        files: AgentFiles,
        clock: AgentClock,
        schedule: Schedule,
        jobs: AgentCycles,
        controls: RemoteControls,
        line: CollectorClient,
    ) -> None:
        self._files = files
        self._machine = clock.machine
        self._schedule = schedule
        self._jobs = jobs
        self._controls = controls
        self._line = line
        self.allowed = asyncio.Event()
        """Set while anything may go out."""
        if not files.pause.exists():
            self.allowed.set()
        self._tell()

    async def run(self) -> None:
        """Until cancelled."""
        before = self._wall_at_boot()
        while True:
            await asyncio.sleep(GLANCE)
            paused = self._files.pause.exists()
            if paused and self.allowed.is_set():
                await self._pause()
            elif not paused and not self.allowed.is_set():
                self.allowed.set()
                self._tell()
                log.info("resumed")
            now = self._wall_at_boot()
            if abs(now - before) > _STEP:
                self._schedule.clock_was_set()
                before = now

    async def _pause(self) -> None:
        """At once: what is under way is given up."""
        self.allowed.clear()
        self._tell()
        await self._line.hang_up()
        await self._jobs.give_up([vantage.id for vantage in self._schedule.vantages])
        log.info("paused by the host")

    def _tell(self) -> None:
        self._jobs.paused_by_host = not self.allowed.is_set()
        self._controls.allowed = self.allowed.is_set()

    def _wall_at_boot(self) -> float:
        """What the wall clock would have shown when the machine started."""
        return self._machine.wall() - self._machine.since_boot()
