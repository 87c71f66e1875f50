"""Versions of a test that fail from their first row on, where another one passed until then.

A block that begins in the hour in which people get another version looks like a version that does
not work. The two differ in what is seen beside it: a version that passes on any other network
works, and where rows of another version fail on the same networks too, the version is not why.
Until either is seen the rows show nothing, unless one met a known block page, which no version
invents.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.replay.imported_row import Row

_BEFORE, _LAST = timedelta(days=7), 12
"""How old the last rows of other versions may be, and how many of them tell how those did."""
_FEW, _ENOUGH = 2.0, 4.0
"""Rows that tell that a version passed here; that it works elsewhere."""
_MOST, _HARDLY_ANY, _BY_CHANCE = 0.5, 0.2, 0.25
"""Shares of rows that fail: those of what does not work, those of what does, and those that a few
rows of what does may have."""
_WORKS = 0.5
"""Rows that pass for each that failed, from which a version is no longer broken."""
_NEAR = timedelta(hours=72)

_Kind = tuple[str, str, str]
"""Platform, part and test."""
_Span = tuple[datetime, datetime | None]


class ChangedVersions:
    """Which versions began with the failing, where and for how long."""

    def __init__(self, rows: Iterable[Row]) -> None:
        kinds: dict[_Kind, dict[str, list[Row]]] = {}
        for row in sorted((row for row in rows if row.version), key=lambda row: row.at):
            kinds.setdefault(_kind(row), {}).setdefault(row.country, []).append(row)
        self._spans: dict[tuple[_Kind, str, str], _Span] = {}
        for kind, countries in kinds.items():
            for country, here in countries.items():
                for version in {row.version for row in here}:
                    span = _span(version, country, countries)
                    if span is not None:
                        self._spans[kind, country, version] = span

    @property
    def doubts(self) -> list[tuple[str, str, datetime]]:
        """Country and platform where versions began with the failing, and when (UTC)."""
        return [(country, kind[0], begun) for (kind, country, _), (begun, _) in self._spans.items()]

    def made(self, row: Row) -> bool:
        """Whether a version that began with the failing made this row, so that it shows nothing."""
        span = self._spans.get((_kind(row), row.country, row.version))
        return span is not None and _within(row, span)


def _kind(row: Row) -> _Kind:
    return row.platform, row.part, row.test


def _within(row: Row, span: _Span, margin: timedelta = timedelta(0)) -> bool:
    begun, over = span
    return row.at >= begun - margin and (over is None or row.at < over + margin)


def _span(version: str, country: str, countries: dict[str, list[Row]]) -> _Span | None:
    """From the first row of a version in a country until it works there; None where its failing
    tells of more than the version."""
    here = countries[country]
    own = [row for row in here if row.version == version]
    others = [row for row in here if row.version != version]
    begun = own[0].at
    before = [row for row in others if begun - _BEFORE <= row.at < begun][-_LAST:]
    if own[0].failed < _MOST * own[0].total or _total(before) < _FEW:
        return None
    if _share(before) > _BY_CHANCE:
        return None
    span = begun, _works_from(own)
    during = [row for row in own if _within(row, span)]
    if any(row.confirmed for row in during):
        return None
    failing = {(country, row.asn) for row in during if row.failed}
    beside = [row for row in others if _within(row, span) and (country, row.asn) in failing]
    if beside and _share(beside) >= _MOST:
        return None
    elsewhere: dict[tuple[str, int], list[Row]] = {}
    for where, rows in countries.items():
        for row in rows:
            place = (where, row.asn if where == country else 0)
            if row.version == version and _within(row, span, _NEAR) and place not in failing:
                elsewhere.setdefault(place, []).append(row)
    if any(_total(one) >= _ENOUGH and _share(one) <= _HARDLY_ANY for one in elsewhere.values()):
        return None
    return span


def _works_from(own: Sequence[Row]) -> datetime | None:
    """When a version had passed often enough; None: it never did."""
    failed = passed = 0.0
    for row in own:
        failed += row.failed
        passed += row.total - row.failed
        if passed >= _FEW and passed >= _WORKS * failed:
            return row.at
    return None


def _total(rows: Sequence[Row]) -> float:
    return float(sum(row.total for row in rows))


def _share(rows: Sequence[Row]) -> float:
    return sum(row.failed for row in rows) / _total(rows)
