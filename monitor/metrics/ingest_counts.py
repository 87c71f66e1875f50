"""Counts of batches from agents since the process started, for the metrics."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from monitor.metrics.snapshot import Histogram
from monitor.wire.answers import Reason


class Spool(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's spool, as reported in its last request to this collector."""

    waiting: int
    """Measurements."""
    dropped: int
    """Measurements dropped because the spool was full, ever."""


class IngestCounts:
    """Counters that start at zero with the process; any thread may read them."""

    def __init__(self) -> None:
        self.batches = 0
        """Batches stored and acknowledged, each counted once."""
        self.measurements = 0
        """New measurements in those batches."""
        self.backfilled = 0
        """New measurements that arrived late."""
        self.rejected: dict[Reason, int] = dict.fromkeys(Reason, 0)
        self.cut_off = 0
        """Requests whose sender disconnected before the end of the body."""
        self.seconds = Histogram()
        """Seconds from a batch's headers to its acknowledgement."""
        self.certificate_expires_at: Callable[[], datetime | None] = lambda: None
        """UTC expiry of the certificate that agents see; None without one."""
        self.catalog_ends_at: Callable[[], datetime | None] = lambda: None
        """UTC end of the signing key of the catalogue that agents get; None without one."""
        self._spools: dict[str, Spool] = {}

    @property
    def spools(self) -> Mapping[str, Spool]:
        """By vantage."""
        return dict(self._spools)

    def stored(self, measurements: int, backfilled: int) -> None:
        """Count a new batch that is now on disk."""
        self.batches += 1
        self.measurements += measurements
        self.backfilled += backfilled

    def acknowledged(self, vantage: str, spool: Spool, seconds: float) -> None:
        """Count an acknowledged batch; `seconds` from its headers to the acknowledgement."""
        self._spools[vantage] = spool
        self.seconds = self.seconds.with_added((seconds,))

    def gone(self) -> None:
        """Count a request whose sender disconnected before its end."""
        self.cut_off += 1

    def refused(self, reason: Reason) -> None:
        """Count a refused request."""
        self.rejected[reason] += 1
