"""Other rules, on the verdicts of the same cycles at the base interval.

Each is a state per network; an event is open from the first network's alarm until no network
alarms. They see what ours see: one verdict a cycle, as it came. None of them has a fast lane.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from monitor.analysis.verdict import Evidence, PlatformVerdict, State

HOUR = 3600.0
_ACCUSED = (State.BLOCKED, State.DEGRADED, State.PARTIAL, State.THROTTLED)


class Sample(msgspec.Struct, frozen=True):
    """One cycle of one network, as rules without evidence grades see it."""

    at: float
    """Seconds since the start; when the cycle was judged."""
    value: float | None
    """1 for a failure, 0 for none, None for no measurement."""
    score: float | None
    """How blocked, 0–1, as OONI scores it."""


class Rule(Protocol):
    """One stream under one rule."""

    def take(self, sample: Sample) -> bool:
        """Take in one cycle; whether the stream is in alarm after it."""

    def rest(self, cycles: int, until: float) -> bool:
        """Take in so many cycles without failure, the last at `until`; likewise."""


class InARow:
    """n failures in a row alarm; n cycles without end it."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._failed = self._worked = 0
        self._alarm = False

    def take(self, sample: Sample) -> bool:
        if sample.value is None:
            return self._alarm
        if sample.value:
            self._failed, self._worked = self._failed + 1, 0
        else:
            self._failed, self._worked = 0, self._worked + 1
        if self._failed >= self._count:
            self._alarm = True
        elif self._worked >= self._count:
            self._alarm = False
        return self._alarm

    def rest(self, cycles: int, until: float) -> bool:
        for _ in range(min(cycles, self._count)):
            self.take(Sample(until, 0.0, 0.0))
        return self._alarm


class Ewma:
    """OONI's older rule: a moving average, p = .02; blocked above .10, clear below .05."""

    P, BLOCK, CLEAR = 0.02, 0.10, 0.05

    def __init__(self) -> None:
        self._mean = 0.0
        self._alarm = False

    def take(self, sample: Sample) -> bool:
        if sample.value is not None:
            self._mean += self.P * (sample.value - self._mean)
        return self._now()

    def rest(self, cycles: int, until: float) -> bool:
        del until
        self._mean *= (1.0 - self.P) ** cycles
        return self._now()

    def _now(self) -> bool:
        if self._mean > self.BLOCK:
            self._alarm = True
        elif self._mean < self.CLEAR:
            self._alarm = False
        return self._alarm


class OoniCusum:
    """OONI's present rule, written from its description: a two-sided CUSUM on the hourly median of
    the score, mu0 0, mu1 0.7, h 3.5. An hour without measurements lets both sums decay by a tenth,
    which is our reading of "gaps decay"."""

    HALF, MU1, H, DECAY = 0.35, 0.7, 3.5, 0.9

    def __init__(self) -> None:
        self._hour = -1
        self._scores: list[float] = []
        self._up = self._down = 0.0
        self._alarm = False

    def take(self, sample: Sample) -> bool:
        self._close_until(int(sample.at // HOUR))
        if sample.score is not None:
            self._scores.append(sample.score)
        return self._alarm

    def rest(self, cycles: int, until: float) -> bool:
        """Whole hours of zeros by arithmetic, the rest one by one."""
        step = 300.0
        first = until - step * (cycles - 1)
        number = 0
        while number < cycles:
            at = first + number * step
            hour = int(at // HOUR)
            self._close_until(hour)
            if not self._scores and cycles - number > 24 and at % HOUR < step:
                whole = min(int((until - at) // HOUR), 10_000)
                if whole > 1 and self._up == 0.0 and not self._alarm:
                    self._down = self.H if self._down else 0.0
                    self._hour = hour + whole
                    number += int(whole * HOUR // step)
                    continue
            self._scores.append(0.0)
            number += 1
        return self._alarm

    def _close_until(self, hour: int) -> None:
        if self._hour < 0:
            self._hour = hour
        while self._hour < hour:
            if self._scores:
                self._count(sorted(self._scores)[len(self._scores) // 2])
            else:
                self._up, self._down = self._up * self.DECAY, self._down * self.DECAY
            self._scores = []
            self._hour += 1

    def _count(self, median: float) -> None:
        self._up = max(0.0, self._up + median - self.HALF)
        self._down = max(0.0, self._down + self.HALF - median) if self._alarm else 0.0
        if not self._alarm and self._up >= self.H:
            self._alarm, self._down = True, 0.0
        elif self._alarm and self._down >= self.H:
            self._alarm, self._up = False, 0.0


OURS = "shutwatch"
RULES: Mapping[str, Callable[[], Rule]] = {
    "OONI's CUSUM rule": OoniCusum,
    "OONI's older EWMA rule": Ewma,
    "1 failure": lambda: InARow(1),
    "2 failures in a row": lambda: InARow(2),
    "3 failures in a row": lambda: InARow(3),
}

_SCORES: Mapping[tuple[str, str], float] = {
    ("dns", "bogon"): 0.95,
    ("dns", "hijack"): 0.9,
    ("dns", "injection"): 0.95,
    ("tls", "certificate"): 0.9,
    ("tls", "reset"): 0.8,
}
_OF_METHOD: Mapping[str, float] = {"dns": 0.9, "tcp": 0.75, "tls": 0.7}


def sample_of(verdict: PlatformVerdict, at: float) -> Sample:
    """A verdict as OONI's pipeline would score the same look (its published table), and as 0 or 1.

    Throttling has no verdict there. Weak evidence counts as a failure like any other: neither rule
    has grades.
    """
    if verdict.state is State.OK or verdict.state is State.THROTTLED:
        return Sample(at, 1.0 if verdict.state is State.THROTTLED else 0.0, 0.0)
    if verdict.state in _ACCUSED and verdict.evidence is not Evidence.NONE:
        known = _SCORES.get((verdict.method, verdict.sub_method))
        return Sample(at, 1.0, _OF_METHOD.get(verdict.method, 0.7) if known is None else known)
    if verdict.state is State.DOWN:
        return Sample(at, 0.0, 0.2)
    return Sample(at, None, None)


def seconds(at: datetime, start: datetime) -> float:
    """Seconds since the start."""
    return (at - start).total_seconds()


class Alarm(msgspec.Struct, frozen=True):
    """One event of one rule, in seconds since the start."""

    suspected: float
    confirmed: float
    """Infinite when it never was."""
    over: float
    """Infinite while it lasts."""
    onset: float
    """Latest bound of the onset where the rule gives one, else when it alarmed."""


def merged(alarms: Sequence[Sequence[tuple[float, bool]]]) -> list[Alarm]:
    """Events of a country from the times at which each network's alarm rose and fell."""
    changes = sorted((at, number, up) for number, one in enumerate(alarms) for at, up in one)
    raised: set[int] = set()
    events: list[Alarm] = []
    since = 0.0
    for at, number, up in changes:
        before = bool(raised)
        (raised.add if up else raised.discard)(number)
        if raised and not before:
            since = at
        elif before and not raised:
            events.append(Alarm(since, since, at, since))
    if raised:
        events.append(Alarm(since, since, float("inf"), since))
    return events
