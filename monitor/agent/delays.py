"""How long an agent waits: before it hands in, so that its traffic does not follow its looks like a
shadow, and after failures, ever longer, so that collectors that come back are not run over.

Full jitter: any time between nothing much and the limit is as likely, so that many agents that
failed together do not come back together.
"""

import random

SHORTEST, LONGEST = 1.0, 900.0
"""Seconds."""
_DOUBLINGS = 10
"""After which the limit is LONGEST."""
AFTER_A_CYCLE = (0.5, 8.0)
"""Seconds between which the wait before handing in lies."""


class Backoff:
    """Counts failures in a row."""

    def __init__(self, chance: random.Random) -> None:
        """`chance` need not be secret."""
        self._chance = chance
        self.failures = 0

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0

    def failed(self) -> float:
        """One more; seconds to wait."""
        limit = min(LONGEST, SHORTEST * 2.0 ** min(self.failures + 1, _DOUBLINGS))
        self.failures += 1
        return self._chance.uniform(SHORTEST, limit)

    def after_a_cycle(self) -> float:
        """Seconds to wait before what was just seen is handed in."""
        return self._chance.uniform(*AFTER_A_CYCLE)
