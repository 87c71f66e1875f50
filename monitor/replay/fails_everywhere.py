"""Where a platform fails in most countries since the same time, no country is accused.

A platform that is down, or a test that broke, begins to fail everywhere at once: in October 2022
and in November 2023 OONI's test of Signal did, when Signal changed its certificates. So rows of
other countries are asked about both times, before a moment and after it: what is found to have
begun everywhere takes back what was said before that was known.

    rows of a country ── share that fails around each of them ──▶ Stretch, Stretch, …
    stretches that began together, in most countries measured ──▶ Fault: rows show nothing

A fault lasts until it is over in half of its countries, and half as long again at most, since a
mended test reaches people late. A country that failed long before, or from its first row on, says
nothing of a common onset: several countries may have blocked a platform for years.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

import msgspec

from monitor.replay.imported_row import Row

_WINDOWS = tuple(timedelta(hours=hours) for hours in (1, 3, 8, 24, 72, 168))
"""Times before and after a moment; the first with enough rows tells how the platform does."""
_ENOUGH = 4
"""Rows that tell how a country does."""
_DOUBT = 2.0
"""Rows that are added as passed: one failure among few is nobody's."""
_FAILS = 0.25
"""Share of rows from which a country fails: every network of it need not."""
_TOGETHER = timedelta(hours=12)
"""Onsets this far apart are one: rows come when people measure."""

_PAUSE, _LONGEST_PAUSE = 2.0, timedelta(days=14)
"""Lengths of a stretch, and at most this long, for which it may be passed without being over: a few
good rows are those of people with another version, or on another way."""
_TAIL, _LONGEST_TAIL = 0.5, timedelta(days=14)
"""Lengths of a fault, and at most this long, for which it is held to linger."""

Subject = tuple[str, str]
"""Platform and part."""


class Stretch(msgspec.Struct, frozen=True):
    """A time in which the platform fails in a country."""

    good_before: datetime | None
    """UTC; the last row before at which it did not; None when it failed from the first row on."""
    begun: datetime
    last: datetime
    failed: float = 0.0
    """Rows that failed in it."""


class Fault(msgspec.Struct, frozen=True):
    """A time in which the platform, or its test, fails in most countries."""

    begun: datetime
    until: datetime


class _Course(msgspec.Struct, frozen=True):
    """The rows of one country and subject, by time."""

    times: list[datetime]
    total: list[float]
    """Rows up to each time, itself included."""
    failed: list[float]

    def share(self, at: datetime) -> float | None:
        """Share of rows that fail around `at`; None where too few were measured."""
        for window in _WINDOWS:
            first = bisect_left(self.times, at - window)
            after = bisect_right(self.times, at + window)
            total = self._sum(self.total, first, after)
            if total >= _ENOUGH:
                return self._sum(self.failed, first, after) / (total + _DOUBT)
        return None

    def failures(self, since: datetime, until: datetime) -> float:
        """Rows that failed in this time, its ends included."""
        first, after = bisect_left(self.times, since), bisect_right(self.times, until)
        return self._sum(self.failed, first, after)

    def passed(self, since: datetime, until: datetime) -> bool:
        """Whether it was measured enough in this time, and mostly passed."""
        first, after = bisect_left(self.times, since), bisect_right(self.times, until)
        total = self._sum(self.total, first, after)
        return total >= _ENOUGH and self._sum(self.failed, first, after) < _FAILS * total

    @staticmethod
    def _sum(sums: list[float], first: int, after: int) -> float:
        return (sums[after - 1] if after else 0.0) - (sums[first - 1] if first else 0.0)


class FailsEverywhere:
    """How every platform does in every country of the data."""

    def __init__(self, rows: Iterable[Row]) -> None:
        by_place: dict[Subject, dict[str, list[Row]]] = {}
        for row in rows:
            countries = by_place.setdefault((row.platform, row.part), {})
            countries.setdefault(row.country, []).append(row)
        self._courses = {
            subject: {country: _course(found) for country, found in countries.items()}
            for subject, countries in by_place.items()
        }
        self._faults = {subject: _faults(courses) for subject, courses in self._courses.items()}

    def silent(self, subject: Subject, at: datetime) -> bool:
        """Whether rows of `at` (UTC) show nothing, since most countries fail."""
        return any(fault.begun <= at <= fault.until for fault in self._faults.get(subject, ()))

    def works_elsewhere(self, country: str, subject: Subject, at: datetime) -> bool:
        """Whether the platform's test was passed in another country about `at` (UTC)."""
        others = (other for other in self._courses.get(subject, {}) if other != country)
        return any(self._works(other, subject, at) for other in others)

    def _works(self, country: str, subject: Subject, at: datetime) -> bool:
        share = self._courses[subject][country].share(at)
        return share is not None and share < _FAILS


def _faults(courses: Mapping[str, _Course]) -> tuple[Fault, ...]:
    stretches = {
        country: [one for one in _stretches(course) if one.failed >= _ENOUGH]
        for country, course in courses.items()
    }
    found: dict[Fault, None] = {}
    for country, several in stretches.items():
        for own in several:
            together = [
                next((one for one in others if _began_together(own, one)), None)
                for other, others in stretches.items()
                if other != country
            ]
            group = [one for one in together if one is not None]
            working = sum(
                courses[other].passed(own.begun, own.last)
                for other, one in zip(
                    (other for other in stretches if other != country), together, strict=True
                )
                if one is None
            )
            if group and len(group) >= working:
                found[_fault([own, *group])] = None
    return tuple(found)


def _fault(group: Sequence[Stretch]) -> Fault:
    begun = min(one.begun for one in group)
    over = sorted(one.last for one in group)[(len(group) - 1) // 2]
    return Fault(begun, over + min(_TAIL * (over - begun), _LONGEST_TAIL))


def _began_together(one: Stretch, other: Stretch) -> bool:
    if one.good_before is None or other.good_before is None:
        return False
    return one.good_before - _TOGETHER <= other.begun and other.good_before - _TOGETHER <= one.begun


def _course(rows: list[Row]) -> _Course:
    ordered = sorted(rows, key=lambda row: row.at)
    return _Course(
        [row.at + (row.until - row.at) / 2 for row in ordered],
        list(accumulate(float(row.total) for row in ordered)),
        list(accumulate(row.failed for row in ordered)),
    )


def _stretches(course: _Course) -> list[Stretch]:
    found: list[Stretch] = []
    good: datetime | None = None
    for at in dict.fromkeys(course.times):
        share = course.share(at)
        if share is None:
            continue
        if share < _FAILS:
            good = at
            continue
        before = found[-1] if found else None
        if before is not None and (good is None or good < before.last or _goes_on(before, at)):
            found[-1] = Stretch(before.good_before, before.begun, at)
        else:
            found.append(Stretch(good, at, at))
    return [
        msgspec.structs.replace(one, failed=course.failures(one.begun, one.last)) for one in found
    ]


def _goes_on(stretch: Stretch, at: datetime) -> bool:
    pause = _PAUSE * (stretch.last - stretch.begun)
    return at - stretch.last <= min(pause, _LONGEST_PAUSE)
