"""The runner of measurements by virtual time: the throttler goes by the event loop's clock."""

import asyncio
from functools import partial

from asyncio_throttle.throttler import Throttler

from probes.measure.runner import Runner

LATE = 0.01
"""Seconds of starts that are made up for by one who comes late."""


class VirtualThrottler(Throttler):
    """The same rate, by virtual time."""

    def __init__(self, rate_limit: int, period: float, retry_interval: float) -> None:
        """`rate_limit` starts in each `period` of so many seconds."""
        super().__init__(rate_limit, period, retry_interval)
        self._rest = period / rate_limit
        self._due = 0.0

    async def acquire(self) -> None:
        """Wait until the rate allows another start."""
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now - LATE)
        wait, self._due = self._due - now, self._due + self._rest
        if wait > 0:
            await asyncio.sleep(wait)


VirtualRunner = partial(Runner, throttler=VirtualThrottler)
"""Makes a runner by virtual time; rate and concurrency are as for `Runner`."""
