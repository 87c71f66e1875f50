"""The status of an agent, read from its files, whether or not it runs."""

from datetime import datetime

import msgspec

from monitor.agent.collector_client import Signed
from monitor.agent.collector_clock import AgentClock, Anchor, Machine
from monitor.agent.paths import AgentFiles, process_of
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
from monitor.wire.answers import AgentSettings
from storage.agent.spool import Aside, read_spool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `shutwatch agent status` shows; times are UTC."""

    vantage: str
    running: bool
    paused: bool
    """By the host."""
    paused_by_collector: bool
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
    settings_version: str
    """Of the newest settings from a collector; empty for none."""
    settings_issued_at: datetime | None


def status_of(vantage: str, files: AgentFiles, machine: Machine) -> Status:
    """The status of the agent with these files. Raises StorageError."""
    holding, notes = read_spool(files.spool)
    trouble = recalled(notes, TROUBLE, Trouble)
    current = _settings_in(files)
    return Status(
        vantage=vantage,
        running=process_of(files) is not None,
        paused=files.pause.exists(),
        paused_by_collector=current is not None and current.paused,
        spooled=holding.measurements,
        spool_bytes=holding.size,
        dropped=holding.dropped,
        refused=holding.aside,
        last_receipt=recalled(notes, RECEIPT, LastReceipt),
        last_error=trouble if trouble is not None and trouble.what else None,
        last_cycle=recalled(notes, LAST_CYCLE, LastCycle),
        clock_offset=AgentClock(machine, recalled(notes, ANCHOR, Anchor)).offset(),
        traffic=recalled(notes, TRAFFIC, TrafficOfDay),
        settings_version="" if current is None else current.version,
        settings_issued_at=None if current is None else current.issued_at,
    )


def _settings_in(files: AgentFiles) -> AgentSettings | None:
    """The stored settings. Their signature is not checked here: only the agent acts on them."""
    try:
        kept = msgspec.json.decode(files.orders.read_bytes(), type=Signed)
        return msgspec.json.decode(kept.body, type=AgentSettings)
    except (OSError, msgspec.DecodeError):
        return None
