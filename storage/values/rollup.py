"""Availability of platforms: counts of verdicts by the hour and by the day, stored as they are, and
by the month, by local time and of parts of these, made of them (`storage.sql.counting_periods`).

The counts are written with the verdicts they count, in the same transaction, and stay when those
are pruned. `availability` is defined here and nowhere else; every file carries DEFINITION.

Only platform verdicts of field vantages in scheduled cycles are counted: with the extra cycles of
the fast lane, an hour of trouble would weigh as much as a day without. Each is counted in the hour
and the day (UTC) in which it was first judged. An undecided verdict counts as insufficient, as does
any of a vantage in quarantine, and what was not measured counts nowhere. Neither is reachable or
unreachable, so `coverage` goes with `availability`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from monitor.analysis.verdict import PlatformVerdict, State
from probes.vantage import VantageRole
from storage.values.fleet import Quarantine
from storage.values.periods import Period as Period
from storage.values.times import time_text

DEFINITION = (
    "(ok + degraded) / (ok + degraded + throttled + blocked + down), of verdicts on the platform "
    "from field vantages in cycles in turn; insufficient, vantages in quarantine and no data count "
    "on neither side"
)
"""Stands in every row of a file."""

UTC = "UTC"
"""The time zone that rows are kept in."""
HOURS = {Period.HOUR: 1, Period.DAY: 24}
"""Clock hours of a period of UTC; months differ."""


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """One platform in one hour, day or month, from one network or from all networks of a country.

    The states count verdicts, one for each vantage and cycle.
    """

    country: str
    platform: str
    starts_at: datetime
    """UTC; start of the period, whatever part of it is counted."""
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
    """Hours with a measurement, summed over the networks."""
    networks: int = 1
    """How many networks measured it."""
    period: Period
    timezone: str = UTC
    """IANA name of the zone whose hour, day or month it is."""
    clock_hours: int = 1
    """Clock hours of UTC that the counted part touches; 1 for an hour, whatever its zone."""
    counted_from: datetime | None = None
    """UTC, inclusive; the selection leaves out what is earlier. None: nothing of the period."""
    counted_until: datetime | None = None
    """UTC, exclusive; as `counted_from`, of what is later."""
    deleted: bool = False
    """Retention deleted some or all of the counts and verdicts that it would be made of."""

    @property
    def partial(self) -> tuple[str, ...]:
        """Why not the whole period is counted; empty when it is."""
        selected = self.counted_from is not None or self.counted_until is not None
        return partial_words(selected=selected, deleted=self.deleted)

    @property
    def local_start(self) -> str:
        """`starts_at` on the clocks of `timezone`, with their distance from UTC."""
        return local_text(self.starts_at, self.timezone)

    @property
    def reachable(self) -> int:
        """Verdicts that people could use it."""
        return self.ok + self.degraded

    @property
    def judged(self) -> int:
        """Decided verdicts."""
        return self.reachable + self.throttled + self.blocked + self.down

    @property
    def availability(self) -> float | None:
        """The share (0–1) that DEFINITION defines; None when no verdict was decided."""
        return self.reachable / self.judged if self.judged else None

    @property
    def coverage(self) -> float:
        """How much of the counted part is known (0–1): the share of decided verdicts, times the
        share of its hours with a measurement."""
        all_ = self.judged + self.insufficient
        return self.judged / all_ * self.hours / (self.clock_hours * self.networks) if all_ else 0.0


def partial_words(*, selected: object, deleted: object) -> tuple[str, ...]:
    """The words of the column `partial`."""
    return (*(("selected",) if selected else ()), *(("deleted",) if deleted else ()))


def local_text(moment: datetime, timezone: str) -> str:
    """A moment as ISO 8601 with the offset of that zone."""
    if timezone == UTC:
        return f"{time_text(moment)[:16]}+00:00"
    return moment.astimezone(ZoneInfo(timezone)).isoformat(timespec="minutes")


def clock_hours(start: datetime, end: datetime) -> int:
    """How many clock hours of UTC a stretch of time touches."""
    from_ = start.replace(minute=0, second=0, microsecond=0)
    return -((from_ - end) // timedelta(hours=1))


COUNTS: tuple[State, ...] = tuple(state for state in State if state is not State.PARTIAL)
"""The states counted, in the order of the columns."""


def counted_as(state: State) -> State:
    """The column that a verdict counts in: what fails for some people works for others."""
    return State.DEGRADED if state is State.PARTIAL else state


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
        """Cells of its row: the key, and 1 in the column of its state."""
        at = self.hour if period is Period.HOUR else self.day
        counts = (int(self.state is state) for state in COUNTS)
        return (self.country, self.platform, at, self.asn, self.network, *counts)


KEY = ("country", "platform", "starts_at", "asn", "network")
"""The key of a row, which is also the order of listings."""


def counted(
    verdicts: Iterable[PlatformVerdict], quarantine: Quarantine | None
) -> Iterator[Counted]:
    """What the verdicts of a scheduled cycle of a vantage add."""
    for verdict in verdicts:
        if verdict.vantage_role == VantageRole.FIELD:
            hour = f"{time_text(verdict.judged_at)[:13]}:00:00.000000Z"
            held = quarantine is not None and quarantine.covers(verdict.started_at)
            yield Counted(
                verdict.country,
                verdict.platform,
                verdict.asn,
                verdict.network,
                hour,
                State.INSUFFICIENT if held else counted_as(verdict.state),
            )
