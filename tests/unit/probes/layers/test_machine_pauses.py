"""How long the machine kept us from looking, as the looker itself tells it."""

import asyncio
import time

from probes.layers.machine_pauses import TICK, PauseMeter


async def test_a_loop_that_is_held_up_is_counted() -> None:
    """Three tenths of a second in which nothing else could run are counted, and little more."""
    with PauseMeter() as machine:
        begun = time.monotonic()
        for _ in range(3):
            await asyncio.sleep(2 * TICK)
            time.sleep(0.1)  # noqa: ASYNC251 # holding the loop up is the point
        passed = time.monotonic() - begun
    assert 0.3 - 4 * TICK < machine.held_up <= passed


async def test_what_goes_on_until_the_end_is_counted_too() -> None:
    """The last pause may end the transfer: nobody was called late, yet it was one."""
    with PauseMeter() as machine:
        time.sleep(0.1)  # noqa: ASYNC251 # as above
    assert machine.held_up > 0.1 - 2 * TICK


async def test_waiting_is_not_being_held_up() -> None:
    """A loop with nothing to do is there at once: waiting for the network counts for nothing."""
    best = 1.0
    for _ in range(5):  # the best of five, for the machine that runs this may be busy itself
        with PauseMeter() as machine:
            await asyncio.sleep(0.2)
        best = min(best, machine.held_up)
    assert best < 0.05


async def test_it_stops_with_its_context() -> None:
    """Nothing of it stays in the loop."""
    with PauseMeter() as machine:
        await asyncio.sleep(2 * TICK)
    counted = machine.held_up
    time.sleep(3 * TICK)  # noqa: ASYNC251 # as above
    await asyncio.sleep(2 * TICK)
    assert machine.held_up == counted
