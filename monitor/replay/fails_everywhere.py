"""Where a platform fails in most countries since the same time, no country is accused.

A platform that is down, or a test that broke, begins to fail everywhere at once: in October 2022
and in November 2023 OONI's test of Signal did, when Signal changed its certificates. So rows of
other countries are asked about both times, before a moment and after it: what is found to have
begun everywhere takes back what was said before that was known.

    rows of a country ── share that fails around each of them ──▶ Stretch, Stretch, …
    stretches that began together, in most countries measured ──▶ Fault: rows show nothing

A country that failed long before, or from its first row on, says nothing of a common onset: several
countries may have blocked a platform for years.

What is seen elsewhere at the same time decides what a row shows (docs/adr/0058):

* A version of the test that failed in the fault shows nothing until it passes again, elsewhere or
  here. A version that passes in other countries of the fault counts as usual.
* A row without a version, or with one that is seldom measured, shows nothing until the fault is
  over in half of its countries. The exception is a time in which its network was found open.
* After that, such a row shows nothing for half as long again at most, since a mended test reaches
  people late. Where a network was found open during the fault, people there had a test that works,
  so this excuse ends there.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from itertools import accumulate
from typing import TypeVar

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
"""Lengths of a fault, and at most this long, for which it may linger on a network that fails on."""

_SEVERAL = ""
"""Countries of which each has too few rows, as one voice."""
_NEAR = timedelta(hours=72)
"""Rows this far apart are of the same time."""
_OPEN_ROWS, _OPEN_SHARE, _OPEN_FOR = 12, 0.05, timedelta(hours=48)
"""Rows within `_NEAR`, spread over this long at least, of which no larger share fails: a platform
that is open, measured with a test that works. A few rows that pass may be one person's."""
_MOST, _HARDLY_ANY = 0.5, 0.2
"""Shares of a version's rows that fail: those of a broken one, and those of a sound one."""

Subject = tuple[str, str]
"""Platform and part."""
_Key = TypeVar("_Key", bound=Hashable)


class Stretch(msgspec.Struct, frozen=True):
    """A time in which the platform fails in a country."""

    good_before: datetime | None
    """UTC; the last row before at which it did not; None when it failed from the first row on."""
    begun: datetime
    begun_by: datetime
    """UTC; the last moment at which it may have begun: few rows tell only that there are failures
    around one."""
    last: datetime
    failed: float = 0.0
    """Rows that failed in it."""


class Fault(msgspec.Struct, frozen=True):
    """A time in which the platform, or its test, fails in most countries. Times are UTC."""

    begun: datetime
    everywhere: datetime
    """When the last of its countries had begun to fail."""
    over: datetime
    """When it was over in half of them."""
    until: datetime
    """Until when a mended test may be late."""
    countries: frozenset[str]


class _Version(Enum):
    """What is known of a version of a test, by its rows elsewhere."""

    BROKEN = "broken"
    SOUND = "sound"
    UNKNOWN = "unknown"


