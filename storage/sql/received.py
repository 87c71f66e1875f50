"""What arrives from agents, made ready to be written before the database is held for it."""

from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import Any, NamedTuple

from probes.measurement import Measurement, Purpose
from storage.sql.rows import MEASUREMENT, measurement_row
from storage.values import codecs
from storage.values.arrival import OF_LATEST, Arrival, counts, waiting_cycle
from storage.values.fleet import ReceivedBatch, SeenCycle
from storage.values.times import time_text

_FAILURES = ("egress_failure", "dns_failure", "tcp_failure", "tls_failure", "http_failure")

BATCH = codecs.BATCH.names
BATCH_CYCLE = ("country", "vantage", "batch", "cycle")
INBOX = (*codecs.WAITING.names, "batch", "position")
LATEST = (
    *("country", "vantage", "platform", "role", "endpoint", "asn", "network", "vantage_role"),
    *("look", "started_at", "measurement", "cycle", "reached", *_FAILURES, "received_at"),
)
LATEST_KEY, NEWEST = slice(0, 5), slice(9, 11)
"""Of a row of LATEST: its key, and what tells the newer of two."""
_latest_of = itemgetter(
    *(MEASUREMENT.index("id" if name == "measurement" else name) for name in LATEST)
)
"""From the row of a measurement."""
_STARTED = MEASUREMENT.index("started_at")
COUNTS = ("looks", "reached", "failed")
HOUR = ("country", "platform", "starts_at", "asn", "network", *COUNTS)
"""Names of cells, in their order, of the rows made here."""


class LookRows(NamedTuple):
    """What one measurement adds."""

    key: tuple[str, str, str]
    """Country, start, id."""
    row: tuple[Any, ...]
    latest: tuple[Any, ...] | None
    hour: tuple[Any, ...] | None
    """With how much it adds to each count."""


class CycleRows(NamedTuple):
    """What one cycle adds."""

    key: tuple[str, str]
    """Country and id."""
    link: tuple[str, ...]
    inbox: list[Any]
    looks: list[LookRows]


class ArrivalRows(NamedTuple):
    """What one arrival adds."""

    batch: list[Any] | None
    sha256: str
    cycles: list[CycleRows]
    looks: list[LookRows]

    @property
    def key(self) -> tuple[str, ...]:
        """Of the batch: country, vantage, id; the order in which all who write take their locks."""
        return () if self.batch is None else tuple(self.batch[:3])


def arrival_rows(arrival: Arrival, received: str) -> ArrivalRows:
    """Everything that `arrival` adds. Of a batch, the time it was received is its own; of looks
    alone it is `received`. UnicodeEncodeError for text that is not valid."""
    batch = arrival.batch
    if batch is None:
        return ArrivalRows(
            None, "", [], [_look_rows(look, received) for look in arrival.measurements]
        )
    cycles = [_cycle_rows(batch, cycle, n) for n, cycle in enumerate(arrival.cycles)]
    return ArrivalRows(codecs.BATCH.encode(batch), batch.body_sha256, cycles, [])


def _cycle_rows(batch: ReceivedBatch, cycle: SeenCycle, position: int) -> CycleRows:
    waiting = waiting_cycle(batch, cycle)
    received = time_text(batch.received_at)
    return CycleRows(
        (cycle.country, cycle.id),
        (batch.country, batch.vantage, batch.id, cycle.id),
        [*codecs.WAITING.encode(waiting), batch.id, position],
        [_look_rows(look, received) for look in cycle.measurements],
    )


def _look_rows(look: Measurement, received: str) -> LookRows:
    row = measurement_row(look, received)
    started = row[_STARTED]
    hour = latest = None
    if look.look is Purpose.SCHEDULED:
        at = f"{started[:13]}:00:00.000000Z"
        hour = (look.country, look.platform, at, look.asn, look.network, *counts(look))
    if look.look in OF_LATEST:
        latest = _latest_of(row)
    return LookRows((look.country, started, look.id), row, latest, hour)


def newest(rows: Iterable[LookRows]) -> list[tuple[Any, ...]]:
    """The newest row for each vantage and endpoint, in the order of their keys."""
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for _, _, row, _ in rows:
        if row is not None:
            key = row[LATEST_KEY]
            if key not in found or row[NEWEST] > found[key][NEWEST]:
                found[key] = row
    return [row for _, row in sorted(found.items())]


def summed(rows: Iterable[LookRows]) -> list[tuple[Any, ...]]:
    """What they add to each hour, in the order of the keys."""
    width = len(HOUR) - len(COUNTS)
    found: dict[tuple[Any, ...], list[int]] = {}
    # Few differ: those that are alike are counted first.
    for row, times in Counter(look.hour for look in rows).items():
        if row is not None:
            total = found.setdefault(row[:width], [0] * len(COUNTS))
            for n, more in enumerate(row[width:]):
                total[n] += more * times
    return [(*key, *total) for key, total in sorted(found.items())]
