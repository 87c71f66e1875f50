"""Looks at the machine's clock every few seconds, and says when somebody set it.

Nothing that is measured or recorded moves with it: `storage.values.steady_clock` keeps the time.
"""

import asyncio
from collections.abc import Callable

from monitor.logs import logger
from storage.values.steady_clock import PROCESS_CLOCK, SteadyClock

log = logger(__name__)

EVERY = 2.0
"""Seconds between two looks."""


async def watch_clock(
    show: Callable[[int, float], None], clock: SteadyClock = PROCESS_CLOCK
) -> None:
    """Until cancelled; `show` gets the steps so far, and by how many seconds the clock is ahead."""
    while True:
        step = clock.look()
        if step:
            log.warning(
                "the machine's clock was set, which moves no measurement and no event",
                seconds=round(step),
                ahead=round(clock.ahead),
            )
        show(clock.steps, clock.ahead)
        await asyncio.sleep(EVERY)
