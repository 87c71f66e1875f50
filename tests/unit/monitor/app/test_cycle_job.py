"""Cycles are run for any recorder: the real one, or a spool in the field."""

import asyncio
from functools import partial

import msgspec
import pytest

from monitor.analysis.events.detection import EventBook
from monitor.app.cycle_job import CycleJobs
from monitor.app.cycle_runners import CycleRunners, cycle_runner
from monitor.app.schedule import Schedule
from monitor.budget.budget import Effort, Spent
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from probes.catalog.catalog import Catalog, Reference, ReferenceScope
from probes.catalog.endpoint_text import parse_endpoint
from probes.testing import ScriptedNetwork
from probes.vantage import Resolver, VantagePoint
from storage.values.cycle import Cycle
from storage.values.steady_clock import HELD, Clocks, SteadyClock, utc_now

FIELD = VantagePoint(
    id="khi-ptcl", country="PK", asn=17557, resolver=Resolver(address="192.0.2.53")
)
GONE = VantagePoint(id="khi-gone", country="PK", asn=17557)
SETTINGS = Settings(vantages=(FIELD,), catalog=Catalog(platforms=(), references=()), interval=60.0)
ASKING = msgspec.structs.replace(
    SETTINGS,
    catalog=Catalog(
        platforms=(),
        references=(
            Reference(
                scope=ReferenceScope.INTERNATIONAL,
                endpoint=parse_endpoint("https://one.example/"),
            ),
        ),
    ),
)
"""With something to measure."""


class Spool:
    """Records cycles and detects nothing, as in the field."""

    book = EventBook()

    def __init__(self, broken: bool = False) -> None:
        self.cycles: list[Cycle] = []
        self.came = asyncio.Event()
        self._broken = broken

    async def record(self, cycle: Cycle) -> None:
        """Keep it."""
        self.came.set()
        if self._broken:
            raise RuntimeError("spool broken")
        self.cycles.append(cycle)


class Counted:
    """Counts cycles."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, Effort, int]] = []
        self.missed: list[str] = []

    def cycle_taken(self, vantage: str, effort: Effort, spent: int) -> None:
        """One more."""
        self.counted.append((vantage, effort, spent))

    def cycle_missed(self, vantage: str) -> None:
        """One less."""
        self.missed.append(vantage)


async def test_a_schedule_needs_nothing_but_a_recorder_and_a_counter() -> None:
    """With neither recorder nor publisher, cycles come, are kept and are counted."""
    ledger = Ledger(SETTINGS, now=utc_now)
    spool, counter = Spool(), Counted()
    async with CycleRunners(partial(cycle_runner, ledger=ledger)) as runners:
        runner = await runners.begin(SETTINGS, ())
        schedule = Schedule(SETTINGS, CycleJobs(runner, spool, counter, ledger))
        schedule.start()
        async with asyncio.timeout(10):
            await spool.came.wait()
        await schedule.stop()
    assert [cycle.vantage for cycle in spool.cycles] == [FIELD.id]
    assert counter.counted == [(FIELD.id, Effort.WHOLE, 0)]
    assert not counter.missed


@pytest.mark.parametrize("broken", [False, True])
async def test_a_job_returns_its_cycle_unless_it_failed(broken: bool) -> None:
    """A recorder that fails ends no schedule: there is merely no cycle."""
    ledger = Ledger(SETTINGS, now=utc_now)
    spool, counter = Spool(broken), Counted()
    async with CycleRunners(partial(cycle_runner, ledger=ledger)) as runners:
        runner = await runners.begin(SETTINGS, ())
        jobs = CycleJobs(runner, spool, counter, ledger)
        cycle = await jobs.run_scheduled(FIELD)
        assert (cycle is None) is broken
        assert [one.id for one in spool.cycles] == ([cycle.id] if cycle is not None else [])
        again = await jobs.run_scheduled(FIELD)
        assert again is None or again.id != spool.cycles[0].id
        async with asyncio.timeout(1):
            await jobs.unused(runner)


async def test_a_cycle_that_is_given_up_while_it_measures_is_not_recorded() -> None:
    """Half a cycle is none; giving up another vantage leaves it alone."""
    ledger = Ledger(ASKING, now=utc_now)
    spool, counter = Spool(), Counted()
    silent = ScriptedNetwork(families=("ipv4",))
    async with cycle_runner(ASKING, make_network=lambda _: silent, ledger=ledger) as runner:
        jobs = CycleJobs(runner, spool, counter, ledger)
        taking = asyncio.create_task(jobs.run_scheduled(FIELD))
        await asyncio.sleep(0.1)
        await jobs.give_up([GONE.id])
        assert not taking.done()
        await jobs.give_up([FIELD.id])
        assert await taking is None
    assert not spool.cycles


async def test_a_skipped_cycle_is_dated_by_the_time_as_it_is_known_now() -> None:
    """A small computer starts with the clock of its last shutdown, and skips cycles while its clock
    is set: since its bytes are spent, or a collector paused it. Each was dated by the old time, so
    a collector took the vantage for silent, or refused what was too old."""
    seconds, wall = 1000.0, 1_700_000_000.0
    clock = SteadyClock(Clocks(since_boot=lambda: seconds, wall=lambda: wall + seconds))
    ledger = Ledger(SETTINGS, now=clock.now)
    ledger.resume(FIELD.id, Spent(looks=2 * SETTINGS.probe.daily_bytes), clock.now().date())
    spool, counter = Spool(), Counted()
    async with cycle_runner(SETTINGS, ledger=ledger, clock=clock) as runner:
        jobs = CycleJobs(runner, spool, counter, ledger, clock)
        wall += 3600.0
        clock.look()
        seconds += HELD
        clock.look()
        assert await jobs.run_scheduled(FIELD) is None
    ((_, effort, _),) = counter.counted
    assert effort is Effort.NONE
    (cycle,) = spool.cycles
    assert clock.now().timestamp() == wall + seconds
    assert cycle.started_at == cycle.finished_at == cycle.health.at == clock.now()
