"""How a vantage's bytes of one day are shared out, and what may be done at a moment of the day.

A day has 24 hours of UTC and `limit` bytes, which are never exceeded. They lie in three purses, so
that none of the three purposes starves another:

* **looks**: the routine, every platform and every reference once a cycle;
* **speed**: objects fetched to measure throttling;
* **suspicion**: repeats and follow-ups where something looks wrong.

Each fills evenly over the day, from a head start on. So the bytes last until midnight, with looks
spread evenly, whatever a cycle costs:

    the purse holds a whole cycle     → look at everything closely, where the day's rest then
                                        suffices for a modest one at every turn
    it holds a modest one             → look at everything, see `Effort.MODEST`
    it holds less                     → wait for the next turn, but not for long: where whatever is
                                        left of the day suffices, a modest cycle comes all the same

Suspicion starts the day with a third of its purse, for a block that begins at midnight, and may
take what speed left over: where platforms are blocked no speed can be measured. A little is kept
out of all purses, since what a look costs is known only afterwards.

Whoever wants a look beyond the routine, and asks for one stream at a time, asks `affords` with
`Allotment.SUSPICION`; the answer holds for as many such looks as are asked about one by one,
each counted or held before the next is asked about.

Pure: what was spent and what time it is come as arguments. Bytes are whole, times are seconds.
"""

import math
from enum import StrEnum

import msgspec

from probes.measurement import Purpose

DAY = 86_400.0
KEPT_BACK = 0.03
"""Share of the day's bytes in no purse."""
SUSPICION = 0.16
CONTROL_SUSPICION = 0.65
SPEED = 0.26
SPEED_ON_SUSPICION = 0.10
"""Where speed is not measured by the clock; the routine has the rest."""
HEAD_START = 3_600.0
"""Seconds of a purse's rate that are in it at midnight."""
SUSPICION_HEAD_START = 43_200.0
LONGEST_WAIT = 600.0
"""Seconds between two cycles that waiting does not exceed while the day's bytes suffice, or two
intervals where those are longer."""
MODEST_SHARE = 0.4
"""What a modest cycle takes of a whole one, as long as none was made."""


class Allotment(StrEnum):
    """What bytes are for."""

    LOOKS = "looks"
    SPEED = "speed"
    SUSPICION = "suspicion"


class Effort(StrEnum):
    """How closely a cycle looks."""

    WHOLE = "whole"
    MODEST = "modest"
    """Over one address family, in turn, to few addresses, and with no request where a verified
    handshake proves reach. What looks wrong is looked at as closely as ever."""
    OUT_OF_TURN = "hurried"
    """In full, but only what is suspicious, between two scheduled cycles."""
    NONE = "none"
    """Not at all: wait for the next turn."""


_PURSES = {
    Purpose.RETRY: Allotment.SUSPICION,
    Purpose.CONTROL: Allotment.SUSPICION,
    Purpose.FOLLOW_UP: Allotment.SUSPICION,
    Purpose.TRANSFER: Allotment.SPEED,
}


def purse_of(look: Purpose) -> Allotment:
    """The purse that a look is paid from."""
    return _PURSES.get(look, Allotment.LOOKS)


class Spent(msgspec.Struct, frozen=True):
    """Bytes by purpose."""

    looks: int = 0
    speed: int = 0
    suspicion: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.looks + self.speed + self.suspicion

    def of(self, purse: Allotment) -> int:
        """Bytes for one purpose."""
        return {
            Allotment.LOOKS: self.looks,
            Allotment.SPEED: self.speed,
            Allotment.SUSPICION: self.suspicion,
        }[purse]

    def plus(self, purse: Allotment, count: int) -> "Spent":
        """With `count` more for one purpose."""
        return msgspec.structs.replace(self, **{purse.value: self.of(purse) + count})

    def and_(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(
            self.looks + other.looks,
            self.speed + other.speed,
            self.suspicion + other.suspicion,
        )


NOTHING = Spent()


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle's routine looks take at present, in bytes; 0: not known yet."""

    whole: int = 0
    modest: int = 0

    def expected(self, effort: Effort) -> int:
        """Of a cycle of that effort, a guess where none was made."""
        modest = self.modest or round(MODEST_SHARE * self.whole)
        return {Effort.WHOLE: self.whole or modest, Effort.MODEST: modest}.get(effort, 0)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A vantage's bytes of one day, and how often it is to look."""

    limit: int
    """Bytes."""
    interval: float
    """Seconds between two turns."""
    by_clock: bool = True
    """Whether speed is measured by the clock."""
    control: bool = False
    """A control looks at references, and at the rest only where others suspect something."""

    def share(self, purse: Allotment) -> float:
        """Bytes of a purse in a whole day."""
        speed = SPEED if self.by_clock and not self.control else SPEED_ON_SUSPICION
        suspicion = CONTROL_SUSPICION if self.control else SUSPICION
        shares = {Allotment.SPEED: speed, Allotment.SUSPICION: suspicion}
        return self.limit * shares.get(purse, 1 - KEPT_BACK - suspicion - speed)

    def left(self, spent: Spent) -> float:
        """Bytes of the day left for all purposes; negative when more was spent."""
        return self.limit * (1 - KEPT_BACK) - spent.total

    def credit(self, purse: Allotment, spent: Spent, at: float) -> float:
        """Bytes in a purse `at` seconds after midnight; negative when it is overdrawn."""
        start = SUSPICION_HEAD_START if purse is Allotment.SUSPICION else HEAD_START
        filled = self.share(purse) * (at + start) / (DAY + start)
        return filled - spent.of(purse)

    def affords(self, purse: Allotment, cost: int, spent: Spent, at: float) -> bool:
        """Whether one more look of `cost` bytes for that purpose is within the day's bytes."""
        credit = self.credit(purse, spent, at)
        if purse is Allotment.SUSPICION:
            # Also when overdrawn, or speed measured on suspicion would take the same bytes twice.
            credit += self.credit(Allotment.SPEED, spent, at)
        return cost <= min(credit, self.left(spent))

    def effort(self, costs: Costs, spent: Spent, at: float, since: float) -> Effort:
        """What a turn `at` seconds after midnight may do, the last cycle `since` seconds ago."""
        credit = min(self.credit(Allotment.LOOKS, spent, at), self.left(spent))
        whole, modest = costs.expected(Effort.WHOLE), costs.expected(Effort.MODEST)
        # One turn more than there are, or the last one would wait for the purse to be full.
        to_come = math.ceil((DAY - at) / self.interval) * modest
        if whole <= credit and whole + to_come <= self.share(Allotment.LOOKS) - spent.looks:
            return Effort.WHOLE
        if modest <= credit:
            return Effort.MODEST
        left = self.left(spent)
        if modest > left:
            return Effort.NONE
        evenly = (DAY - at) * modest / left
        # Turns come a little early or late: one that is due now must not be left out for that.
        longest = max(LONGEST_WAIT, 2 * self.interval, evenly) - self.interval / 2
        return Effort.MODEST if since >= longest else Effort.NONE
