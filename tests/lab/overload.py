"""A server, or a resolver, with more to do than it can: what becomes of each client is drawn.

The draws come one after the other from one seeded source, so that the same seed gives the same
sequence; which client meets which draw is a matter of who comes first.
"""

import dataclasses
import random


@dataclasses.dataclass(kw_only=True)
class Overload:
    """Shares are 0–1, of all connections or questions; the rest is served as ever."""

    reset: float = 0.0
    """Reset as soon as it is accepted. (For questions: no answer.)"""
    eof: float = 0.0
    """Closed once the client has said something. (For questions: no answer.)"""
    silence: float = 0.0
    """Accepted, and never answered."""
    late: float = 0.0
    """Answered, but not before `least` to `most` seconds."""
    least: float = 0.5
    most: float = 8.0
    closed: float = 0.0
    """Seconds for which nobody is accepted at all, now and then; 0: never."""
    open: float = 8.0
    """Seconds between two such times, on the average."""
    seed: int = 1

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._pauses = random.Random(self.seed + 1)

    def fate(self) -> tuple[str, float]:
        """What becomes of the next client: `reset`, `eof`, `silence` or ``, and how late it is."""
        at = self._random.random()
        late = self._random.uniform(self.least, self.most)
        for what in ("reset", "eof", "silence"):
            share: float = getattr(self, what)
            if at < share:
                return what, 0.0
            at -= share
        return "", late if at < self.late else 0.0

    def pause(self) -> tuple[float, float]:
        """Seconds until nobody is accepted, and for how long; both vary by half."""
        return (
            self.open * self._pauses.uniform(0.5, 1.5),
            self.closed * self._pauses.uniform(0.5, 1.5),
        )
