"""What alarms are worth, held against what really was."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.simulation.blocks import Block
from benchmarks.simulation.rivals import Alarm

GRACE = 600.0
"""Seconds after its end within which a block may still be found."""


class Found(msgspec.Struct, frozen=True):
    """What became of one block under one rule; times in seconds after its onset."""

    suspected: float
    """Infinite when never."""
    confirmed: float
    onset_error: float
    """How far the onset is off; infinite when it was not found."""
    events: int
    """Confirmed events that its times were split into."""


class CleanYear(msgspec.Struct, frozen=True):
    """One country × platform year without a block."""

    suspected: Mapping[str, int]
    """By rule: events that were opened."""
    confirmed: Mapping[str, int]
    fast: int
    """Cycles of the fast lane."""
    readings: Mapping[str, int]
    """Base cycles that accused, by evidence."""


class Trial(msgspec.Struct, frozen=True):
    """One block under each rule."""

    kind: str
    found: Mapping[str, Found]


def held_against(block: Block, alarms: Sequence[Alarm]) -> Found:
    """The alarms that overlap a block, as one answer: the first of each kind."""
    start, end = block.times[0]
    last = block.times[-1][1]
    about = [a for a in alarms if a.over > start and a.suspected <= last + GRACE]
    suspected = min((max(a.suspected, start) for a in about), default=math.inf)
    sure = [a for a in about if a.confirmed <= end + GRACE]
    confirmed = min((max(a.confirmed, start) for a in sure), default=math.inf)
    onset = min((abs(a.onset - start) for a in sure), default=math.inf)
    return Found(
        suspected=suspected - start if suspected <= end + GRACE else math.inf,
        confirmed=confirmed - start,
        onset_error=onset,
        events=sum(a.confirmed < math.inf for a in about),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that so many of them do not exceed; infinite ones count."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, math.ceil(share * len(ranked)) - 1)]


def poisson_upper(count: int, share: float = 0.95) -> float:
    """The mean at which seeing at most `count` has a chance of 1 − share only."""
    low, high = 0.0, 10.0 + 3.0 * count
    for _ in range(100):
        mean = (low + high) / 2
        # Each term by its logarithm: exp(−mean) alone is 0 where there are thousands.
        total = sum(
            math.exp(number * math.log(mean) - mean - math.lgamma(number + 1))
            for number in range(count + 1)
        )
        low, high = (mean, high) if total > 1.0 - share else (low, mean)
    return high


def shown(seconds: float) -> str:
    """Seconds for a table."""
    if math.isinf(seconds):
        return "never"
    if seconds < 5400.0:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
