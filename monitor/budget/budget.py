"""How a vantage's bytes of one day are shared out, and what a cycle may do at a moment of the day.

A day has 24 hours of UTC and `limit` bytes, which are never exceeded. There are three allotments,
so that none of the three purposes starves another:

* **looks**: the routine, every platform and every reference once a cycle;
* **speed**: objects fetched to measure throttling;
* **suspicion**: retries and follow-ups where something looks wrong, and whether anything does
  between two turns.

Each fills evenly over the day, with a head start at midnight. So the bytes last until midnight, and
cycles are spread evenly, whatever they cost. The routine's allotment decides what a cycle may do:

    it holds a whole cycle     → test everything in full, if the day's rest then suffices for a
                                 modest cycle at every interval
    it holds a modest one      → test everything, see `Effort.MODEST`
    it holds less              → skip the cycle, but not for long: if the day's rest suffices
                                 without what the others are still to be given, a modest cycle
                                 comes all the same

Suspicion starts the day with a third of its allotment, for a block that begins at midnight, and may
use what speed left over: where platforms are blocked no speed can be measured. Short tests between
two turns use what it has beyond that third. A little is kept back, since the cost of a measurement
is known only afterwards.

Before a measurement beyond the routine, ask `affords` with `Allotment.SUSPICION`. Count or hold
each one before you ask about the next.

Pure: the bytes spent and the time are arguments. Bytes are whole, times are seconds.
"""

import math
from enum import StrEnum

import msgspec

from probes.measurement import Purpose

DAY = 86_400.0
KEPT_BACK = 0.02
"""Share of the day's bytes in no allotment."""
SUSPICION = 0.135
CONTROL_SUSPICION = 0.65
SPEED = 0.26
SPEED_ON_SUSPICION = 0.10
"""Where speed is not measured by the clock; the routine has the rest."""
HEAD_START = 3_600.0
"""Seconds of an allotment's rate that it holds at midnight."""
SUSPICION_HEAD_START = 43_200.0
LONGEST_WAIT = 600.0
"""Longest time between two cycles while the day's bytes suffice, in seconds; or two intervals,
where those are longer."""
MODEST_SHARE = 0.4
"""Share of a whole cycle's bytes that a modest one takes, until the first was made."""


class Allotment(StrEnum):
    """What bytes are for."""

    ROUTINE = "looks"
    SPEED = "speed"
    SUSPICION = "suspicion"


_OTHERS = (Allotment.SPEED, Allotment.SUSPICION)


class Effort(StrEnum):
    """How thorough a cycle is."""

    WHOLE = "whole"
    MODEST = "modest"
    """Over one address family in turn, to few addresses, and without a request where a verified
    handshake proves reach. What looks wrong is tested in full."""
    OUT_OF_TURN = "hurried"
    """In full, but only what is suspicious, between two scheduled cycles."""
    NONE = "none"
    """The cycle is skipped."""


_ALLOTMENTS = {
    Purpose.RETRY: Allotment.SUSPICION,
    Purpose.CONTROL: Allotment.SUSPICION,
    Purpose.FOLLOW_UP: Allotment.SUSPICION,
    Purpose.TRANSFER: Allotment.SPEED,
}


def allotment_of(purpose: Purpose) -> Allotment:
    """What pays for measurements of this purpose."""
    return _ALLOTMENTS.get(purpose, Allotment.ROUTINE)


