"""What a control looks at by itself, so that failures told of later have something to be held
against."""

import random

from monitor.analysis.verdict import VantageState
from monitor.app.cycle_job import measure_and_judge
from monitor.budget.budget import Allotment
from monitor.budget.ledger import Ledger
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.probers import Probers
from monitor.measuring.scheduled_controls import ScheduledControls
from probes.measurement import HttpObservation, Purpose
from probes.testing import Peer, VirtualClockLoop, reset_by_peer
from storage.values.cycle import Cycle
from tests.unit.monitor.measuring.test_cycle import (
    ADDRESS,
    CONTROL,
    POOL,
    REFERENCES,
    SITES,
    World,
    kinds,
    now,
)

LOOP = VirtualClockLoop
EVERYTHING = {f"https://{host}/" for host in SITES} | {f"tcp://{one}:443" for one in POOL}


async def control_cycles(
    world: World, count: int = 1, *, scheduled: bool = True, taken: int = 0
) -> list[Cycle]:
    """So many cycles of the world's control, of whose bytes others have `taken` so many today."""
    rng = random.Random(1)
    ledger = Ledger(world.settings, now=now)
    assert ledger.buy(CONTROL.id, Allotment.SUSPICION, taken)
    probers = Probers(
        world.settings,
        now=now,
        make_network=lambda vantage: world.networks[vantage.id],
        ledger=ledger,
    )
    async with probers:
        runner = CycleRunner(
            world.settings,
            probers,
            LocalControls(probers, world.controls),
            rng,
            scheduled_controls=ScheduledControls(probers, rng, world.settings.interval)
            if scheduled
            else None,
        )
        return [await measure_and_judge(runner, CONTROL.id) for _ in range(count)]


def seen_by(cycle: Cycle) -> set[str]:
    """Endpoints that a cycle looked at as a control."""
    return {look.endpoint for look in cycle.measurements if look.look is Purpose.CONTROL}


async def test_a_standing_control_looks_at_everything_once_and_modestly() -> None:
    """Every endpoint, a pool's members all, by a handshake and no request; no verdict follows."""
    (cycle,) = await control_cycles(World())
    assert seen_by(cycle) == EVERYTHING
    assert kinds(cycle)[Purpose.CONTROL] == len(EVERYTHING)
    assert kinds(cycle)[Purpose.REFERENCE] == len(REFERENCES)
    looks = [look for look in cycle.measurements if look.look is Purpose.CONTROL]
    assert all(look.reached and look.cycle == cycle.id for look in looks)
    assert not any(isinstance(o, HttpObservation) for look in looks for o in look.observations)
    assert cycle.verdicts == ()
    assert cycle.health.state is VantageState.OK


async def test_without_standing_a_control_looks_at_its_references_only() -> None:
    """As a monitor by itself has it, where whoever suspects something asks at once."""
    (cycle,) = await control_cycles(World(), scheduled=False)
    assert kinds(cycle) == {Purpose.REFERENCE: len(REFERENCES)}


async def test_a_control_that_sees_something_fail_asks_its_references_again() -> None:
    """They began after the failure: the control itself may be the one in trouble."""
    world = World()
    world.networks[CONTROL.id].peer(ADDRESS["x.com"], 443, Peer(tls=reset_by_peer(), chain=()))
    (cycle,) = await control_cycles(world)
    (failed,) = [look for look in cycle.measurements if not look.reached]
    references = [look for look in cycle.measurements if look.look is Purpose.REFERENCE]
    later = [look for look in references if look.started_at.timestamp() >= failed.ended_at]
    assert len(later) == len(REFERENCES)
    assert len(references) == 2 * len(REFERENCES)


async def test_a_control_with_few_bytes_leaves_them_to_whoever_asks() -> None:
    """Where what others suspected took the purse kept for it, it looks at nothing by the clock, and
    goes on telling how it is."""
    (cycle,) = await control_cycles(World(), taken=200_000_000)
    assert seen_by(cycle) == set()
    assert kinds(cycle)[Purpose.REFERENCE] == len(REFERENCES)
    assert cycle.health.state is VantageState.OK
