"""Turns keep their pace, whatever the clock shows, however long a cycle takes."""

import asyncio
from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import pytest
from msgspec.structs import replace

from monitor.app.cycle_job import CycleJobs
from monitor.app.schedule import Schedule
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from monitor.measuring.cycle import CycleRunner
from probes.catalog.catalog import Catalog
from probes.testing import VirtualClockLoop
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle
from storage.values.steady_clock import utc_now
from tests.unit.monitor.app.test_cycle_job import Counted

LOOP = VirtualClockLoop
ONE, TWO = (VantagePoint(id=name, country="PK", asn=17557) for name in ("one", "two"))
SETTINGS = Settings(vantages=(ONE,), catalog=Catalog(platforms=(), references=()), interval=60.0)


class Jobs(CycleJobs):
    """Cycles that only take their time."""

    def __init__(self, lasting: float = 1.0) -> None:
        self.counter = self.counted = Counted()
        self.ledger = Ledger(SETTINGS, now=utc_now)
        self.lasting = lasting
        self.begun: list[tuple[str, float]] = []

    async def run_scheduled(self, vantage: VantagePoint) -> Cycle | None:
        """One that finds nothing."""
        self.begun.append((vantage.id, asyncio.get_running_loop().time()))
        await asyncio.sleep(self.lasting)
        return None

    async def give_up(self, vantages: Iterable[str]) -> None:
        """There is nothing to give up."""

    async def stop(self) -> None:
        """Nor to end."""

    def times(self, vantage: VantagePoint = ONE) -> list[float]:
        """When cycles of a vantage began, in seconds from the start."""
        return [at for name, at in self.begun if name == vantage.id]


def schedule(jobs: Jobs, **changes: object) -> Schedule:
    """A schedule that has begun."""
    begun = Schedule(replace(SETTINGS, **changes), jobs)
    begun.start()
    return begun


async def test_jitter_moves_each_turn_and_never_the_pace() -> None:
    """Each turn lies within the jitter of its place, after a day as after a minute: jitter that
    adds up turned 60 s into 62.6 s."""
    jobs = Jobs()
    turns = schedule(jobs, jitter=6.0)
    await asyncio.sleep(86_400 + 30)
    await turns.stop()
    times = jobs.times()
    assert len(times) == 1441
    assert all(abs(at - 60 * number) <= 6.0 for number, at in enumerate(times))
    assert len({round(later - sooner, 3) for sooner, later in pairwise(times)}) > 1000


async def test_a_cycle_that_takes_long_makes_the_next_ones_be_missed() -> None:
    """They are counted when they are due, and the pace stays."""
    jobs = Jobs(lasting=150.0)
    turns = schedule(jobs, jitter=0.0)
    await asyncio.sleep(130)
    assert jobs.counted.missed == ["one", "one"]
    await asyncio.sleep(120)
    await turns.stop()
    assert jobs.times() == pytest.approx([0.0, 180.0], abs=0.001)


@pytest.mark.parametrize(("interval", "second"), [(20.0, 30.0), (600.0, 60.0)])
async def test_another_interval_keeps_the_next_turn_or_has_it_sooner(
    interval: float, second: float
) -> None:
    """From then on it holds; a vantage that is new begins at once, and one that is gone ends."""
    jobs = Jobs()
    turns = schedule(jobs, jitter=0.0)
    await asyncio.sleep(10)
    other = replace(SETTINGS, vantages=(ONE, TWO), interval=interval, jitter=0.0)
    turns.use(other, cast("CycleRunner", None))
    await asyncio.sleep(1210)
    await turns.remove(["one"])
    await asyncio.sleep(2 * interval)
    await turns.stop()
    assert jobs.times()[:3] == pytest.approx([0.0, second, second + interval], abs=0.001)
    assert jobs.times(TWO)[0] == pytest.approx(11.0)
    assert max(jobs.times()) <= 1220 < max(jobs.times(TWO))


async def test_nothing_comes_after_the_end() -> None:
    """A schedule that was stopped leaves no timer behind."""
    jobs = Jobs()
    turns = schedule(jobs)
    await asyncio.sleep(1)
    await turns.stop()
    await asyncio.sleep(600)
    assert len(jobs.begun) == 1


async def test_vantages_of_one_country_come_one_after_the_other() -> None:
    """All started within two seconds of each other, so that all measured a block just before it,
    and needed the machine together ever after."""
    several = tuple(replace(ONE, id=f"v{number}") for number in range(4))
    jobs = Jobs()
    turns = schedule(jobs, vantages=several, jitter=0.0)
    await asyncio.sleep(600)
    await turns.stop()
    assert all(jobs.times(one)[0] <= 2.0 for one in several)
    assert all(15.0 <= jobs.times(one)[1] <= 75.0 + 2.0 for one in several)
    later = sorted(at for one in several for at in jobs.times(one) if 300 <= at < 360)
    assert [b - a for a, b in pairwise(later)] == pytest.approx([15.0] * 3, abs=2.0)
    for one in several:
        gaps = [b - a for a, b in pairwise(jobs.times(one)[1:])]
        assert gaps == pytest.approx([60.0] * len(gaps), abs=0.001)
