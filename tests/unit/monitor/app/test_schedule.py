"""The pace of a schedule, by the event loop's time: hours of it in no time at all."""

import asyncio
import functools
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from monitor.app.cycle_job import CycleJobs
from monitor.app.cycle_runners import CycleRunners, cycle_runner
from monitor.app.schedule import Schedule
from monitor.budget.ledger import Ledger
from probes.testing import VirtualClockLoop
from storage.values.cycle import Cycle
from storage.values.steady_clock import utc_now
from tests.unit.monitor.app.test_cycle_job import FIELD, SETTINGS, Counted, Spool

JITTER = 6.0


class Timed(Spool):
    """Notes when cycles came, and makes some of them take longer."""

    def __init__(self, slow: Callable[[int], float] = lambda _: 0.0) -> None:
        super().__init__()
        self.times: list[float] = []
        self._slow = slow

    async def record(self, cycle: Cycle) -> None:
        """Keep it, in as many seconds as the cycle with that number takes."""
        self.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._slow(len(self.times)))
        await super().record(cycle)


def scheduled(spool: Timed, story: Callable[[Schedule], Coroutine[Any, Any, None]]) -> Counted:
    """Have a schedule run for as long as the story takes, in virtual time."""

    async def run() -> Counted:
        settings = msgspec.structs.replace(SETTINGS, jitter=JITTER)
        ledger, counter = Ledger(settings, now=utc_now), Counted()
        async with CycleRunners(functools.partial(cycle_runner, ledger=ledger)) as runners:
            runner = await runners.begin(settings, ())
            schedule = Schedule(settings, CycleJobs(runner, spool, counter, ledger))
            schedule.start()
            await story(schedule)
            await schedule.stop()
        return counter

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(run())


async def _an_hour(_: Schedule) -> None:
    await asyncio.sleep(3600)


def test_jitter_moves_a_turn_and_not_the_pace() -> None:
    """Sixty turns in an hour, each within the jitter of its own minute."""
    spool = Timed()
    counter = scheduled(spool, _an_hour)
    assert len(spool.times) in (60, 61)
    began = spool.times[0]
    off = [at - began - 60 * turn for turn, at in enumerate(spool.times)]
    assert max(map(abs, off)) <= JITTER + 0.1
    assert max(map(abs, off)) > 1
    assert not counter.missed


def test_a_cycle_that_takes_too_long_is_followed_by_the_next_in_its_turn() -> None:
    """What was due meanwhile is missed, counted, and not made up for."""
    spool = Timed(lambda number: 200.0 if number == 5 else 0.0)
    counter = scheduled(spool, _an_hour)
    assert counter.missed == [FIELD.id] * 3
    assert 57 <= len(spool.times) <= 58
    assert spool.times[5] - spool.times[4] == pytest.approx(240, abs=2 * JITTER + 0.1)


def test_a_shorter_interval_is_used_from_now_on() -> None:
    """The next cycle comes within the new interval, and then at the new pace."""
    spool = Timed()

    async def story(schedule: Schedule) -> None:
        await asyncio.sleep(90)
        shorter = msgspec.structs.replace(SETTINGS, interval=10.0, jitter=0.0)
        schedule.use(shorter, schedule.jobs.runner)
        await asyncio.sleep(100)

    scheduled(spool, story)
    late = [at for at in spool.times if at > 90]
    assert late[0] <= 100.1
    assert len(late) in (9, 10, 11)
    assert [after - before for before, after in itertools.pairwise(late)] == (
        pytest.approx([10.0] * (len(late) - 1), abs=0.1)
    )
