"""How an agent is, read from its files: also while it runs, and when it does not."""

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
from storage.agent.spool import Aside, look_into


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `shutwatch agent status` tells; times are UTC."""

    vantage: str
    running: bool
    paused: bool
    """By the host."""
    paused_by_collector: bool
    spooled: int
    """Measurements that wait to be handed in."""
    spool_bytes: int
    dropped: int
    """Measurements ever given up because the spool or the disk was full."""
    refused: tuple[Aside, ...]
    """Batches that were refused for good."""
    last_receipt: LastReceipt | None
    last_error: Trouble | None
    """None once it went well again."""
    last_cycle: LastCycle | None
    clock_offset: float | None
    """Seconds to add to the agent's clock to have the collectors'; None while no collector was
    heard since the machine started."""
    traffic: TrafficOfDay | None
    """Of the newest day on which there was a cycle."""
    settings_version: str
    """Of what a collector told last; empty when none did."""
    settings_issued_at: datetime | None


def status_of(vantage: str, files: AgentFiles, machine: Machine) -> Status:
    """How the agent with these files is. Raises StorageError."""
    holding, notes = look_into(files.spool)
    trouble = recalled(notes, TROUBLE, Trouble)
    told = _told(files)
    return Status(
        vantage=vantage,
        running=process_of(files) is not None,
        paused=files.pause.exists(),
        paused_by_collector=told is not None and told.paused,
        spooled=holding.measurements,
        spool_bytes=holding.size,
        dropped=holding.dropped,
        refused=holding.aside,
        last_receipt=recalled(notes, RECEIPT, LastReceipt),
        last_error=trouble if trouble is not None and trouble.what else None,
        last_cycle=recalled(notes, LAST_CYCLE, LastCycle),
        clock_offset=AgentClock(machine, recalled(notes, ANCHOR, Anchor)).offset(),
        traffic=recalled(notes, TRAFFIC, TrafficOfDay),
        settings_version="" if told is None else told.version,
        settings_issued_at=None if told is None else told.issued_at,
    )


def _told(files: AgentFiles) -> AgentSettings | None:
    """What is in the file; whether it is signed, only the agent asks."""
    try:
        kept = msgspec.json.decode(files.orders.read_bytes(), type=Signed)
        return msgspec.json.decode(kept.body, type=AgentSettings)
    except (OSError, msgspec.DecodeError):
        return None