class _Course(msgspec.Struct, frozen=True, eq=False):
    """The rows of one country and subject, by time."""

    times: list[datetime]
    total: list[float]
    """Rows up to each time, itself included."""
    failed: list[float]

    def around(self, at: datetime) -> tuple[float, timedelta] | None:
        """Share of rows that fail around `at`, and how far around; None where too few were
        measured."""
        for window in _WINDOWS:
            first = bisect_left(self.times, at - window)
            after = bisect_right(self.times, at + window)
            total = self._sum(self.total, first, after)
            if total >= _ENOUGH:
                return self._sum(self.failed, first, after) / (total + _DOUBT), window
        return None

    def sums(self, since: datetime, until: datetime) -> tuple[float, float]:
        """Rows that failed in this time, its ends included, and all rows."""
        first, after = bisect_left(self.times, since), bisect_right(self.times, until)
        return self._sum(self.failed, first, after), self._sum(self.total, first, after)

    def failures(self, since: datetime, until: datetime) -> float:
        """Rows that failed in this time, its ends included."""
        return self.sums(since, until)[0]

    def share_within(self, since: datetime, until: datetime) -> float | None:
        """Share of rows that fail in this time, its ends included; None where they are too few."""
        failed, total = self.sums(since, until)
        return failed / total if total >= _ENOUGH else None

    def passed(self, since: datetime, until: datetime) -> bool:
        """Whether it was measured enough in this time, and mostly passed."""
        share = self.share_within(since, until)
        return share is not None and share < _FAILS

    def open_times(self, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
        """The times in which it was found open, by rows after `since` and up to `until`."""
        found: list[tuple[datetime, datetime]] = []
        earliest = bisect_right(self.times, since)
        for after in range(earliest + 1, bisect_right(self.times, until) + 1):
            now = self.times[after - 1]
            first = max(earliest, bisect_left(self.times, now - _NEAR))
            total = self._sum(self.total, first, after)
            failed = self._sum(self.failed, first, after)
            if (
                now - self.times[first] < _OPEN_FOR
                or total < _OPEN_ROWS
                or failed > _OPEN_SHARE * total
            ):
                continue
            if found and self.times[first] <= found[-1][1]:
                found[-1] = (found[-1][0], now)
            else:
                found.append((self.times[first], now))
        return found

    @staticmethod
    def _sum(sums: list[float], first: int, after: int) -> float:
        return (sums[after - 1] if after else 0.0) - (sums[first - 1] if first else 0.0)


class FailsEverywhere:
    """How every platform does in every country of the data."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._courses = {
            subject: _courses(found, lambda row: row.country)
            for subject, found in _grouped(rows, _subject).items()
        }
        faults = {subject: _faults(courses) for subject, courses in self._courses.items()}
        self._faults = {subject: found for subject, found in faults.items() if found}
        faulty = _grouped((row for row in rows if _subject(row) in self._faults), _subject)
        self._networks = {
            subject: _courses(found, lambda row: (row.country, row.asn))
            for subject, found in faulty.items()
        }
        self._versions = {
            subject: {
                version: _courses(of_version, lambda row: row.country)
                for version, of_version in _grouped(found, lambda row: row.version).items()
                if version
            }
            for subject, found in faulty.items()
        }
        self._open: dict[tuple[Fault, _Course], list[tuple[datetime, datetime]]] = {}

    def silent(self, row: Row) -> bool:
        """Whether a row shows nothing, since what is seen elsewhere explains a failure."""
        faults = self._faults.get(_subject(row), ())
        return any(self._explains(fault, row) for fault in faults)

    def _explains(self, fault: Fault, row: Row) -> bool:
        at = _middle(row)
        if at < fault.begun:
            return False
        version = self._version(fault, row)
        if version is not _Version.UNKNOWN:
            return version is _Version.BROKEN
        if at > fault.until:
            return False
        found = self._open_times(fault, self._networks[_subject(row)][row.country, row.asn])
        if any(begins <= at <= ends for begins, ends in found):
            return False
        return at <= fault.over or not _opened(found, at)

    def _version(self, fault: Fault, row: Row) -> _Version:
        """What a row's version does elsewhere since a fault began."""
        courses = self._versions[_subject(row)].get(row.version)
        if courses is None:
            return _Version.UNKNOWN
        at = _middle(row)
        others = {country: one for country, one in courses.items() if country != row.country}
        if at > fault.over:
            now = _vote(others.values(), max(fault.over, at - _NEAR), at + _NEAR)
            if now is not _Version.UNKNOWN:
                return now
        if _vote(others.values(), fault.begun, fault.over) is _Version.BROKEN:
            passed = _opened(self._open_times(fault, courses[row.country]), at)
            return _Version.UNKNOWN if passed else _Version.BROKEN
        # Where the fault never was, any version passes.
        there = [one for country, one in others.items() if country in fault.countries]
        sound = _vote(there, fault.begun, fault.over) is _Version.SOUND
        return _Version.SOUND if sound else _Version.UNKNOWN

    def _open_times(self, fault: Fault, course: _Course) -> list[tuple[datetime, datetime]]:
        key = (fault, course)
        if key not in self._open:
            # Rows that pass once it is over say nothing of those before.
            during = course.open_times(fault.everywhere, fault.over)
            self._open[key] = during + course.open_times(fault.over, course.times[-1])
        return self._open[key]

    def meanwhile(
        self, country: str, since: datetime, until: datetime
    ) -> Iterator[tuple[Subject, float, float]]:
        """What was measured in a country in this time: subjects, rows that failed, and all rows."""
        for subject, courses in self._courses.items():
            if country in courses:
                failed, total = courses[country].sums(since, until)
                if total:
                    yield subject, failed, total

    def usual_elsewhere(self, row: Row, since: datetime, until: datetime) -> float:
        """The share of rows that failed in half of the other countries in this time, or fewer; 0
        where none was measured."""
        shares = sorted(
            share
            for country, course in self._courses.get(_subject(row), {}).items()
            if country != row.country and (share := course.share_within(since, until)) is not None
        )
        return shares[(len(shares) - 1) // 2] if shares else 0.0

    def works_elsewhere(self, row: Row) -> bool:
        """Whether the platform's test, or this version of it, was passed in another country about
        the time of a row."""
        subject = _subject(row)
        everybody = self._courses.get(subject, {})
        same_version = self._versions.get(subject, {}).get(row.version, {})
        return any(
            country != row.country and _works(course, row.at)
            for courses in (everybody, same_version)
            for country, course in courses.items()
        )


def _opened(found: Sequence[tuple[datetime, datetime]], at: datetime) -> bool:
    """Whether one of these times in which it was found open was over before."""
    return bool(found) and found[0][1] <= at


def _works(course: _Course, at: datetime) -> bool:
    found = course.around(at)
    return found is not None and found[0] < _FAILS


def _vote(courses: Iterable[_Course], since: datetime, until: datetime) -> _Version:
    """What most countries show of a version in this time, each with one voice."""
    shares = [share for one in courses if (share := one.share_within(since, until)) is not None]
    broken = sum(share >= _MOST for share in shares)
    sound = sum(share <= _HARDLY_ANY for share in shares)
    if broken == sound:
        return _Version.UNKNOWN
    return _Version.BROKEN if broken > sound else _Version.SOUND


def _subject(row: Row) -> Subject:
    return row.platform, row.part


def _middle(row: Row) -> datetime:
    return row.at + (row.until - row.at) / 2


def _grouped(rows: Iterable[Row], key: Callable[[Row], _Key]) -> dict[_Key, list[Row]]:
    found: dict[_Key, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _courses(rows: Iterable[Row], key: Callable[[Row], _Key]) -> dict[_Key, _Course]:
    return {place: _course(found) for place, found in _grouped(rows, key).items()}


def _faults(courses: Mapping[str, _Course]) -> tuple[Fault, ...]:
    stretches = {
        country: [one for one in _stretches(course) if one.failed >= _ENOUGH]
        for country, course in courses.items()
    }
    found: dict[Fault, None] = {}
    for country, several in stretches.items():
        for own in several:
            group, working = {country: own}, 0
            few = list[_Course]()
            for other, others in stretches.items():
                if other == country:
                    continue
                together = next((one for one in others if _began_together(own, one)), None)
                if together is not None:
                    group[other] = together
                elif courses[other].passed(own.begun, own.last):
                    working += 1
                elif courses[other].share_within(own.begun, own.last) is None:
                    few.append(courses[other])
            if _fail_together(few, own):
                group[_SEVERAL] = own
            if len(group) > 1 and len(group) > working:
                found[_fault(group)] = None
    return tuple(found)


def _fail_together(few: Sequence[_Course], own: Stretch) -> bool:
    """Whether countries of which each has too few rows began to fail in this time, too."""
    good = own.good_before
    if good is None:
        return False

    def fail(since: datetime, until: datetime) -> bool | None:
        sums = [course.sums(since, until) for course in few]
        failed, total = sum(one for one, _ in sums), sum(every for _, every in sums)
        return failed >= _MOST * (total + _DOUBT) if total >= _ENOUGH else None

    return bool(fail(own.begun, own.last)) and fail(good - _WINDOWS[-1], good) is False


def _fault(group: Mapping[str, Stretch]) -> Fault:
    begun = min(one.begun for one in group.values())
    over = sorted(one.last for one in group.values())[(len(group) - 1) // 2]
    return Fault(
        begun=begun,
        everywhere=max(one.begun for one in group.values()),
        over=over,
        until=over + min(_TAIL * (over - begun), _LONGEST_TAIL),
        countries=frozenset(group),
    )


def _began_together(one: Stretch, other: Stretch) -> bool:
    if one.good_before is None or other.good_before is None:
        return False
    return (
        one.good_before - _TOGETHER <= other.begun_by
        and other.good_before - _TOGETHER <= one.begun_by
    )


def _course(rows: list[Row]) -> _Course:
    ordered = sorted(rows, key=lambda row: row.at)
    return _Course(
        [_middle(row) for row in ordered],
        list(accumulate(float(row.total) for row in ordered)),
        list(accumulate(row.failed for row in ordered)),
    )


def _stretches(course: _Course) -> list[Stretch]:
    found: list[Stretch] = []
    good: datetime | None = None
    for at in dict.fromkeys(course.times):
        around = course.around(at)
        if around is None:
            continue
        share, window = around
        if share < _FAILS:
            good = at
            continue
        before = found[-1] if found else None
        if before is not None and (good is None or good < before.last or _goes_on(before, at)):
            found[-1] = msgspec.structs.replace(before, last=at)
        else:
            found.append(Stretch(good, at, at + window, at))
    return [
        msgspec.structs.replace(one, failed=course.failures(one.begun, one.last)) for one in found
    ]


def _goes_on(stretch: Stretch, at: datetime) -> bool:
    pause = _PAUSE * (stretch.last - stretch.begun)
    return at - stretch.last <= min(pause, _LONGEST_PAUSE)
