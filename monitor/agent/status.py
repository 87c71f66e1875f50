"""The status of an agent, read from its files whether or not it runs, and in lines for its host."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import msgspec

from monitor.agent.collector_clock import AgentClock, Anchor, Machine
from monitor.agent.consent import consent_of
from monitor.agent.ordered_status import Ordered, ordered_of
from monitor.agent.ordered_status import lines as ordered_lines
from monitor.agent.paths import AgentFiles, process_of
from monitor.agent.revocation import is_revoked
from monitor.agent.saved_state import (
    ANCHOR,
    LAST_CYCLE,
    RECEIPT,
    TRAFFIC,
    TROUBLE,
    LastCycle,
    LastReceipt,
    TrafficOfDay,
    Trouble,
    recalled,
)
from monitor.config.settings import Settings
from monitor.keys.keys import KeyFileError, fingerprint, load, public_text
from storage.agent.spool import Aside, read_spool

_MEGABYTE = 1e6
_MOST_REFUSED = 5
"""Refused batches that are listed."""
_WRONG_CLOCK = 60.0
"""Seconds."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `shutwatch agent status` shows; times are UTC."""

    vantage: str
    running: bool
    paused: bool
    """By the host."""
    paused_by_collector: bool
    revoked: bool
    """The operator revoked the agent's key, so it does not run again."""
    spooled: int
    """Measurements that wait for delivery."""
    spool_bytes: int
    dropped: int
    """Measurements ever given up because the spool or the disk was full."""
    refused: tuple[Aside, ...]
    """Batches that were refused permanently."""
    last_receipt: LastReceipt | None
    last_error: Trouble | None
    """None once all is well."""
    last_cycle: LastCycle | None
    clock_offset: float | None
    """Seconds to add to the agent's clock to get the collectors' time; None while no collector
    answered since the machine started."""
    traffic: TrafficOfDay | None
    """Of the newest day on which there was a cycle."""
    ordered: Ordered | None
    """The newest settings from a collector; None for none."""


def status_of(settings: Settings, files: AgentFiles, machine: Machine) -> Status:
    """The status of the agent with these settings and files. Raises StorageError."""
    holding, notes = read_spool(files.spool)
    trouble = recalled(notes, TROUBLE, Trouble)
    clock = AgentClock(machine, recalled(notes, ANCHOR, Anchor))
    ordered = ordered_of(settings, files, consent_of(settings, files, clock.latest_now))
    return Status(
        vantage=settings.vantages[0].id,
        running=process_of(files) is not None,
        paused=files.pause.exists(),
        paused_by_collector=ordered is not None and ordered.paused,
        revoked=_revoked(files),
        spooled=holding.measurements,
        spool_bytes=holding.size,
        dropped=holding.dropped,
        refused=holding.aside,
        last_receipt=recalled(notes, RECEIPT, LastReceipt),
        last_error=trouble if trouble is not None and trouble.what else None,
        last_cycle=recalled(notes, LAST_CYCLE, LastCycle),
        clock_offset=clock.offset(),
        traffic=recalled(notes, TRAFFIC, TrafficOfDay),
        ordered=ordered,
    )


def _revoked(files: AgentFiles) -> bool:
    with suppress(KeyFileError):
        return is_revoked(files, fingerprint(public_text(load(files.key))))
    return False


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
    if status.ordered is not None:
        yield from ordered_lines(status.ordered)


def _state(status: Status) -> str:
    if status.revoked:
        return "not running: the operator revoked its key"
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
