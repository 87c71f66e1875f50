"""Puts finished cycles into the spool, and into detectors of the agent's own.

These detectors only decide what to measure again soon. A cycle that the spool cannot take is lost
and counted, and the measuring continues.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from monitor.agent.batch_body import BatchMaker, TooLargeError
from monitor.agent.collector_clock import AgentClock
from monitor.agent.saved_state import LAST_CYCLE, TRAFFIC, LastCycle, TrafficOfDay, as_note
from monitor.analysis.events.detection import EventBook, advance
from monitor.budget.budget import Effort
from monitor.config.settings import Settings
from monitor.logs import logger
from storage.agent.spool import Spool
from storage.store import StorageError
from storage.values.cycle import Cycle

log = logger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SpoolRecorder:
    """Records the cycles of the one vantage. A `monitor.app.cycle_job.CycleRecorder`."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        maker: BatchMaker,
        clock: AgentClock,
        traffic: Callable[[], TrafficOfDay],
        kept: Callable[[], None],
    ) -> None:
        """`traffic` gives the bytes of today; `kept` is called whenever there is something to
        deliver."""
        self._settings = settings
        self._spool = spool
        self._maker = maker
        self._clock = clock
        self._traffic = traffic
        self._kept = kept
        self._start = clock.since_boot(_EPOCH)
        self.book = EventBook()
        """The agent's own detectors, since it started."""

    def use(self, settings: Settings) -> None:
        """Use other settings from now on."""
        self._settings = settings

    async def record(self, cycle: Cycle) -> None:
        """Spool one cycle, or count it as given up."""
        start = self._clock.since_boot(_EPOCH)
        if start != self._start:
            # By our time as it is now, earlier cycles would be in the future, or long ago.
            self.book, self._start = EventBook(), start
        self.book = advance(
            self.book, cycle.platforms, self._settings.events, health=cycle.health
        ).book
        try:
            await self._put(cycle)
        except StorageError as error:
            log.error(
                "cycle given up, the spool stores nothing",
                measurements=sum(one.vantage == cycle.vantage for one in cycle.measurements),
                reason=str(error),
            )

    async def _put(self, cycle: Cycle) -> None:
        last = LastCycle(
            at=cycle.finished_at, health=cycle.health.state, looks=len(cycle.measurements)
        )
        notes = {LAST_CYCLE: as_note(last), TRAFFIC: as_note(self._traffic())}
        try:
            waiting = self._maker.make(cycle)
        except TooLargeError:
            log.error("cycle given up, no batch can hold it", cycle=cycle.id)
            # What controls measured for it is at the collectors already.
            own = sum(one.vantage == cycle.vantage for one in cycle.measurements)
            await self._spool.give_up(own)
            return
        given_up = await self._spool.put(waiting, notes)
        if given_up:
            log.warning("oldest given up, the spool is full", measurements=given_up)
        log.info(
            "cycle complete",
            cycle=cycle.id,
            vantage=cycle.vantage,
            health=cycle.health.state,
            measurements=waiting.measurements,
            seconds=round((cycle.finished_at - cycle.started_at).total_seconds(), 1),
        )
        self._kept()


class LogCounter:
    """Logs cycles instead of counting them. A `monitor.app.cycle_job.CycleCounter`."""

    def cycle_taken(self, vantage: str, effort: Effort, spent: int) -> None:
        """A cycle was run or skipped."""
        log.debug("cycle counted", vantage=vantage, effort=effort, spent=spent)

    def cycle_missed(self, vantage: str) -> None:
        """The schedule logs it already."""
