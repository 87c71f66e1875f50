"""Count a few periods of one country and platform from what is stored.

A period is the sum of what lies in it whole: days, hours where there is no whole day, and single
verdicts where there is no whole hour. Retention deletes verdicts first, then hours, and no day:
where fewer are left of an hour or day than it counts, every period that needs a part of it says so.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, literal, select

from monitor.analysis.verdict import State
from storage.sql import schema
from storage.sql.listing import driver_rows, of_verdicts
from storage.sql.quarantined import counted_state, in_turn
from storage.values.periods import HOUR, Period, Span
from storage.values.rollup import COUNTS, Availability, clock_hours
from storage.values.selection import Selection
from storage.values.times import text_time, time_text

_DAY = timedelta(days=1)

Place = tuple[str, str]
"""Country and platform."""
_Network = tuple[int, str]
"""AS number and name."""
_Left = Counter[tuple[datetime, _Network]]
"""Verdicts left of each day or hour, by its start."""


def of_place(c: Any, selection: Selection, place: Place) -> list[ColumnElement[bool]]:
    """Rows, with these columns, of a country and platform and of the selected network."""
    where: list[ColumnElement[bool]] = [c.country == place[0], c.platform == place[1]]
    if selection.asn is not None:
        where.append(c.asn == selection.asn)
    return where


class _Counted(NamedTuple):
    """A stored day or hour of one network."""

    start: datetime
    network: _Network
    states: Sequence[int]
    hours: int


class _Sum:
    """What is counted of one network in one period."""

    def __init__(self) -> None:
        self.states = [0] * len(COUNTS)
        self.hours = 0
        self.deleted = False

    def add(self, states: Sequence[int], hours: int) -> None:
        self.states = [a + b for a, b in zip(self.states, states, strict=True)]
        self.hours += hours


class PeriodCounter:
    """Counts periods that follow each other, as far as the selection has them."""

    def __init__(
        self, connection: Connection, selection: Selection, place: Place, spans: Sequence[Span]
    ) -> None:
        self._connection = connection
        self._selection = selection
        self._place = place
        self._spans = spans
        self._parts = [_selected(span, selection) for span in spans]
        self._starts = [part.start for part in self._parts]
        self._sums: defaultdict[tuple[int, _Network], _Sum] = defaultdict(_Sum)

    def rows(self) -> list[Availability]:
        """A row for each network in each period, or for each period, in order."""
        everything = Span(self._starts[0], self._parts[-1].end)
        if self._selection.period is Period.HOUR:
            self._count_hours(everything)
        else:
            self._count_days(everything)
        sums = sorted(self._sums.items())
        if self._selection.by_network:
            return [self._row(number, [one], network) for (number, network), one in sums]
        together: defaultdict[int, list[_Sum]] = defaultdict(list)
        for (number, _), one in sums:
            together[number].append(one)
        return [self._row(number, several, (None, "")) for number, several in together.items()]

    def _row(
        self, number: int, several: Sequence[_Sum], network: tuple[int | None, str]
    ) -> Availability:
        span, part = self._spans[number], self._parts[number]
        hourly = self._selection.period is Period.HOUR
        states = [sum(counts) for counts in zip(*(one.states for one in several), strict=True)]
        return Availability(
            country=self._place[0],
            platform=self._place[1],
            starts_at=span.start,
            asn=network[0],
            network=network[1],
            **dict(zip(COUNTS, states, strict=True)),
            # An hour of a zone may lie in two hours of UTC.
            hours=sum(min(one.hours, 1) if hourly else one.hours for one in several),
            networks=len(several),
            period=self._selection.period,
            timezone=self._selection.timezone,
            clock_hours=1 if hourly else clock_hours(*part),
            counted_from=part.start if part.start > span.start else None,
            counted_until=part.end if part.end < span.end else None,
            deleted=any(one.deleted for one in several),
        )

    def _count_days(self, stretch: Span) -> None:
        cut = []
        for day in self._stored(schema.availability_day, stretch, _DAY):
            if (number := self._holding(day.start, _DAY)) is None:
                cut.append(day)
            else:
                self._sums[number, day.network].add(day.states, day.hours)
        left: _Left = Counter()
        for some in _joined({day.start for day in cut}, _DAY):
            left.update(self._count_hours(some))
        self._tell_missing(cut, left, _DAY)

    def _count_hours(self, stretch: Span) -> _Left:
        found: _Left = Counter()
        cut = []
        for hour in self._stored(schema.availability_hour, stretch, HOUR):
            found[hour.start.replace(hour=0), hour.network] += sum(hour.states)
            if (number := self._holding(hour.start, HOUR)) is not None:
                self._sums[number, hour.network].add(hour.states, hour.hours)
            elif next(self._touched(hour.start, HOUR), None) is not None:
                cut.append(hour)
        left: _Left = Counter()
        for some in _joined({hour.start for hour in cut}, HOUR):
            left.update(self._count_verdicts(some))
        self._tell_missing(cut, left, HOUR)
        return found

    def _count_verdicts(self, stretch: Span) -> _Left:
        found: _Left = Counter()
        seen = set()
        for at, network, state in self._verdicts(stretch):
            hour = at.replace(minute=0, second=0, microsecond=0)
            found[hour, network] += 1
            number = bisect_right(self._starts, at) - 1
            if number < 0 or at >= self._parts[number].end:
                continue
            new = (number, hour, network) not in seen
            seen.add((number, hour, network))
            self._sums[number, network].add([int(state is one) for one in COUNTS], int(new))
        return found

    def _tell_missing(self, cut: Iterable[_Counted], left: _Left, length: timedelta) -> None:
        for one in cut:
            if left[one.start, one.network] < sum(one.states):
                for number in self._touched(one.start, length):
                    self._sums[number, one.network].deleted = True

    def _holding(self, start: datetime, length: timedelta) -> int | None:
        """The period that counts all of that time."""
        number = bisect_right(self._starts, start) - 1
        return number if number >= 0 and start + length <= self._parts[number].end else None

    def _touched(self, start: datetime, length: timedelta) -> Iterator[int]:
        """The periods that count a part of that time."""
        number = max(0, bisect_right(self._starts, start) - 1)
        while number < len(self._parts) and self._parts[number].start < start + length:
            if self._parts[number].end > start:
                yield number
            number += 1

    def _stored(self, table: Table, stretch: Span, length: timedelta) -> Iterator[_Counted]:
        """The days or hours of which a part lies in a stretch of time."""
        c = table.c
        hours = c.hours if "hours" in c else literal(1)
        query = select(c.starts_at, c.asn, c.network, hours, *(c[one] for one in COUNTS)).where(
            *of_place(c, self._selection, self._place),
            c.starts_at > time_text(stretch.start - length),
            c.starts_at < time_text(stretch.end),
        )
        for start, asn, network, seen, *states in driver_rows(self._connection, query):
            yield _Counted(text_time(start), (asn, network), states, seen)

    def _verdicts(self, stretch: Span) -> Iterator[tuple[datetime, _Network, State]]:
        """Those that availability counts."""
        p = schema.platform_verdict.c
        state = counted_state(self._connection)
        query: Select[Any] = select(p.judged_at, p.asn, p.network, state).where(
            *of_place(p, self._selection, self._place), *_within(p.judged_at, stretch), *in_turn()
        )
        place = Selection(country=self._place[0], platform=self._place[1])
        query = of_verdicts(query, place, stretch.start, stretch.end)
        for at, asn, network, state in driver_rows(self._connection, query):
            yield text_time(at), (asn, network), State(state)


def _within(time: Column[Any], stretch: Span) -> Sequence[ColumnElement[bool]]:
    return time >= time_text(stretch.start), time < time_text(stretch.end)


def _selected(span: Span, selection: Selection) -> Span:
    """The part of a period that the selection has."""
    start, end = selection.since or span.start, selection.until or span.end
    return Span(max(span.start, start), min(span.end, end))


def _joined(starts: Iterable[datetime], length: timedelta) -> Iterator[Span]:
    """Stretches of that length, those that touch as one."""
    ordered = sorted(starts)
    while ordered:
        count = 1
        while count < len(ordered) and ordered[count] == ordered[count - 1] + length:
            count += 1
        yield Span(ordered[0], ordered[count - 1] + length)
        del ordered[:count]
