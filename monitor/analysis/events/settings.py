"""How events are detected: the `[events]` table of the configuration file."""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from monitor.analysis.events.detector import DetectorSettings

SILENT_INTERVALS = 6
"""Cycles without a last after which nothing is known of a stream, however rare they are."""


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[events]` table: which errors are allowed, and when an event is over."""

    false_suspected: float = 0.02
    """Events wrongly suspected that are allowed, a year of one platform at one vantage."""
    false_confirmed: float = 0.001
    """The same for events wrongly confirmed."""
    false_ends: float = 12.0
    """Blocks wrongly called over that are allowed, a year of standing block."""
    reopen_within: float = 72 * 3600.0
    """Seconds after its end within which a block that comes back is the same event."""
    forget_after: float = 30 * 86400.0
    """Seconds after which an event that nobody can see any more is closed."""
    fast_lane: float = 30.0
    """Seconds from one look at what is suspicious to the next, out of turn; 0: never."""
    agreement: int = 1
    """Vantages that must hold a platform blocked before an event is confirmed."""
    shares: Mapping[str, Mapping[int, float]] = {}
    """Country → AS number → its part of the country's users (0–1)."""
    interval: float = 300.0
    """Seconds between two cycles of one vantage; not in the table, but at the top of the file."""

    @property
    def detector(self) -> DetectorSettings:
        """What the sequential test runs on."""
        return _detector(self.false_suspected, self.false_confirmed, self.false_ends, self.interval)


@lru_cache(maxsize=64)
def _detector(suspected: float, confirmed: float, ends: float, interval: float) -> DetectorSettings:
    """Asked for with every verdict, so made once.

    Faults come by the hour, not by the look: looking more often makes no more of them, and the
    thresholds no higher.
    """
    return DetectorSettings(
        base_interval=max(interval, DetectorSettings().base_interval),
        false_suspected=suspected,
        false_confirmed=confirmed,
        false_ends=ends,
        gap=max(DetectorSettings().gap, SILENT_INTERVALS * interval),
    )
