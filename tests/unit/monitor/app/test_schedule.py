"""Turns keep their pace, whatever the clock shows, however long a cycle takes."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import pytest
from msgspec.structs import replace

from monitor.app.cycle_job import CycleJobs
from monitor.app.schedule import Schedule
from monitor.budget.ledger import Ledger
from monitor.config.settings import Settings
from monitor.measuring.between_turns import ShortTests
from monitor.measuring.cycle import CycleRunner
from probes.catalog.catalog import Catalog
from probes.testing import VirtualClockLoop
from probes.vantage import Profile, VantagePoint
from storage.values.cycle import Cycle
from storage.values.steady_clock import utc_now
from tests.unit.monitor.app.test_cycle_job import Counted
from tests.worlds.dropped_world import CATALOG, Folded

LOOP = VirtualClockLoop
ONE, TWO = (VantagePoint(id=name, country="PK", asn=17557) for name in ("one", "two"))
SETTINGS = Settings(vantages=(ONE,), catalog=Catalog(platforms=(), references=()), interval=60.0)


class Jobs(CycleJobs):
    """Cycles that only take their time, one of a vantage at a time."""

    def __init__(self, lasting: float = 1.0) -> None:
        self.counter = self.counted = Counted()
        self.ledger = Ledger(SETTINGS, now=utc_now)
        self.lasting = lasting
        self.begun: list[tuple[str, float]] = []
        self.recorder = Folded(SETTINGS.events)
        self.between: list[float] = []
        self.busy_until = 0.0
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.silent: frozenset[str] = frozenset()
        self.out_of_turn: list[tuple[float, frozenset[str]]] = []

    def measures(self, vantage: VantagePoint) -> bool:
        """Whether a cycle is under way, or is to seem so."""
        busy = asyncio.get_running_loop().time() < self.busy_until
        return busy or self.locks[vantage.id].locked()

    async def run_scheduled(self, vantage: VantagePoint) -> Cycle | None:
        """One that finds nothing."""
        async with self.locks[vantage.id]:
            self.begun.append((vantage.id, asyncio.get_running_loop().time()))
            await asyncio.sleep(self.lasting)
        return None

    async def test_between_turns(
        self, vantage: VantagePoint, platforms: frozenset[str]
    ) -> ShortTests:
        """One whose silent platforms are known beforehand."""
        del vantage
        self.between.append(asyncio.get_running_loop().time())
        return ShortTests(
            at=utc_now(), silent=platforms & self.silent, answered=platforms - self.silent
        )

    async def run_out_of_turn(
        self, vantage: VantagePoint, platforms: frozenset[str]
    ) -> Cycle | None:
        """One that finds nothing."""
        async with self.locks[vantage.id]:
            self.out_of_turn.append((asyncio.get_running_loop().time(), platforms))
            await asyncio.sleep(self.lasting)
        return None

    async def give_up(self, vantages: Iterable[str]) -> None:
        """There is nothing to give up."""

    async def stop(self) -> None:
        """Nor to end."""

    def times(self, vantage: VantagePoint = ONE) -> list[float]:
        """When cycles of a vantage began, in seconds from the start."""
        return [at for name, at in self.begun if name == vantage.id]


def thirds(jobs: Jobs) -> list[float]:
    """The moments that part the time between two turns into three, from the second turn on."""
    return [a + (b - a) * n / 3 for a, b in pairwise(jobs.times()[1:]) for n in (1, 2)]


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


async def test_cycles_that_take_long_follow_each_other_and_make_some_be_missed() -> None:
    """One turn waits; those due meanwhile are counted as missed."""
    jobs = Jobs(lasting=150.0)
    turns = schedule(jobs, jitter=0.0)
    await asyncio.sleep(130)
    assert jobs.counted.missed == ["one"]
    await asyncio.sleep(180)
    await turns.stop()
    assert jobs.times() == pytest.approx([0.0, 150.0, 300.0], abs=0.001)
    assert jobs.counted.missed == ["one"] * 3


async def test_a_turn_that_waited_for_a_cycle_out_of_turn_makes_none_be_missed() -> None:
    """Where everything is dropped, each cycle lasts most of the interval: the turn waited for one
    out of turn, was under way when the next was due, and that one was left out."""
    jobs = Jobs(lasting=200.0)
    turns = schedule(jobs, interval=300.0, jitter=0.0, catalog=CATALOG)
    await asyncio.sleep(350)
    jobs.silent = frozenset({"x"})
    await asyncio.sleep(60)
    jobs.silent = frozenset()
    await asyncio.sleep(1100)
    await turns.stop()
    ((measured, _),) = jobs.out_of_turn
    assert 500.0 <= measured <= 505.0
    late = [measured + 200.0, measured + 400.0]
    assert jobs.times() == pytest.approx([0.0, 300.0, *late, 1200.0, 1500.0], abs=0.01)
    assert not jobs.counted.missed


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


async def test_platforms_are_tested_shortly_between_two_turns() -> None:
    """What is silent then is measured at once. A vantage that is alone met a block only at its next
    turn, six minutes later at worst; with one test half-way after 145 s or more, in the median."""
    jobs = Jobs()
    turns = schedule(jobs, interval=300.0, jitter=0.0, catalog=CATALOG)
    await asyncio.sleep(750)
    assert not jobs.out_of_turn
    jobs.silent = frozenset({"x"})
    await asyncio.sleep(300)
    await turns.stop()
    expected = thirds(jobs)
    assert jobs.between[: len(expected)] == pytest.approx(expected, abs=0.01)
    # The first that is silent; the next is left out, since nothing came of that.
    ((measured, platforms),) = jobs.out_of_turn
    assert measured == pytest.approx(min(at for at in jobs.between if at > 750), abs=0.01)
    assert platforms == jobs.silent


async def test_what_is_silent_waits_for_a_cycle_under_way() -> None:
    """One that measured speeds for minutes made others, which were asked for meanwhile, be lost."""
    jobs = Jobs()
    jobs.silent = frozenset({"x"})
    turns = schedule(jobs, interval=300.0, jitter=0.0, catalog=CATALOG)
    jobs.busy_until = 480.0
    await asyncio.sleep(490)
    await turns.stop()
    assert jobs.between == pytest.approx([400.0], abs=0.01)
    ((began, platforms),) = jobs.out_of_turn
    assert platforms == {"x"}
    assert 480.0 <= began <= 485.0
    assert not jobs.counted.missed


@pytest.mark.parametrize(
    "change",
    [{"interval": 60.0}, {"vantages": (replace(ONE, profile=Profile.QUIET),)}],
    ids=["short interval", "quiet"],
)
async def test_who_needs_no_short_tests_makes_none(change: dict[str, object]) -> None:
    """Where the next turn comes soon, and where tests between turns would show."""
    jobs = Jobs()
    turns = schedule(jobs, **{"interval": 300.0, "catalog": CATALOG} | change)
    await asyncio.sleep(1200)
    await turns.stop()
    assert not jobs.between


async def test_short_tests_follow_a_new_interval_and_end_with_the_vantage() -> None:
    """They stay evenly between two turns, and none comes for a vantage that is gone."""
    jobs = Jobs()
    turns = schedule(jobs, interval=600.0, jitter=0.0, catalog=CATALOG)
    await asyncio.sleep(10)
    turns.use(
        replace(SETTINGS, interval=200.0, jitter=0.0, catalog=CATALOG), cast("CycleRunner", None)
    )
    await asyncio.sleep(800)
    expected = thirds(jobs)
    assert jobs.between[: len(expected)] == pytest.approx(expected, abs=0.01)
    await turns.remove(["one"])
    before = len(jobs.between)
    await asyncio.sleep(800)
    await turns.stop()
    assert len(jobs.between) == before


async def test_short_tests_begin_when_a_reload_switches_the_fast_lane_on() -> None:
    """They came only after a restart, though the configuration in use asked for them: a block was
    met at the next turn, minutes later. Switched off, they end."""
    jobs = Jobs()
    how: dict[str, object] = {"interval": 300.0, "jitter": 0.0, "catalog": CATALOG}
    off = replace(SETTINGS, **how, events=replace(SETTINGS.events, fast_lane=0.0))
    turns = Schedule(off, jobs)
    turns.start()
    await asyncio.sleep(1000)
    assert not jobs.between
    turns.use(replace(SETTINGS, **how), cast("CycleRunner", None))
    await asyncio.sleep(1000)
    following = next(at for at in jobs.times() if at > 1000)
    expected = [at for at in thirds(jobs) if at > following]
    assert jobs.between[: len(expected)] == pytest.approx(expected, abs=0.01)
    assert len(expected) >= 4
    turns.use(off, cast("CycleRunner", None))
    before = len(jobs.between)
    await asyncio.sleep(1000)
    await turns.stop()
    assert len(jobs.between) == before