class Spent(msgspec.Struct, frozen=True):
    """Bytes by purpose."""

    looks: int = 0
    speed: int = 0
    suspicion: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.looks + self.speed + self.suspicion

    def of(self, allotment: Allotment) -> int:
        """Bytes for one purpose."""
        count: int = getattr(self, allotment.value)
        return count

    def plus(self, allotment: Allotment, count: int) -> "Spent":
        """With `count` more for one purpose."""
        return msgspec.structs.replace(self, **{allotment.value: self.of(allotment) + count})

    def and_(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(*(self.of(one) + other.of(one) for one in Allotment))


NOTHING = Spent()


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle's routine takes at present, in bytes; 0: not known yet."""

    whole: int = 0
    modest: int = 0

    def expected(self, effort: Effort) -> int:
        """Of a cycle of that effort, a guess where none was made."""
        modest = self.modest or round(MODEST_SHARE * self.whole)
        return {Effort.WHOLE: self.whole or modest, Effort.MODEST: modest}.get(effort, 0)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A vantage's bytes of one day, and how often it measures."""

    limit: int
    """Bytes."""
    interval: float
    """Seconds between two cycles."""
    by_clock: bool = True
    """Whether speed is measured by the clock."""
    control: bool = False
    """A control measures references, and the rest only where others suspect something."""

    def share(self, allotment: Allotment) -> float:
        """Bytes of an allotment in a whole day."""
        speed = SPEED if self.by_clock and not self.control else SPEED_ON_SUSPICION
        suspicion = CONTROL_SUSPICION if self.control else SUSPICION
        shares = {Allotment.SPEED: speed, Allotment.SUSPICION: suspicion}
        return self.limit * shares.get(allotment, 1 - KEPT_BACK - suspicion - speed)

    def left(self, spent: Spent) -> float:
        """Bytes of the day left for all purposes; negative when more was spent."""
        return self.limit * (1 - KEPT_BACK) - spent.total

    def credit(self, allotment: Allotment, spent: Spent, at: float) -> float:
        """Bytes in an allotment `at` seconds after midnight; negative when it is overdrawn."""
        return self.share(allotment) - self._to_come(allotment, at) - spent.of(allotment)

    def _to_come(self, allotment: Allotment, at: float) -> float:
        """Bytes that an allotment is given from `at` seconds after midnight on."""
        start = SUSPICION_HEAD_START if allotment is Allotment.SUSPICION else HEAD_START
        return self.share(allotment) * (DAY - at) / (DAY + start)

    def affords(self, allotment: Allotment, cost: int, spent: Spent, at: float) -> bool:
        """Whether the day's bytes allow one more measurement of `cost` bytes for that purpose."""
        credit = self.credit(allotment, spent, at)
        if allotment is Allotment.SUSPICION:
            # Also when overdrawn, or speed measured on suspicion would take the same bytes twice.
            credit += self.credit(Allotment.SPEED, spent, at)
        return cost <= min(credit, self.left(spent))

    def spares(self, cost: int, spent: Spent, at: float) -> bool:
        """Whether suspicion has `cost` bytes beyond those that a block at midnight would find."""
        reserve = self.credit(Allotment.SUSPICION, NOTHING, 0.0)
        return cost + reserve <= min(self.credit(Allotment.SUSPICION, spent, at), self.left(spent))

    def effort(self, costs: Costs, spent: Spent, at: float, since: float) -> Effort:
        """What a cycle `at` seconds after midnight may do, the last one `since` seconds ago."""
        # What a verdict needs is tested though suspicion is overdrawn, so the routine waits for it.
        overdrawn = min(0.0, sum(self.credit(one, spent, at) for one in _OTHERS))
        credit = min(self.credit(Allotment.ROUTINE, spent, at) + overdrawn, self.left(spent))
        whole, modest = costs.expected(Effort.WHOLE), costs.expected(Effort.MODEST)
        # One cycle more than there are, or the last one would wait until the allotment is full.
        turns = math.ceil((DAY - at) / self.interval) * modest
        if whole <= credit and whole + turns <= self.share(Allotment.ROUTINE) - spent.looks:
            return Effort.WHOLE
        if modest <= credit:
            return Effort.MODEST
        left = self.left(spent) - self._others_to_come(spent, at)
        if modest > left:
            return Effort.NONE
        evenly = (DAY - at) * modest / left
        # Cycles come a little early or late: one that is due now must not be skipped for that.
        longest = max(LONGEST_WAIT, 2 * self.interval, evenly) - self.interval / 2
        return Effort.MODEST if since >= longest else Effort.NONE

    def _others_to_come(self, spent: Spent, at: float) -> float:
        """Bytes that speed and suspicion take until midnight: what they are still given, and as
        much more as they took beyond it so far, for what a verdict needs is tested all the same.

        A routine that took them by day would have none left at night.
        """
        to_come = sum(self._to_come(one, at) for one in _OTHERS)
        given = sum(map(self.share, _OTHERS)) - to_come
        return to_come * max(1.0, (spent.speed + spent.suspicion) / given)
