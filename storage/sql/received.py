"""The rows of what collectors receive, made before the transaction that writes them begins."""

from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from probes.measurement import Measurement, Purpose
from storage.sql.rows import MEASUREMENT, measurement_row
from storage.values import codecs
from storage.values.fleet import ReceivedBatch, SeenCycle, WaitingCycle
from storage.values.log import batch_digest
from storage.values.times import time_text

AT_ENDPOINTS = (Purpose.SCHEDULED, Purpose.RETRY, Purpose.CONTROL)
_OF_LATEST = (*AT_ENDPOINTS, Purpose.REFERENCE)
"""Purposes that `latest_look` is made of: the others test something else than whether it works."""
_FAILURES = ("egress_failure", "dns_failure", "tcp_failure", "tls_failure", "http_failure")

BATCH = codecs.BATCH.names
BATCH_CYCLE = ("country", "vantage", "batch", "cycle")
INBOX = (*codecs.WAITING.names, "batch", "position")
LATEST = (
    *("country", "vantage", "platform", "function", "endpoint", "asn", "network", "vantage_role"),
    *("look", "started_at", "measurement", "cycle", "reached", *_FAILURES, "received_at"),
)
LATEST_KEY, NEWEST = slice(0, 5), slice(9, 11)
"""Of a row of LATEST: its key, and the cells that decide which of two is newer."""
_latest_of = itemgetter(
    *(MEASUREMENT.index("id" if name == "measurement" else name) for name in LATEST)
)
"""Takes a row of LATEST from the row of a measurement."""
_STARTED = MEASUREMENT.index("started_at")
COUNTS = ("looks", "reached", "failed")
HOUR = ("country", "platform", "starts_at", "asn", "network", *COUNTS)
"""Names of the cells, in their order, of the rows made here."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller brings: a batch with its cycles, or control measurements alone."""

    batch: ReceivedBatch | None = None
    cycles: tuple[SeenCycle, ...] = ()
    measurements: tuple[Measurement, ...] = ()

    @property
    def weight(self) -> int:
        """How many measurements are in it, plus one."""
        return 1 + len(self.measurements) + sum(len(cycle.measurements) for cycle in self.cycles)


class MeasurementRows(NamedTuple):
    """What one measurement adds."""

    key: tuple[str, str, str]
    """Country, start, id."""
    row: tuple[Any, ...]
    latest: tuple[Any, ...] | None
    hour: tuple[Any, ...] | None
    """With what it adds to each count."""


class CycleRows(NamedTuple):
    """What one cycle adds."""

    key: tuple[str, str]
    """Country and id."""
    link: tuple[str, ...]
    inbox: list[Any]
    measurements: list[MeasurementRows]


class ArrivalRows(NamedTuple):
    """What one arrival adds."""

    batch: list[Any] | None
    sha256: str
    digest: str
    """For the log; empty for what nobody signed."""
    cycles: list[CycleRows]
    measurements: list[MeasurementRows]

    @property
    def key(self) -> tuple[str, ...]:
        """Country, vantage and id of the batch. All writers take their locks in this order."""
        return () if self.batch is None else tuple(self.batch[:3])


def arrival_rows(arrival: Arrival, received: str) -> ArrivalRows:
    """All rows that `arrival` adds. `received` is the time of arrival of measurements without a
    batch; a batch has its own. UnicodeEncodeError for text that is not valid."""
    batch = arrival.batch
    if batch is None:
        rows = [_measurement_rows(one, received) for one in arrival.measurements]
        return ArrivalRows(None, "", "", [], rows)
    cycles = [_cycle_rows(batch, cycle, n) for n, cycle in enumerate(arrival.cycles)]
    digest = batch_digest(batch) if batch.fingerprint else ""
    return ArrivalRows(codecs.BATCH.encode(batch), batch.body_sha256, digest, cycles, [])


def _cycle_rows(batch: ReceivedBatch, cycle: SeenCycle, position: int) -> CycleRows:
    shared = set(WaitingCycle.__struct_fields__) & set(SeenCycle.__struct_fields__)
    waiting = WaitingCycle(
        received_at=batch.received_at, **{name: getattr(cycle, name) for name in shared}
    )
    received = time_text(batch.received_at)
    return CycleRows(
        (cycle.country, cycle.id),
        (batch.country, batch.vantage, batch.id, cycle.id),
        [*codecs.WAITING.encode(waiting), batch.id, position],
        [_measurement_rows(one, received) for one in cycle.measurements],
    )


def _measurement_rows(measurement: Measurement, received: str) -> MeasurementRows:
    row = measurement_row(measurement, received)
    started = row[_STARTED]
    hour = latest = None
    if measurement.look is Purpose.SCHEDULED:
        at = f"{started[:13]}:00:00.000000Z"
        place = (measurement.country, measurement.platform, at)
        hour = (*place, measurement.asn, measurement.network, *_counts(measurement))
    if measurement.look in _OF_LATEST:
        latest = _latest_of(row)
    return MeasurementRows((measurement.country, started, measurement.id), row, latest, hour)


def _counts(measurement: Measurement) -> tuple[int, int, int]:
    """What a scheduled measurement adds to `looks`, `reached` and `failed` of its hour. An endpoint
    that answered in an unexpected way was not reached, and did not fail."""
    failed = not measurement.reached and any(
        observation.failure and not observation.reason for observation in measurement.observations
    )
    return (1, int(measurement.reached), int(failed))


def newest(rows: Iterable[MeasurementRows]) -> list[tuple[Any, ...]]:
    """The newest row for each vantage and endpoint, in the order of their keys."""
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for one in rows:
        if one.latest is not None:
            key = one.latest[LATEST_KEY]
            if key not in found or one.latest[NEWEST] > found[key][NEWEST]:
                found[key] = one.latest
    return [row for _, row in sorted(found.items())]


def summed(rows: Iterable[MeasurementRows]) -> list[tuple[Any, ...]]:
    """What they add to each hour, in the order of the keys."""
    width = len(HOUR) - len(COUNTS)
    found: dict[tuple[Any, ...], list[int]] = {}
    # Most are equal, so equal rows are counted first.
    for row, times in Counter(one.hour for one in rows).items():
        if row is not None:
            total = found.setdefault(row[:width], [0] * len(COUNTS))
            for n, more in enumerate(row[width:]):
                total[n] += more * times
    return [(*key, *total) for key, total in sorted(found.items())]
