"""How fast a vantage measures, and how much: at once, or so spread out that it does not stand out.

A quiet vantage measures everything that a normal one does, but never everything together: each test
has a random moment of its own in the first part of the interval, in every cycle another one, so
that neither order nor spacing is a pattern. The rest of the interval is left for retries.
"""

import math
from collections.abc import Sequence

import msgspec

from probes.catalog.catalog import Endpoint
from probes.vantage import Profile, VantagePoint

FOLLOW_UPS_PER_FUNCTION, FOLLOW_UPS_PER_CYCLE = 2, 16
"""A national block fails everything at once; a few follow-ups tell as much as one for each."""
FOLLOW_UPS_PER_PLATFORM = 2
"""Those of a platform that are made however many others were: without any, silence is never
conclusive, and the last platforms of a national block waited for half an hour."""
_SPREAD, _REFERENCES, _POOL, _PAUSE, _LAST = 0.4, 1 / 30, 0.1, 1 / 30, 0.7
"""Shares of the interval. A test that waits longest, fails, is repeated twice and then makes the
rest of a pool be tried still ends within an interval of five minutes."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """All in seconds; 0 means at once."""

    spread: float = 0.0
    """Over which the first tests of a cycle are spread."""
    references: float = 0.0
    """Over which one round of references is spread."""
    pool: float = 0.0
    """Over which the rest of a pool is spread, once a sampled member failed."""
    retry_pause: float = 0.0
    """Least pause before a retry."""
    last_begun: float = math.inf
    """After which nothing further begins in a cycle."""
    sample: int = 0
    """Most members of a pool that are measured while all is well; 0: as the catalogue says."""

    def sampled(self, sample: int) -> int:
        """How many members of a pool to measure, when the catalogue says `sample` (0: all)."""
        return min(sample, self.sample) if sample and self.sample else sample


def pace_of(vantage: VantagePoint, interval: float) -> Pace:
    """The pace of a vantage whose cycles start `interval` seconds apart."""
    if vantage.profile is not Profile.QUIET:
        return Pace()
    return Pace(
        spread=_SPREAD * interval,
        references=_REFERENCES * interval,
        pool=_POOL * interval,
        retry_pause=_PAUSE * interval,
        last_begun=_LAST * interval,
        sample=1,
    )


def first_and_rest(
    endpoints: Sequence[Endpoint], sample: int
) -> tuple[Sequence[Endpoint], Sequence[Endpoint]]:
    """The endpoints to measure first, and those kept back; a sample of 0 keeps none back."""
    return (endpoints[:sample], endpoints[sample:]) if sample else (endpoints, ())
