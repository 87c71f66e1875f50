"""The time by the collectors' clock, on a machine whose own clock may be years off.

The time that a collector gives is stored next to the time since the machine started
(CLOCK_BOOTTIME), which no change of the wall clock affects and which continues while the machine
sleeps. So a cycle can be dated later than it was made, unless the machine restarted in between.

The agent's own clock is steady: the times of one cycle are all right, or all wrong by the same
amount.
"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from storage.values.steady_clock import Clocks, SteadyClock, clocks_of_this_machine

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_DRIFT = 1e-4
"""Seconds by which a cheap clock drifts each second."""


class Machine(Clocks, frozen=True, kw_only=True):
    """The clocks of the machine, and which start of it they belong to."""

    boot: str
    """Id of this start of the machine."""


def this_machine() -> Machine:
    """The machine we run on."""
    clocks = clocks_of_this_machine()
    return Machine(
        boot=_BOOT_ID.read_text().strip(), since_boot=clocks.since_boot, wall=clocks.wall
    )


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The time by a collector's clock at a moment since the machine started."""

    boot: str
    since_boot: float
    """Seconds."""
    at: float
    """POSIX seconds by the collector."""
    within: float
    """Seconds by which that may be wrong: half the duration of the exchange."""


class AgentClock(SteadyClock):
    """Both clocks: the agent's own, which is steady, and the collectors' once it is known."""

    def __init__(self, machine: Machine, anchor: Anchor | None = None) -> None:
        """`anchor` is from an earlier process; it is used if the machine did not restart since."""
        super().__init__(machine)
        self.machine = machine
        self.anchor = anchor if anchor is not None and anchor.boot == machine.boot else None

    # -- the collectors' -----------------------------------------------------------------------

    def heard(self, at: datetime, asked: float, answered: float) -> bool:
        """A collector said it was `at`, between two moments in seconds since boot; whether that is
        more precise than what was known."""
        found = Anchor(
            boot=self.machine.boot,
            since_boot=(asked + answered) / 2,
            at=at.timestamp(),
            within=(answered - asked) / 2,
        )
        before = self.anchor
        if before is not None:
            aged = before.within + _DRIFT * (found.since_boot - before.since_boot)
            # A larger difference than both errors explain means that the collectors' clock was set.
            apart = abs(self._by(before, found.since_boot) - found.at)
            if found.within > aged and apart <= found.within + aged:
                return False
        self.anchor = found
        return True

    def collectors_now(self) -> datetime | None:
        """UTC by the collectors' clock; None while no collector answered since boot."""
        if self.anchor is None:
            return None
        seconds = self._by(self.anchor, self.machine.since_boot())
        return datetime.fromtimestamp(seconds, UTC)

    def best_now(self) -> datetime:
        """By the collectors' clock if that is known, else by the wall clock."""
        return self.collectors_now() or datetime.fromtimestamp(self.machine.wall(), UTC)

    def latest_now(self) -> datetime:
        """The later of the wall clock and the collectors' clock: what has ended by either has
        ended, whichever of the two is set back."""
        wall = datetime.fromtimestamp(self.machine.wall(), UTC)
        return max(wall, self.collectors_now() or wall)

    def offset(self) -> float | None:
        """Seconds to add to the agent's own clock now; None while not known."""
        known = self.collectors_now()
        return None if known is None else known.timestamp() - self.now().timestamp()

    def offset_in_cycles(self) -> float | None:
        """The same for the times of cycles that are under way."""
        known = self.offset()
        return None if known is None else known + self.correction

    def offset_of(self, boot: str, since_boot: float, own: datetime) -> float | None:
        """Seconds to add to the times of a cycle whose own clock showed `own` so long after that
        boot; None where that cannot be known."""
        if self.anchor is None or boot != self.anchor.boot:
            return None
        return self._by(self.anchor, since_boot) - own.timestamp()

    @staticmethod
    def _by(anchor: Anchor, since_boot: float) -> float:
        return anchor.at + since_boot - anchor.since_boot
