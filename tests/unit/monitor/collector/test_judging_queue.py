"""What waits for judgement waits for controls where that can help, and never longer than that."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from msgspec.structs import replace

from monitor.agent.batch_delivery import AFTER_A_CYCLE
from monitor.analysis.verdict import State, VantageState
from monitor.collector.control_parts import LONGEST
from monitor.collector.judging_queue import JudgingQueue
from monitor.collector.received_cycles import ReceivedCycles
from monitor.config.settings import Settings
from probes.measurement import Measurement, Purpose
from probes.testing import VirtualClockLoop
from storage.values.cycle import Cycle, StoredCycle
from storage.values.fleet import WaitingCycle
from tests.lab.certificates import authority
from tests.unit.monitor.measuring.test_cycle import CONTROL, FIELD
from tests.worlds.collector_world import Clock, hand_in, story
from tests.worlds.memory_store import MemoryStore
from tests.worlds.rejudge_world import INTERVAL, JAZZ, QUIET, recorded, settings

LOOP = VirtualClockLoop
Told = tuple[StoredCycle, tuple[Measurement, ...]]


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The installation of the story."""
    path = tmp_path_factory.mktemp("trust") / "anchor.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return settings(str(path))


@pytest.fixture(scope="module")
def told(configured: Settings) -> list[Told]:
    """The cycles of the story."""

    async def live() -> list[Told]:
        return await story(await recorded(configured))

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(live())


class Kept:
    """Keeps cycles as they come, and takes them off the list of those that wait."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.cycles: list[Cycle] = []
        self.late: list[str] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens while the first cycle is stored."""

    async def record(self, cycle: Cycle) -> None:
        """One of now."""
        await self._store.save(cycle)
        self.cycles.append(cycle)
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile()

    async def record_late(self, cycles: Sequence[Cycle]) -> None:
        """Some of the past."""
        for cycle in cycles:
            await self.record(cycle)
            self.late.append(cycle.id)

    def states(self, vantage: str) -> list[State]:
        """Of X there, cycle by cycle."""
        return [
            verdict.state
            for cycle in self.cycles
            for verdict in cycle.platforms
            if (cycle.vantage, verdict.platform) == (vantage, "x")
        ]


class Shelf(MemoryStore):
    """A store that gives nonsense for one cycle, and knows how far back it was asked."""

    broken = ""
    earliest = datetime.max.replace(tzinfo=UTC)
    """From when on what controls measured was read, at most."""

    async def control_measurements(self, since: datetime, until: datetime) -> list[Measurement]:
        """As it is."""
        self.earliest = min(self.earliest, since)
        return await super().control_measurements(since, until)

    async def measurements_of(self, cycle: WaitingCycle) -> list[Measurement]:
        """Its looks; those of the broken one have addresses where names belong."""
        looks = await super().measurements_of(cycle)
        if cycle.id == self.broken:
            return [replace(look, endpoint="no such endpoint", observations=None) for look in looks]
        return looks


class QueueWorld:
    """A collector's store, its clock, and its queue."""

    def __init__(self, configured: Settings) -> None:
        self.clock = Clock()
        self.store = Shelf(clock=self.clock, threads=True)
        self.kept = Kept(self.store)
        self.judge = ReceivedCycles(configured, self.store)
        self.queue = JudgingQueue(
            *(self.store, self.judge, self.kept),
            control_wait=2 * INTERVAL,
            order_wait=0.0,
            now=self.clock,
        )

    async def bring(self, one: Told, *, controls: bool = True, backfilled: bool = False) -> None:
        """Hand a cycle in, with what controls saw for it or without."""
        cycle, looks = one
        kept = [look for look in looks if controls or look.vantage == cycle.vantage]
        await hand_in(self.store, cycle, kept, self.clock, backfilled=backfilled)


@pytest.fixture
async def collector(configured: Settings) -> QueueWorld:
    """An empty one, whose control was heard of just now."""
    made = QueueWorld(configured)
    await made.store.open()
    return made


def of(told: list[Told], vantage: str) -> list[Told]:
    """The cycles of one vantage."""
    return [one for one in told if one[0].vantage == vantage]


def blocked(told: list[Told], vantage: str) -> Told:
    """The first cycle in which X is blocked there."""
    return of(told, vantage)[2]


def asked_for(one: Told) -> list[Measurement]:
    """What controls saw on demand for a cycle."""
    return [look for look in one[1] if look.vantage != one[0].vantage]


