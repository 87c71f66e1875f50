"""What is stored of agents: invitations, keys, batches, waiting cycles, and quarantines."""

from datetime import datetime

import msgspec

from monitor.analysis.verdict import VantageHealth
from probes.measurement import Measurement
from storage.values.cycle import StoredCycle

REPLACED = "replaced by another key"
"""Why a key is revoked when its vantage gets another one."""

EndpointKey = tuple[str, str, str]
"""Platform, function and endpoint, as a measurement names them."""


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a vantage, and what that vantage is. It never changes, except to be revoked, and to
    be trusted more the longer it agrees with others."""

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
    """UTC; None while it is valid. A vantage has one valid key at most."""
    reason: str = ""
    """Why it was revoked."""
    held_by: str = ""
    """Who runs it, in the operator's words: keys of one host count as one. Empty: not said."""
    agreed: float = 0.0
    """Seconds for which its results have agreed with those of unrelated vantages."""
    established_at: datetime | None = None
    """UTC; from when it weighs in full; None: it is new."""


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """The right to enrol one key for a vantage, for whoever holds the secret."""

    digest: str
    """64 hexadecimal digits, from which nobody gets the secret: see `monitor.wire.invitation`."""
    vantage: str
    country: str
    asn: int
    network: str
    role: str
    """field or control."""
    profile: str
    """normal or quiet."""
    held_by: str
    """As of an enrolment."""
    made_at: datetime
    """UTC."""
    expires_at: datetime
    """UTC; the first moment at which it is worth nothing."""
    used_at: datetime | None = None
    """UTC; None while nobody has used it."""
    used_by: str = ""
    """Fingerprint of the key that was enrolled by it."""
    withdrawn_at: datetime | None = None
    """UTC; when the vantage was revoked or invited again before anybody used it."""

    def is_open(self, now: datetime) -> bool:
        """Whether a key can still be enrolled by it."""
        return self.used_at is None and self.withdrawn_at is None and now < self.expires_at


class Quarantine(msgspec.Struct, frozen=True, kw_only=True):
    """A person's decision that the results of a vantage do not count for events."""

    vantage: str
    country: str
    since: datetime | None = None
    """UTC; measurements started from then on do not count; None: all of them."""
    until: datetime | None = None
    """UTC; None: until a person releases the vantage."""
    reason: str
    at: datetime
    """UTC; when the person decided."""

    def covers(self, at: datetime) -> bool:
        """Whether what was measured from that moment (UTC) on does not count."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


class ReceivedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as an agent sent it, with its signature: evidence that can be checked later."""

    country: str
    vantage: str
    id: str
    """UUIDv7 made by the agent."""
    fingerprint: str
    """Of the key that signed it; empty for the collector's own vantages."""
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
    """A measured cycle that is not judged yet. Times are by the collector's clock."""

    country: str
    id: str
    """UUIDv7 of the cycle."""
    vantage: str
    started_at: datetime
    finished_at: datetime
    health: VantageHealth
    """As the agent assessed it: see `monitor.wire.batch.CycleReport.health`."""
    hurried: bool = False
    backfilled: bool = False
    """It arrived long after it was measured: it is added to history, and to no live counter."""
    measurements: tuple[Measurement, ...] = ()


class WaitingCycle(StoredCycle, frozen=True, kw_only=True):
    """A stored cycle that waits to be judged; its measurements are stored as well."""

    received_at: datetime
    """UTC."""
    hurried: bool
    backfilled: bool


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    known: bool
    """Its id was stored before with the same body; nothing was changed."""
    conflict: bool = False
    """Its id was stored before with another body; nothing was changed."""
    measurements: int = 0
    """How many of its measurements were new."""
