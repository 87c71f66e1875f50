"""Counts by hour, of a network or a country, as counts of days.

The hours of one day are one sample, not 24: the same people measured in them, and a broken device
fails in all of them. The thresholds of `monitor.replay.stream_models` are for samples of a day.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.replay.imported_row import Row

_DAY = timedelta(days=1)


def in_whole_days(rows: Iterable[Row]) -> list[Row]:
    """The rows, with counts of less than a day added up by UTC days."""
    found: list[Row] = []
    days: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        if row.counts and row.until - row.at < _DAY:
            subject = (row.platform, row.part, row.test, row.version)
            what = (row.country, row.asn, row.nationwide, *subject, row.at.date())
            days.setdefault(what, []).append(row)
        else:
            found.append(row)
    return found + [_day_of(hours) for hours in days.values()]


def _day_of(rows: Sequence[Row]) -> Row:
    midnight = rows[0].at.replace(hour=0, minute=0, second=0, microsecond=0)
    sites: dict[datetime, list[Row]] = {}
    for row in rows:
        sites.setdefault(row.at, []).append(row)
    hours = tuple(_sum(several) for _, several in sorted(sites.items()))
    return msgspec.structs.replace(_sum(hours), at=midnight, until=midnight + _DAY, hours=hours)


def _sum(rows: Sequence[Row]) -> Row:
    return msgspec.structs.replace(
        rows[0],
        total=sum(row.total for row in rows),
        failed=sum(row.failed for row in rows),
        confirmed=sum(row.confirmed for row in rows),
        methods=tuple(dict.fromkeys(method for row in rows for method in row.methods)),
    )
