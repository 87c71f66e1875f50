"""The batch that an agent sends: cycles with their measurements, without verdicts.

A collector accepts an agent's measurements of its own vantage, and nothing else; it judges them
itself. The body of a batch stays the same however often it is sent: its bytes, its id and the time
of sending are signed (`monitor.wire.signing`).
"""

from datetime import datetime

import msgspec

from monitor.analysis.verdict import VantageHealth
from probes.measurement import Measurement

FORMAT = 2
"""Version of the body's format. A collector reads this one alone."""
MOST_REPORTS = 500
"""Cycles in one batch."""
MOST_PACKED = 4 * 2**20
"""Bytes of a body as it is sent, compressed."""
MOST_UNPACKED = 32 * 2**20
"""Bytes of an unpacked body."""
ENCODINGS = ("gzip", "zstd", "identity")
"""Values of Content-Encoding that a collector reads."""


class CycleReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cycle of one vantage: its measurements, and no verdicts."""

    cycle: str
    """UUIDv7."""
    started_at: datetime
    """UTC, by the agent's clock, like every time in a report."""
    finished_at: datetime
    offset: float = 0.0
    """Seconds to add to every time of the report to get the collectors' clock."""
    dated: bool = True
    """Whether `offset` is known; it is not until the agent has compared its clock."""
    hurried: bool = False
    """Whether this is an extra cycle that measured only what was suspicious."""
    health: VantageHealth
    """The agent's own assessment. The collector uses only its exit and NAT64 prefixes, which no
    measurement shows, and derives the rest from the measurements of references."""
    measurements: tuple[Measurement, ...] = ()
    """The vantage's own, in the order they ended."""


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some cycles of one vantage, oldest first."""

    format: int
    vantage: str
    version: str
    """Version of the agent's program."""
    reports: tuple[CycleReport, ...]


_ENCODER = msgspec.json.Encoder()


def encode_batch(batch: Batch) -> bytes:
    """The body before compression: UTF-8 JSON."""
    return _ENCODER.encode(batch)
