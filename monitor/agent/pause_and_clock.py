"""Checks every two seconds whether the host paused the agent, and whether the clock was set."""

import asyncio

from monitor.agent.agent_cycles import AgentCycles
from monitor.agent.ask_controls import RemoteControls
from monitor.agent.collector_client import CollectorClient
from monitor.agent.collector_clock import AgentClock
from monitor.agent.paths import AgentFiles
from monitor.app.schedule import Schedule
from monitor.logs import logger

log = logger(__name__)

EVERY = 2.0
"""Seconds between two checks."""
_STEP = 5.0
"""A smaller step of the wall clock, in seconds, does not matter to the schedule."""


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
        self._machine = clock.machine
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
        before = self._wall_at_boot()
        while True:
            await asyncio.sleep(EVERY)
            paused = self._files.pause.exists()
            if paused and self.allowed.is_set():
                await self._pause()
            elif not paused and not self.allowed.is_set():
                self.allowed.set()
                self._pass_on()
                log.info("resumed")
            now = self._wall_at_boot()
            if abs(now - before) > _STEP:
                self._schedule.clock_was_set()
                before = now

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

    def _wall_at_boot(self) -> float:
        """The wall clock's time of the machine's start."""
        return self._machine.wall() - self._machine.since_boot()
