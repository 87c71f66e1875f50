"""The time by the collectors' clock, on a machine whose own clock may be years off.

The time that a collector gives is stored next to the time since the machine started
(CLOCK_BOOTTIME), which no change of the wall clock affects and which continues while the machine
sleeps. So a cycle can be dated later than it was made, unless the machine restarted in between.

The agent's own clock is the wall clock without its steps while a cycle is under way: the times of
one cycle are all right, or all wrong by the same amount.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_DRIFT = 1e-4
"""Seconds by which a cheap clock drifts each second."""
_STEP = 0.5
"""Seconds by which the wall clock may differ from ours before ours follows."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The clocks of the machine."""

    boot: str
    """Id of this start of the machine."""
    since_boot: Callable[[], float]
    """Seconds since then."""
    wall: Callable[[], float]
    """POSIX seconds, which may be wrong."""


def this_machine() -> Machine:
    """The machine we run on."""
    return Machine(
        boot=_BOOT_ID.read_text().strip(),
        since_boot=lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        wall=time.time,
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


class AgentClock:
    """Both clocks: the agent's own, and the collectors' once it is known."""

    def __init__(self, machine: Machine, anchor: Anchor | None = None) -> None:
        """`anchor` is from an earlier process; it is used if the machine did not restart since."""
        self.machine = machine
        self._wall, self._since_boot = machine.wall(), machine.since_boot()
        self.anchor = anchor if anchor is not None and anchor.boot == machine.boot else None

    # -- the agent's own -----------------------------------------------------------------------

    def now(self) -> datetime:
        """UTC by the agent's own clock."""
        seconds = self._wall + self.machine.since_boot() - self._since_boot
        return datetime.fromtimestamp(seconds, UTC)

    def follow(self) -> bool:
        """Follow the wall clock if it was set meanwhile; whether it was. Call it between two
        cycles."""
        wall, since_boot = self.machine.wall(), self.machine.since_boot()
        stepped = abs(wall - (self._wall + since_boot - self._since_boot)) > _STEP
        if stepped:
            self._wall, self._since_boot = wall, since_boot
        return stepped

    def since_boot(self, own: datetime) -> float:
        """Seconds from the machine's start to a moment of the agent's own clock."""
        return own.timestamp() - self._wall + self._since_boot

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

    def offset_of(self, boot: str, since_boot: float, own: datetime) -> float | None:
        """Seconds to add to the times of a cycle whose own clock showed `own` so long after that
        boot; None where that cannot be known."""
        if self.anchor is None or boot != self.anchor.boot:
            return None
        return self._by(self.anchor, since_boot) - own.timestamp()

    @staticmethod
    def _by(anchor: Anchor, since_boot: float) -> float:
        return anchor.at + since_boot - anchor.since_boot
