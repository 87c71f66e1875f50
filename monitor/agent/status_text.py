"""An agent's status in lines for its host."""

from collections.abc import Iterator
from datetime import datetime

from monitor.agent.status import Status

_MEGABYTE = 1e6
_MOST_REFUSED = 5
"""Refused batches that are listed."""
_WRONG_CLOCK = 60.0
"""Seconds."""


def lines(status: Status) -> Iterator[str]:
    """One for each fact."""
    yield f"Vantage {status.vantage}: {_state(status)}"
    if status.last_cycle is not None:
        cycle = status.last_cycle
        yield f"Last cycle {_at(cycle.at)}: {cycle.looks} measurements, {cycle.health}"
    yield f"Waiting: {status.spooled:,} measurements, {status.spool_bytes / _MEGABYTE:.1f} MB"
    if status.last_receipt is None:
        yield "Nothing delivered yet"
    else:
        receipt = status.last_receipt
        yield f"Last delivery {_at(receipt.at)}: {receipt.measurements:,} measurements"
    if status.last_error is not None:
        yield f"Nothing delivered since {_at(status.last_error.at)}: {status.last_error.what}"
    if status.dropped:
        yield f"Given up because the spool was full: {status.dropped:,} measurements"
    if status.refused:
        yield f"Refused permanently: {len(status.refused)} batches, the last of them"
        for batch in status.refused[-_MOST_REFUSED:]:
            yield f"  {batch.id} ({batch.measurements:,}): {batch.reason}, {batch.detail}"
    yield _clock(status.clock_offset)
    if status.traffic is not None:
        day = status.traffic
        looks = sum(day.looks.values()) / _MEGABYTE
        uploaded = day.uploaded / _MEGABYTE
        yield f"Traffic on {day.day} (UTC): {looks:.1f} MB measuring, {uploaded:.1f} MB uploading"


def _state(status: Status) -> str:
    if not status.running:
        return "not running" + (", and paused" if status.paused else "")
    if status.paused:
        return "paused"
    return "paused by the collector" if status.paused_by_collector else "running"


def _clock(offset: float | None) -> str:
    if offset is None:
        return "Clock: not compared with a collector's since the machine started"
    if abs(offset) < _WRONG_CLOCK:
        return f"Clock: right to {abs(offset):.1f} s"
    where = "behind" if offset > 0 else "ahead"
    return f"Clock: {abs(offset):,.0f} s {where}; times are corrected, but set it right"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
