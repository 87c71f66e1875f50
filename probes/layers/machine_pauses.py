"""How long this machine kept us from looking: what a measurement of time must know of itself.

A metronome asks the event loop to be called every TICK seconds. When it is called late, the loop
was held up: by other programs that wanted the processor, by work of our own, by a machine that was
paused or short of memory. Whatever arrived meanwhile was not noticed before the loop went on, so a
time taken over such a while may be wrong by as much.
"""

import asyncio
from types import TracebackType

TICK = 0.01
TOLERANCE = 0.002
"""Seconds. Event loops round their waits up to a millisecond, which is nobody's delay."""


class PauseMeter:
    """Counts from its entry as a context manager until its end; one thread, inside a loop."""

    def __init__(self) -> None:
        self.held_up = 0.0
        """Seconds for which the loop was late, in all."""
        self._loop = asyncio.get_running_loop()
        self._due = 0.0
        self._next: asyncio.TimerHandle | None = None

    def __enter__(self) -> "PauseMeter":
        self._wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
