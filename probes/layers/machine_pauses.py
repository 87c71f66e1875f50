"""Pauses of this machine, which make a measured time too long.

A timer asks the event loop to call it every TICK seconds. A late call means that the loop was held
up: by other programs, by our own work, or by a machine that was paused or short of memory. Data
that arrived in a pause was noticed only after it, so a measured time may be wrong by its length.
"""

import asyncio

TICK = 0.01
TOLERANCE = 0.002
"""Seconds. Event loops round their waits up to a millisecond, which is no pause."""


class PauseMeter:
    """Counts pauses between its entry and exit as a context manager, inside an event loop."""

    def __init__(self) -> None:
        self.held_up = 0.0
        """Total seconds for which the loop was late."""
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._next: asyncio.TimerHandle | None = None

    def __enter__(self) -> "PauseMeter":
        self._wait()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._next is not None:
            self._next.cancel()
        self._count()

    def _wait(self) -> None:
        self._due = self._loop.time() + TICK
        self._next = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._count()
        self._wait()

    def _count(self) -> None:
        late = self._loop.time() - self._due
        if late > TOLERANCE:
            self.held_up += late
