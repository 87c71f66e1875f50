"""Pauses of the machine, as the event loop notices them."""

import asyncio
import time

import pytest

from probes.layers.machine_pauses import TICK, PauseMeter


async def test_a_loop_that_is_held_up_is_counted() -> None:
    """A block of 0.3 s is counted, and little more."""
    with PauseMeter() as machine:
        begun = time.monotonic()
        for _ in range(3):
            await asyncio.sleep(2 * TICK)
            time.sleep(0.1)  # noqa: ASYNC251 # holding the loop up is the point
        passed = time.monotonic() - begun
    assert 0.3 - 4 * TICK < machine.held_up <= passed


async def test_what_goes_on_until_the_end_is_counted_too() -> None:
    """A pause at the very end counts, although no timer was called late."""
    with PauseMeter() as machine:
        time.sleep(0.1)  # noqa: ASYNC251 # as above
    assert machine.held_up > 0.1 - 2 * TICK


async def test_waiting_is_not_being_held_up() -> None:
    """Waiting for the network counts as no pause."""
    for _ in range(200):  # the machine that runs this may be busy itself
        with PauseMeter() as machine:
            await asyncio.sleep(0.2)
        if machine.held_up < 0.05:
            return
    pytest.fail("waiting was always counted as a pause")


async def test_it_stops_with_its_context() -> None:
    """The meter leaves no timer in the loop."""
    with PauseMeter() as machine:
        await asyncio.sleep(2 * TICK)
    counted = machine.held_up
    time.sleep(3 * TICK)  # noqa: ASYNC251 # as above
    await asyncio.sleep(2 * TICK)
    assert machine.held_up == counted
