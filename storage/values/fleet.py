"""What is remembered of agents: who may speak for which vantage, what they handed in, what of it
is still to be judged, and whom to leave out. `FleetStore` is implemented by every store."""

from datetime import datetime

import msgspec

from monitor.analysis.verdict import VantageHealth
from probes.measurement import Measurement

REPLACED = "replaced by another key"
"""Why a key is revoked when its vantage gets another one."""


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """A key that may speak for a vantage, and what that vantage is. Never changed but to revoke."""

    vantage: str
    country: str
    asn: int
    network: str
    role: str
    """field or control."""
    profile: str = "normal"
    """normal or quiet."""
    key: str
    """Public half, base64 of 32 bytes."""
    fingerprint: str
    """64 hexadecimal digits."""
    enrolled_at: datetime
    """UTC."""
    revoked_at: datetime | None = None
    """UTC; None while it may speak. A vantage has one such key at most."""
    reason: str = ""
    """Why it was revoked."""


class Quarantine(msgspec.Struct, frozen=True, kw_only=True):
    """A vantage whose results are left out of events."""

    vantage: str
    country: str
    since: datetime | None = None
    """UTC; looks begun from then on are left out; None: all of them."""
    until: datetime | None = None
    """UTC; None: for as long as this stands."""
    reason: str
    at: datetime
    """UTC; when a person decided it."""


class ReceivedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as it was sent, with its signature: evidence that can be checked later."""

    country: str
    vantage: str
    id: str
    """UUIDv7 made by the agent."""
    fingerprint: str
    """Of the key that signed it; empty for what this collector's own vantages saw."""
    sent_at: str
    """As signed."""
    encoding: str
    """Of `body`: gzip, zstd or identity."""
    signature: str
    """Base64."""
    body_sha256: str
    """Hex digest of `body`."""
    body: bytes
    """As it was sent."""
    received_at: datetime
    """UTC."""


class SeenCycle(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle as a vantage saw it, not judged yet. Times are by the collectors' clock."""

    country: str
    id: str
    """UUIDv7 of the cycle."""
    vantage: str
    started_at: datetime
    finished_at: datetime
    health: VantageHealth
    """As the agent has it: see `monitor.wire.batch.CycleReport.health`."""
    hurried: bool = False
    backfilled: bool = False
    """It came long after it was seen: it goes to history, and moves no live counter."""
    measurements: tuple[Measurement, ...] = ()


class WaitingCycle(msgspec.Struct, frozen=True, kw_only=True):
    """A stored cycle that nobody has judged; its measurements are stored as well."""

    country: str
    id: str
    vantage: str
    started_at: datetime
    finished_at: datetime
    received_at: datetime
    """UTC."""
    health: VantageHealth
    hurried: bool
    backfilled: bool


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    known: bool
    """Its id was stored before, with the same body: nothing was changed."""
    conflict: bool = False
    """Its id was stored before, with another body: nothing was changed."""
    measurements: int = 0
    """How many of its measurements were new."""


def key_is_taken(enrolment: Enrolment) -> str:
    """Why it cannot be stored."""
    return (
        f"the key {enrolment.fingerprint} was enrolled before, or vantage {enrolment.vantage} got "
        "another at this moment: make a new key for each vantage; nothing was changed"
    )
