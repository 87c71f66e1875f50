"""Refusals in the log: at most one line a minute for each reason and vantage, with a count."""

from collections.abc import Callable

from structlog.stdlib import BoundLogger

from monitor.wire.answers import Reason
from monitor.wire.refusal import Refused

EVERY = 60.0
"""Seconds between two lines about the same: anybody can send requests that are refused."""


class RefusalLog:
    """Its lines hold the vantage, where it is enrolled, and never an address."""

    def __init__(self, log: BoundLogger, clock: Callable[[], float]) -> None:
        """`clock` gives seconds and never goes back."""
        self._log = log
        self._clock = clock
        self._last: dict[tuple[Reason, str], tuple[float, int]] = {}
        """When a line was written, and how many refusals there were since."""

    def refused(self, refused: Refused, vantage: str) -> None:
        """Log a refusal; `vantage` is empty unless the key is enrolled for it."""
        what, now = (refused.reason, vantage), self._clock()
        written_at, more = self._last.get(what, (now - EVERY, 0))
        if now - written_at < EVERY:
            self._last[what] = (written_at, more + 1)
            return
        self._last[what] = (now, 0)
        more_fields = {"vantage": vantage} if vantage else {}
        if more:
            more_fields["earlier"] = str(more)
        self._log.warning(
            "request refused", reason=str(refused.reason), detail=refused.detail, **more_fields
        )
