"""How long an agent waits.

It waits before it sends a cycle, so that its uploads do not follow its tests at once. After
failures it waits longer each time, so that a collector that comes back is not overloaded. Full
jitter: every wait up to the limit is equally likely, so that agents that failed together do not
return together.
"""

import random

SHORTEST, LONGEST = 1.0, 900.0
"""Seconds."""
_DOUBLINGS = 10
"""Doublings after which the limit is LONGEST."""
AFTER_A_CYCLE = (0.5, 8.0)
"""Shortest and longest wait before sending, in seconds."""


class Backoff:
    """Counts failures in a row."""

    def __init__(self, rng: random.Random) -> None:
        """`rng` need not be secret."""
        self._rng = rng
        self.failures = 0

    def succeeded(self) -> None:
        """Reset the count."""
        self.failures = 0

    def failed(self) -> float:
        """Count one more; returns seconds to wait."""
        limit = min(LONGEST, SHORTEST * 2.0 ** min(self.failures + 1, _DOUBLINGS))
        self.failures += 1
        return self._rng.uniform(SHORTEST, limit)

    def after_a_cycle(self) -> float:
        """Seconds to wait before a finished cycle is sent."""
        return self._rng.uniform(*AFTER_A_CYCLE)
