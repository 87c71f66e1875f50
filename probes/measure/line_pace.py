"""How long a line's healthy handshakes take now, and how long a silent one is worth waiting for.

A first test waits as long as the settings say. What stayed silent for that long is tested again
only to rule out that packets were lost: on a line whose connections are made in 80 ms, ten more
seconds show nothing that three and a half do not. So a *brisk* test waits until the third packet of
a connection would have been answered, as slowly as this line answered lately. The kernel sends
these after 0, 1 and 3 seconds (RFC 6298), and a timeout counts as three lost in a row
(`monitor.analysis.vantage.loss`).

A line that is slow, loses packets, or showed little so far gets the whole time always. Only tests
that worked count, so that no block changes how long is waited.
"""

from collections import deque
from collections.abc import Callable

RECENT = 40
"""Handshakes that are remembered."""
FEWEST = 12
"""With fewer, nothing is known of the line."""
FRESH = 900.0
"""Seconds after which one says nothing of now."""
SLOW = 0.5
"""Seconds; a line on which one of ten handshakes takes longer is slow, or loses packets: a first
packet is sent again after one second."""
THIRD_PACKET = 3.0
"""Seconds after which the kernel sends the third packet of a connection."""
TIMES = 5.0
"""Times as long as on all but the slowest, answers may take."""
FLOOR = 3.5
"""Seconds that every test waits at least."""


class LinePace:
    """The latest handshakes of one vantage."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` gives seconds that no clock change moves."""
        self._now = now
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT)

    def worked(self, seconds: float) -> None:
        """A connection or a TLS handshake was made in so many seconds."""
        self._recent.append((self._now(), seconds))

    def patience(self, most: float) -> float:
        """Seconds for a brisk test; `most` are those of the settings."""
        since = self._now() - FRESH
        known = sorted(seconds for at, seconds in self._recent if at >= since)
        if len(known) < FEWEST:
            return most
        slowest = known[len(known) * 9 // 10]
        if slowest > SLOW:
            return most
        return min(most, max(FLOOR, THIRD_PACKET + TIMES * slowest))
