"""What an agent hands in: cycles as they were seen, without a verdict.

A collector believes an agent's looks about the agent's own vantage, and nothing else: whatever
follows from them, it works out itself.

The body of a batch never changes once it is made, however often it is sent: its bytes, its id and
the time of sending are signed (`monitor.wire.signing`).
"""

from datetime import datetime

import msgspec

from monitor.analysis.verdict import VantageHealth
from probes.measurement import Measurement

FORMAT = 1
"""Of the body. A collector takes this one and those before it."""
MOST_REPORTS = 500
"""In one batch."""
MOST_PACKED = 4 * 2**20
"""Bytes of a body as it is sent, compressed."""
MOST_UNPACKED = 32 * 2**20
"""Bytes of a body as it is read."""
ENCODINGS = ("gzip", "zstd", "identity")
"""Values of Content-Encoding that a collector reads."""


class CycleReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cycle of one vantage, with all that was seen in it and nothing that was concluded."""

    cycle: str
    """UUIDv7."""
    started_at: datetime
    """UTC, by the agent's clock, like every time in here."""
    finished_at: datetime
    offset: float = 0.0
    """Seconds to add to every time in here to have them by the collectors' clock."""
    dated: bool = True
    """Whether `offset` is known; if not, the agent's clock was never compared since it started."""
    hurried: bool = False
    """Only what was suspicious was looked at, out of turn."""
    health: VantageHealth
    """As the agent has it. Of this only where the vantage comes out and what NAT64 it is behind are
    believed, for no measurement tells; the rest follows from the looks at references."""
    measurements: tuple[Measurement, ...] = ()
    """The vantage's own, in the order they ended."""


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some cycles of one vantage, oldest first, and how its spool is."""

    format: int = FORMAT
    vantage: str
    version: str
    """Of the agent's program."""
    spooled: int = 0
    """Measurements that wait behind this batch."""
    dropped: int = 0
    """Measurements ever given up because the spool was full, oldest first."""
    reports: tuple[CycleReport, ...]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Batch)


def encode_batch(batch: Batch) -> bytes:
    """The body, not compressed: UTF-8 JSON."""
    return _ENCODER.encode(batch)


def decode_batch(body: bytes) -> Batch:
    """The batch in a body that is not compressed. Raises msgspec.DecodeError (ValidationError
    among them) for what is none."""
    return _DECODER.decode(body)
