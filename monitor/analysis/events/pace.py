"""How often a vantage reports, learned from its reports.

An agent's file or its bytes may make its interval much longer than the collector's. Until it is
late by its own interval, its silence says nothing.
"""

from datetime import datetime

import msgspec

SILENT = 3
"""Intervals without a report after which a vantage counts as silent."""
LEARNED = 5
"""Pauses that are remembered. Half of them must be long: a few in a row are no longer interval."""
LATE = 1.5
"""Intervals that a pause may last while the interval is kept."""
UNKNOWN = 86400
"""Seconds that stand for the first pause, until there is one."""
SLOWEST = 7 * 86400
"""Seconds of the longest interval that may be configured."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The last pauses of one vantage."""

    pauses: tuple[int, ...] = ()
    """Seconds, oldest first; 0 for what is no longer than the collector's interval."""
    at: datetime | None = None
    """Of the last report; None where an older version stored it."""
    counted_at: datetime | None = None
    """Of the last report before which a pause was noted."""

    @property
    def usual(self) -> int:
        """The lower median of the pauses; 0 where that is the collector's interval."""
        return sorted(self.pauses)[(len(self.pauses) - 1) // 2] if any(self.pauses) else 0

    def interval(self, collectors: float) -> float:
        """Seconds between its reports; `collectors` are those of the collector's interval."""
        return max(collectors, self.usual)

    def reported(self, at: datetime, collectors: float) -> "Pace":
        """The same after one more report."""
        if self.at is None or self.counted_at is None:
            return Pace(pauses=self.pauses, at=at, counted_at=at)
        pause = (at - self.at).total_seconds()
        since = (at - self.counted_at).total_seconds()
        if pause < collectors / 2 and since <= SILENT * collectors:
            # Extra cycles follow each other in seconds. They do not last for long.
            return msgspec.structs.replace(self, at=at)
        seconds = min(round(pause), SLOWEST) if pause > LATE * collectors else 0
        return Pace(pauses=(*self.pauses, seconds)[-LEARNED:], at=at, counted_at=at)
