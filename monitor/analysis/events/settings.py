"""How events are detected: the `[events]` table of the configuration file."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from monitor.analysis.events.sequential_test import DetectorSettings
from monitor.analysis.trust import KeyPeriod, Trust

SILENT_INTERVALS = 6
"""Cycles without a decided verdict after which nothing is known of a stream, however long they are.
"""


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[events]` table: which errors are allowed, and when an event is over."""

    false_suspected: float = 0.02
    """Wrongly suspected events allowed in a year of one platform at one vantage."""
    false_confirmed: float = 0.001
    """The same for wrongly confirmed events."""
    false_ends: float = 12.0
    """Blocks wrongly declared over that are allowed in a year of continuous block."""
    reopen_within: float = 72 * 3600.0
    """Seconds after its end within which a block that comes back is the same event."""
    forget_after: float = 30 * 86400.0
    """Seconds after which an event that no vantage observes any more is closed."""
    fast_lane: float = 30.0
    """Seconds between extra measurements of what is suspicious; 0: none."""
    agreement: int = 1
    """Vantages that must find a platform blocked before an event is confirmed. Of agents, those of
    one host or one network count as one, and new keys as a part of one."""
    shares: Mapping[str, Mapping[int, float]] = {}
    """Country → AS number → its part of the country's users (0–1)."""
    probation: float = 7 * 86400.0
    """Seconds for which an agent's new key must have agreed with others before it weighs in full;
    0: a new key weighs in full at once."""
    interval: float = 300.0
    """Seconds between two cycles of one vantage; not in the table, but at the top of the file."""
    decided: bool = False
    """Verdicts are decisions made before, as of imported data; not in the file."""
    agents: Mapping[str, tuple[KeyPeriod, ...]] = {}
    """Vantage → its keys, oldest first, as a collector's database has them; not in the file."""

    @property
    def trust(self) -> Trust:
        """What stands behind the word of each vantage."""
        return Trust(agents=self.agents, agreement=self.agreement)

    @property
    def detector(self) -> DetectorSettings:
        return _detector(
            self.false_suspected,
            self.false_confirmed,
            self.false_ends,
            self.interval,
            self.forget_after,
            decided=self.decided,
        )


@lru_cache(maxsize=64)
def _detector(
    suspected: float,
    confirmed: float,
    ends: float,
    interval: float,
    forget_after: float,
    *,
    decided: bool,
) -> DetectorSettings:
    """Cached, since every verdict needs it.

    Faults come by the hour, not by the measurement: a shorter interval makes no more of them, and
    does not raise the thresholds.
    """
    return DetectorSettings(
        base_interval=max(interval, DetectorSettings().base_interval),
        false_suspected=suspected,
        false_confirmed=confirmed,
        false_ends=ends,
        gap=max(DetectorSettings().gap, SILENT_INTERVALS * interval),
        forget_after=forget_after,
        decided=decided,
    )
