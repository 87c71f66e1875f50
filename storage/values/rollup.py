"""How much of the time a platform could be reached: counts of verdicts by hour and by day.

They are written with the verdicts they count, in the same transaction, and stay when those are
pruned. What `availability` means is said here and nowhere else; every file carries DEFINITION.

Counted are the verdicts on a platform from field vantages, in cycles in turn: what the fast lane
looked at out of turn would make an hour of trouble weigh as much as a day without. Each is counted
in the hour and the day (UTC) it was judged in, as it was first judged. What cannot be told is
counted, as insufficient, and what was not looked at leaves no trace: neither is reachable, and
neither is unreachable, so `coverage` stands beside `availability`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from monitor.analysis.verdict import PlatformVerdict, State
from probes.vantage import VantageRole
from storage.values.times import time_text

DEFINITION = (
    "(ok + degraded) / (ok + degraded + throttled + blocked + down), of verdicts on the platform "
    "from field vantages in cycles in turn; insufficient and no data count on neither side"
)
"""What `availability` is."""

HOURS = 24


class Period(StrEnum):
    """How long one row speaks of."""

    HOUR = "hour"
    DAY = "day"


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of one platform in one hour or day, from one network or from all of a country.

    All but `hours` and `networks` count verdicts, one for each vantage and cycle.
    """

    country: str
    platform: str
    starts_at: datetime
    """UTC; when the hour or day began."""
    asn: int | None
    """None: all networks of the country."""
    network: str
    ok: int = 0
    degraded: int = 0
    throttled: int = 0
    blocked: int = 0
    down: int = 0
    insufficient: int = 0
    hours: int = 1
    """Hours in which it was looked at, summed over the networks."""
    networks: int = 1
    """How many networks it was looked at from."""
    period: Period

    @property
    def reachable(self) -> int:
        """Verdicts by which people could use it."""
        return self.ok + self.degraded

    @property
    def judged(self) -> int:
        """Verdicts that could tell."""
        return self.reachable + self.throttled + self.blocked + self.down

    @property
    def availability(self) -> float | None:
        """The share (0–1) that DEFINITION defines; None when nothing could be told."""
        return self.reachable / self.judged if self.judged else None

    @property
    def coverage(self) -> float:
        """How much of the period is known (0–1): the share of verdicts that could tell; of a day,
        times the share of its hours in which it was looked at."""
        looked = self.judged + self.insufficient
        told = self.judged / looked if looked else 0.0
        if self.period is Period.HOUR:
            return told
        return told * self.hours / (HOURS * self.networks)


COUNTS = tuple(State)
"""What is counted, in the order of the columns."""


class Counted(NamedTuple):
    """One verdict's place in the counts."""

    country: str
    platform: str
    asn: int
    network: str
    hour: str
    """As `time_text` gives it."""
    state: State

    @property
    def day(self) -> str:
        """The day of the hour."""
        return f"{self.hour[:10]}T00:00:00.000000Z"

    def row(self, period: Period) -> tuple[str | int, ...]:
        """Cells of its row: the key, and a one where it counts."""
        at = self.hour if period is Period.HOUR else self.day
        counts = (int(self.state is state) for state in COUNTS)
        return (self.country, self.platform, at, self.asn, self.network, *counts)


KEY = ("country", "platform", "starts_at", "asn", "network")
"""The key of a row, in which order they are listed too."""


def counted(verdicts: Iterable[PlatformVerdict]) -> Iterator[Counted]:
    """What the verdicts of a cycle in turn add."""
    for verdict in verdicts:
        if verdict.vantage_role == VantageRole.FIELD:
            hour = f"{time_text(verdict.judged_at)[:13]}:00:00.000000Z"
            yield Counted(
                verdict.country,
                verdict.platform,
                verdict.asn,
                verdict.network,
                hour,
                verdict.state,
            )