async def _heard(collector: QueueWorld, told: list[Told]) -> None:
    """A control looked at something before any of this."""
    first = next(look for one in told for look in asked_for(one) if look.look is Purpose.CONTROL)
    await collector.store.add_control_measurements([first])


async def test_a_failure_that_no_control_looked_at_waits_and_others_do_not(
    collector: QueueWorld, told: list[Told]
) -> None:
    """Its vantage waits, in order; another vantage is judged at once. When controls have looked
    after the failure, it is judged by that, and the next one after it."""
    one, other = blocked(told, JAZZ.id), of(told, FIELD.id)[0]
    after = of(told, JAZZ.id)[3]
    await _heard(collector, told)
    await collector.bring(one, controls=False)
    await collector.bring(after, controls=False)
    await collector.bring(other)
    assert await collector.queue.judge_waiting() == 1
    assert [cycle.id for cycle in collector.kept.cycles] == [other[0].id]
    assert collector.queue.held == 1
    await collector.store.add_control_measurements([*asked_for(one), *asked_for(after)])
    assert await collector.queue.judge_waiting() == 2
    assert [cycle.id for cycle in collector.kept.cycles[1:]] == [one[0].id, after[0].id]
    assert collector.kept.states(JAZZ.id) == [State.BLOCKED, State.BLOCKED]
    assert collector.queue.held == 0


async def test_it_waits_no_longer_than_it_is_to(collector: QueueWorld, told: list[Told]) -> None:
    """Then it is judged without, which makes failures alone insufficient."""
    await _heard(collector, told)
    await collector.bring(blocked(told, JAZZ.id), controls=False)
    assert await collector.queue.judge_waiting() == 0
    collector.clock.at += timedelta(seconds=2 * INTERVAL - 1)
    assert await collector.queue.judge_waiting() == 0
    collector.clock.at += timedelta(seconds=1)
    assert await collector.queue.judge_waiting() == 1
    assert collector.kept.states(JAZZ.id) == [State.INSUFFICIENT]


async def test_a_clock_that_was_ahead_holds_no_vantage(
    collector: QueueWorld, told: list[Told]
) -> None:
    """What was received by a clock a month ahead was to wait until that month was over, and all
    that its vantage sent since waited behind it."""
    await _heard(collector, told)
    await collector.bring(blocked(told, JAZZ.id), controls=False)
    collector.clock.at -= timedelta(days=30)
    assert await collector.queue.judge_waiting() == 1
    assert collector.queue.held == 0


async def test_what_comes_in_while_others_are_judged_brings_its_controls_along(
    collector: QueueWorld, told: list[Told]
) -> None:
    """A collector that has much to catch up with judges one handed in meanwhile by all that
    controls saw for it, though it is from the time of one judged before."""
    first, second = blocked(told, JAZZ.id), blocked(told, QUIET.id)

    async def meanwhile() -> None:
        await collector.bring(second)
        collector.clock.at += timedelta(seconds=2 * INTERVAL)

    collector.kept.meanwhile = meanwhile
    await collector.bring(first)
    assert await collector.queue.judge_waiting() == 2
    assert collector.kept.states(JAZZ.id) == [State.BLOCKED]
    assert collector.kept.states(QUIET.id) == [State.BLOCKED]


async def test_attack_a_cycle_of_weeks_that_waits_makes_nobody_read_weeks(
    collector: QueueWorld, told: list[Told]
) -> None:
    """While one waited that failed 29 days ago, by what it says, all that controls measured since
    was read twice a second."""
    await _heard(collector, told)
    cycle, looks = blocked(told, JAZZ.id)
    ago = timedelta(days=29)
    old = [replace(look, started_at=look.started_at - ago) for look in looks]
    long = replace(cycle, started_at=cycle.started_at - ago)
    await collector.bring((long, tuple(old)), controls=False)
    assert await collector.queue.judge_waiting() == 0
    assert collector.queue.held == 1
    assert await collector.queue.judge_waiting() == 0
    read = collector.clock.at - collector.store.earliest
    assert read <= LONGEST + timedelta(seconds=2 * INTERVAL)
    collector.clock.at += timedelta(seconds=2 * INTERVAL)
    assert await collector.queue.judge_waiting() == 1


