"""What agents handed in since the process began, for the metrics."""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from monitor.metrics.snapshot import Histogram
from monitor.wire.answers import Reason


class Spool(msgspec.Struct, frozen=True, kw_only=True):
    """How an agent's spool was, by its own word, when this collector last heard from it."""

    waiting: int
    """Measurements."""
    dropped: int
    """Measurements it ever gave up because the spool was full."""


class IngestCounts:
    """Counters that begin at zero. One for the life of a process; whoever reads them may do so in
    another thread."""

    def __init__(self) -> None:
        self.batches = 0
        """Stored and acknowledged, none of them counted twice."""
        self.measurements = 0
        """New ones among those."""
        self.backfilled = 0
        """Those of them that came late."""
        self.rejected: dict[Reason, int] = dict.fromkeys(Reason, 0)
        self.cut_off = 0
        """Requests whose sender was gone before all of it had come."""
        self.seconds = Histogram()
        """From a batch's headers to its acknowledgement."""
        self.certificate_expires_at: Callable[[], datetime | None] = lambda: None
        """UTC; when the certificate that agents see ends, None without one."""
        self._spools: dict[str, Spool] = {}

    @property
    def spools(self) -> Mapping[str, Spool]:
        """By vantage."""
        return dict(self._spools)

    def stored(self, measurements: int, backfilled: int) -> None:
        """A batch is on disk that was not before."""
        self.batches += 1
        self.measurements += measurements
        self.backfilled += backfilled

    def acknowledged(self, vantage: str, spool: Spool, seconds: float) -> None:
        """The agent may forget a batch."""
        self._spools[vantage] = spool
        self.seconds = self.seconds.with_added((seconds,))

    def gone(self) -> None:
        """A request ended in the middle, and nobody waits for its answer."""
        self.cut_off += 1

    def refused(self, reason: Reason) -> None:
        """A request was turned down."""
        self.rejected[reason] += 1
