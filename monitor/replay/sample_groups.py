"""Imported rows as samples: those of one sitting on one network, or one line of counts."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from monitor.replay.imported_row import Row

SAMPLE_SPAN = timedelta(minutes=15)
"""Rows of one network this close together count as one person's."""
StreamKey = tuple[str, str, int, str]
"""Country, platform, AS number (0: unknown, or all), part."""


class SampleRows(msgspec.Struct, frozen=True, kw_only=True):
    key: StreamKey
    rows: tuple[Row, ...]

    @property
    def until(self) -> datetime:
        """When the last was measured, or the counted interval ended."""
        return self.rows[0].until if len(self.rows) == 1 else max(row.until for row in self.rows)


def sample_groups(rows: Iterable[Row]) -> list[SampleRows]:
    """Rows grouped into samples, in the order these were complete; a repeated row counts once."""
    open_now: dict[StreamKey, list[Row]] = {}
    done: list[SampleRows] = []
    for row in _once(sorted(rows, key=lambda row: (row.at, row.uid))):
        key = (row.country, row.platform, row.asn, row.part)
        here = open_now.setdefault(key, [])
        if here and not _together(here[0], row):
            done.append(SampleRows(key=key, rows=tuple(here)))
            here.clear()
        here.append(row)
    done += [SampleRows(key=key, rows=tuple(here)) for key, here in open_now.items() if here]
    return sorted(done, key=lambda group: (group.until, group.key))


def _once(rows: Iterable[Row]) -> Iterator[Row]:
    """Without an id only rows that tell the second can be known to be the same."""
    seen: set[Row | tuple[str, str, str]] = set()
    for row in rows:
        if row.counts or not (row.uid or row.at.second or row.at.microsecond):
            yield row
            continue
        identity = (row.uid, row.platform, row.part) if row.uid else row
        if identity not in seen:
            seen.add(identity)
            yield row


def _together(first: Row, row: Row) -> bool:
    if first.counts or row.counts:
        # Counts of several sites of one platform for the same interval.
        return first.counts and row.counts and first.at == row.at
    return row.at - first.at <= SAMPLE_SPAN