async def test_where_no_control_is_heard_of_nothing_waits(
    collector: QueueWorld, told: list[Told]
) -> None:
    """An installation without controls judges at once."""
    await collector.bring(blocked(told, JAZZ.id), controls=False)
    assert await collector.queue.judge_waiting() == 1
    assert collector.kept.states(JAZZ.id) == [State.INSUFFICIENT]


async def test_what_comes_late_is_judged_by_what_controls_saw_then(
    collector: QueueWorld, told: list[Told]
) -> None:
    """It does not wait, and is kept as what it is; looks of controls from its own time serve."""
    one, two = of(told, JAZZ.id)[2:4]
    await collector.store.add_control_measurements(asked_for(one))
    for look in (one, two):
        await collector.bring(look, controls=False, backfilled=True)
    assert await collector.queue.judge_waiting() == 2
    assert collector.kept.late == [one[0].id, two[0].id]
    assert collector.kept.states(JAZZ.id)[0] is State.BLOCKED
    assert collector.queue.held == 0


async def test_cycles_handed_in_in_any_order_are_judged_in_the_order_they_ended(
    collector: QueueWorld, told: list[Told]
) -> None:
    """Agents hand in half a second to eight seconds after the end: with a wait of ten seconds none
    of a fleet's cycles is judged out of order, where four in ten were."""
    queue = JudgingQueue(
        *(collector.store, collector.judge, collector.kept),
        control_wait=2 * INTERVAL,
        order_wait=10.0,
        now=collector.clock,
    )
    rng, (cycle, _) = Random(7), of(told, FIELD.id)[0]
    ends = [cycle.finished_at + timedelta(seconds=1.5 * number) for number in range(200)]
    due = sorted((end + timedelta(seconds=rng.uniform(*AFTER_A_CYCLE)), end) for end in ends)
    brought, wanted = 0, list[datetime]()
    for second in range(330):
        collector.clock.at = cycle.finished_at + timedelta(seconds=second)
        while brought < len(due) and due[brought][0] <= collector.clock.at:
            end = due[brought][1]
            one = replace(cycle, id=f"{cycle.id}-{end}", vantage=f"v{brought}", finished_at=end)
            await hand_in(collector.store, one, (), collector.clock)
            brought += 1
            wanted.append(end)
        await queue.judge_waiting()
    judged = [one.finished_at for one in collector.kept.cycles]
    assert sorted(judged) == judged == ends
    assert wanted != ends


async def test_judging_leaves_the_event_loop_to_those_who_must_be_answered(
    collector: QueueWorld, told: list[Told]
) -> None:
    """Of the processor's time that judging takes, little is the event loop's own: agents are
    answered meanwhile, where they waited for up to 38 seconds."""
    for one in told:
        await collector.bring(one)
    loop, everything = time.thread_time(), time.process_time()
    assert await collector.queue.judge_waiting() == len(told)
    loop, everything = time.thread_time() - loop, time.process_time() - everything
    assert loop < everything / 3


async def test_the_present_does_not_wait_for_the_past(
    collector: QueueWorld, told: list[Told]
) -> None:
    """What an agent hands in after a day without a line is judged after all that is of now."""
    old, now = of(told, JAZZ.id)[0], of(told, FIELD.id)[3]
    await collector.bring(now)
    await collector.bring(old, backfilled=True)
    assert await collector.queue.judge_waiting() == 2
    assert [cycle.id for cycle in collector.kept.cycles] == [now[0].id, old[0].id]


async def test_a_cycle_that_rules_break_on_holds_nobody_up(
    collector: QueueWorld, told: list[Told]
) -> None:
    """It is kept without a verdict and without a word on its vantage; the next one is judged."""
    one, after = of(told, JAZZ.id)[:2]
    await collector.bring(one)
    await collector.bring(after)
    collector.store.broken = one[0].id
    assert await collector.queue.judge_waiting() == 2
    broken, judged = collector.kept.cycles
    assert (broken.id, broken.verdicts, broken.health.state) == (
        one[0].id,
        (),
        VantageState.UNKNOWN,
    )
    assert judged.platforms


async def test_a_control_is_only_told_to_be_well(collector: QueueWorld, told: list[Told]) -> None:
    """Its cycles have no verdict."""
    await collector.bring(of(told, CONTROL.id)[0])
    assert await collector.queue.judge_waiting() == 1
    (cycle,) = collector.kept.cycles
    assert (cycle.verdicts, cycle.health.state) == ((), VantageState.OK)
