"""An agent that is a control: what it saw by the clock is taken in, and is what a failure that an
agent in the field met before is held against."""

import gzip
from datetime import timedelta

import msgspec
import pytest

from monitor.agent.batch_body import BatchMaker
from monitor.agent.collector_clock import AgentClock, Machine
from monitor.analysis.verdict import State
from monitor.app.cycle_job import measure_and_judge
from monitor.app.cycle_runners import cycle_runner
from monitor.collector.batch_checks import frame_of, read_batch
from monitor.collector.received_cycles import ReceivedCycles
from monitor.keys.keys import fingerprint, public_text
from monitor.keys.sealing import sealing_text
from monitor.measuring.controls import LocalControls
from monitor.measuring.probers import Probers
from monitor.wire.answers import Reason
from monitor.wire.envelope import open_body
from monitor.wire.refusal import Refused
from probes.measurement import Purpose
from probes.testing import Peer, VirtualClockLoop, reset_by_peer
from probes.vantage import VantagePoint, VantageRole
from storage.values.cycle import Cycle
from storage.values.fleet import Enrolment, SeenCycle, WaitingCycle
from storage.values.steady_clock import SteadyClock
from tests.unit.monitor.collector.test_received_cycles import Shelf
from tests.unit.monitor.measuring.test_cycle import ADDRESS, CONTROL, FIELD, World, now
from tests.unit.monitor.measuring.test_scheduled_controls import EVERYTHING, seen_by
from tests.worlds.agent_collector import AGENT_KEY, SEALING
from tests.worlds.build import START

LOOP = VirtualClockLoop


def machine() -> Machine:
    """A machine whose clock is right."""
    return Machine(
        boot="first",
        since_boot=lambda: 100.0 + (now() - START).total_seconds(),
        wall=lambda: now().timestamp(),
    )


async def as_agent(world: World, vantage: VantagePoint) -> Cycle:
    """A cycle as an agent of that vantage makes it while no collector can be asked."""
    settings = msgspec.structs.replace(world.settings, vantages=(vantage,))
    async with Probers(settings, now=now) as nobody:
        runner = cycle_runner(
            settings,
            make_network=lambda one: world.networks[one.id],
            controls=LocalControls(nobody, ()),
            scheduled_controls=True,
            clock=SteadyClock(machine()),
        )
        async with runner as looks:
            return await measure_and_judge(looks, vantage.id)


def taken_in(cycle: Cycle, vantage: VantagePoint, role: VantageRole | None = None) -> SeenCycle:
    """The cycle as the collector reads it from the agent's batch; the key is enrolled as `role`,
    that of the vantage unless given. Raises Refused."""
    clock = AgentClock(machine())
    batch = BatchMaker(vantage.id, sealing_text(SEALING), clock, bytes(32)).make(cycle)
    key = public_text(AGENT_KEY)
    sender = Enrolment(
        vantage=vantage.id,
        country=vantage.country,
        asn=vantage.asn,
        network=vantage.network,
        role=str(role or vantage.role),
        key=key,
        fingerprint=fingerprint(key),
        enrolled_at=START,
    )
    frame = frame_of(now(), 300.0, float("inf"))
    (seen,) = read_batch(gzip.decompress(open_body(SEALING, batch.body)), sender, frame).cycles
    return seen


def waiting(seen: SeenCycle) -> WaitingCycle:
    """The cycle as it waits to be judged."""
    return WaitingCycle(
        country=seen.country,
        id=seen.id,
        vantage=seen.vantage,
        started_at=seen.started_at,
        finished_at=seen.finished_at,
        received_at=seen.finished_at + timedelta(seconds=1),
        health=seen.health,
        hurried=seen.hurried,
        backfilled=seen.backfilled,
    )


async def test_what_a_control_agent_saw_by_the_clock_is_taken_in() -> None:
    """A look at every endpoint, as a control's, each as it was made."""
    cycle = await as_agent(World(), CONTROL)
    assert seen_by(cycle) == EVERYTHING
    seen = taken_in(cycle, CONTROL)
    assert {one.id for one in seen.measurements} == {one.id for one in cycle.measurements}
    looks = [one for one in seen.measurements if one.look is Purpose.CONTROL]
    assert {one.endpoint for one in looks} == EVERYTHING
    assert {one.vantage_role for one in looks} == {VantageRole.CONTROL}


async def test_it_is_not_taken_from_a_key_that_is_enrolled_for_the_field() -> None:
    """Nobody makes a control of himself: the operator says who is one."""
    cycle = await as_agent(World(), CONTROL)
    with pytest.raises(Refused) as refused:
        taken_in(cycle, CONTROL, VantageRole.FIELD)
    assert refused.value.reason is Reason.OTHER_VANTAGE


async def test_a_failure_in_the_field_is_held_against_it() -> None:
    """X is cut off in the field, where no control can be asked: insufficient, until the next cycle
    of a control agent has shown that it works elsewhere, and blocked then."""
    world = World()
    world.own.peer(ADDRESS["x.com"], 443, Peer(tls=reset_by_peer(), chain=()))
    failed = taken_in(await as_agent(world, FIELD), FIELD)
    control = taken_in(await as_agent(world, CONTROL), CONTROL)

    alone = ReceivedCycles(world.settings, Shelf(list(failed.measurements)))
    opened = await alone.open(waiting(failed))
    assert {lack.endpoint for lack in opened.lacking} == {"https://x.com/"}
    states = {one.endpoint: one.state for one in (await alone.judge(opened)).verdicts}
    assert states["https://x.com/"] is State.INSUFFICIENT

    judge = ReceivedCycles(world.settings, Shelf([*failed.measurements, *control.measurements]))
    await judge.judge(await judge.open(waiting(control)))
    opened = await judge.open(waiting(failed))
    assert opened.lacking == ()
    (verdict,) = [one for one in (await judge.judge(opened)).verdicts if one.state is State.BLOCKED]
    assert verdict.endpoint == "https://x.com/"
    assert verdict.controls
    assert set(verdict.controls) <= {one.id for one in control.measurements}
