"""UTC that no change of the machine's clock moves.

Time goes on with the seconds since the machine started (CLOCK_BOOTTIME), from what the machine's
clock showed when the process began. The kernel slews both alike, so a disciplined clock stays
exact; a step moves the machine's clock alone.

Whether the machine's clock was right to begin with, the Date headers of servers tell, cycle by
cycle. Once they have agreed with our time, only they can move it: a step that they contradict is
the machine's fault, however long it lasts. They move our time to the machine's where that agrees
with them, else to their own, which takes more of them. Until they have agreed once, our time
follows a machine's clock that stays elsewhere for `HELD`.

All times of one cycle are by one clock: cycles under way keep the time they began with, and are
dated anew when they end.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

STEP = 1.0
"""Seconds by which the machine's clock moves away from ours before that counts as a step."""
RIGHT = 60.0
"""Seconds by which a right clock may differ from servers' dates."""
HELD = 600.0
"""Seconds for which the machine's clock must stay elsewhere before an unconfirmed time follows."""
SEVERAL = 3
"""Servers that must agree to move our time to one that the machine's clock does not show."""


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """The clocks of a machine."""

    since_boot: Callable[[], float]
    """Seconds since the machine started."""
    wall: Callable[[], float]
    """POSIX seconds, which may be wrong."""


def clocks_of_this_machine() -> Clocks:
    """Those of the machine we run on."""
    return Clocks(since_boot=lambda: time.clock_gettime(time.CLOCK_BOOTTIME), wall=time.time)


class SteadyClock:
    """Keeps the time of one process."""

    def __init__(self, clocks: Clocks) -> None:
        self.clocks = clocks
        self._began = self._cycles_began = clocks.wall() - clocks.since_boot()
        """The machine's start, in POSIX seconds: by our time, and by that of cycles under way."""
        self._seen = self._began
        """The same by the machine's clock, when it was last looked at."""
        self._set_at = clocks.since_boot()
        self.confirmed = False
        """Whether servers have agreed with our time."""
        self.steps = 0
        """Steps of the machine's clock since the process began."""

    def now(self) -> datetime:
        """UTC."""
        return datetime.fromtimestamp(self._began + self.clocks.since_boot(), UTC)

    def now_in_cycles(self) -> datetime:
        """UTC for what cycles measure; `correction` is still to be added to it."""
        return datetime.fromtimestamp(self._cycles_began + self.clocks.since_boot(), UTC)

    def since_boot(self, moment: datetime) -> float:
        """Seconds from the machine's start to a moment of our time."""
        return moment.timestamp() - self._began

    @property
    def ahead(self) -> float:
        """Seconds by which the machine's clock is ahead of our time; negative: behind."""
        return self.clocks.wall() - self.clocks.since_boot() - self._began

    @property
    def correction(self) -> float:
        """Seconds to add to the times of cycles that are under way."""
        return self._began - self._cycles_began

    def look(self) -> float:
        """Look at the machine's clock, every few seconds; the seconds by which it was set since the
        last look, 0.0 when it was not."""
        ticks = self.clocks.since_boot()
        by_machine = self.clocks.wall() - ticks
        # What it gains slowly is no step.
        step, self._seen = by_machine - self._seen, by_machine
        if abs(step) > STEP:
            self._set_at = ticks
            self.steps += 1
            return step
        if not self.confirmed and abs(self.ahead) > STEP and ticks - self._set_at >= HELD:
            self._began = by_machine
        return 0.0

    def compare(self, skew: float | None, servers: int, *, proven: bool) -> bool:
        """Compare with servers' dates; whether our time was moved.

        `skew` is how far a cycle's times are ahead of the dates that so many servers gave, None
        when none did; `proven` says that nobody on the path can have written them.
        """
        if skew is None or (self.confirmed and not proven):
            return False
        ours = skew + self.correction
        if abs(ours) <= RIGHT:
            self.confirmed = self.confirmed or proven
            return False
        ahead = self.ahead
        if abs(ours + ahead) <= RIGHT:
            self._began += ahead
        elif proven and servers >= SEVERAL:
            self._began -= ours
        else:
            return False
        self.confirmed = proven
        return True

    def settle(self) -> None:
        """No cycle is under way: the next ones use our time as it is now."""
        self._cycles_began = self._began


PROCESS_CLOCK = SteadyClock(clocks_of_this_machine())
"""The clock of this process."""


def utc_now() -> datetime:
    """The current moment, UTC, which no step of the machine's clock moves. Modules below the
    programs get their clock as an argument."""
    return PROCESS_CLOCK.now()
