"""How a link treats frames it lets pass: loss, delay, and a byte budget. Values only, no clock."""

import math

from tests.lab.rules import Rule

LOST = math.inf
"""The departure of a frame that never leaves."""

QUEUE = 64 * 1024
"""Bytes a paced queue holds before it drops, as a shaper's buffer does."""


class Pacer:
    """A shaper: frames leave at `rate` bytes per second, and are dropped when too many wait."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._free = 0.0

    def departure(self, now: float, size: int) -> float:
        """When a frame of `size` bytes leaves, or LOST."""
        start = max(now, self._free)
        if (start - now) * self._rule.rate > QUEUE:
            return LOST
        self._rule.hits += 1
        self._free = start + size / self._rule.rate
        return self._free


BURST = 16 * 1024
"""Bytes that pass a policer at once after a pause."""


class Policer:
    """One direction of a policer: frames above `rate` are dropped, and none is ever delayed."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._tokens = float(BURST)
        self._last = 0.0

    def departure(self, now: float, size: int) -> float:
        """At once, or LOST."""
        self._tokens = min(BURST, self._tokens + (now - self._last) * self._rule.rate)
        self._last = now
        if size > self._tokens:
            self._rule.hits += 1
            return LOST
        self._tokens -= size
        return now


class Impairment:
    """Random loss and delay of one link. Order is kept within a direction, but for frames that
    waited in a shaper's queue: those behind them do not."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._last = [0.0, 0.0]

    def loses(self) -> bool:
        """Throw the dice for one frame."""
        rule = self._rule
        if rule.loss and rule.random.random() < rule.loss:
            rule.hits += 1
            return True
        return False

    def departure(self, now: float, side: int, *, queued: bool) -> float:
        """When a frame towards `side` leaves, if it is not lost; `queued`: a shaper held it back
        until `now`."""
        rule = self._rule
        wander = rule.random.uniform(-rule.jitter, rule.jitter) if rule.jitter else 0.0
        when = now + max(0.0, rule.delay + wander)
        if queued:
            return when
        self._last[side] = max(self._last[side], when)
        return self._last[side]
