"""What the append-only log holds: one digest for each signed batch, each key enrolled, and each
revocation.

A leaf is the digest of what is stored, so the log tells nothing of what it covers: each entry has a
signature or a key in it, which nobody guesses.
"""

from datetime import datetime
from typing import Any

import msgspec

from storage.values import merkle
from storage.values.fleet import Enrolment, ReceivedBatch
from storage.values.times import time_text


class LogHead(msgspec.Struct, frozen=True, kw_only=True):
    """The log at some moment."""

    size: int
    """Entries."""
    root: str
    """64 hexadecimal digits, which no other entries give."""

    @property
    def text(self) -> bytes:
        """What is stamped."""
        return f"shutwatch log head 1\n{self.size}\n{self.root}\n".encode()


class HeadStamp(msgspec.Struct, frozen=True, kw_only=True):
    """A head that was given to somebody, so that the log can never be rewritten before it."""

    size: int
    root: str
    kind: str
    """`rfc3161`, `opentimestamps`, or `report` for the head in a report."""
    authority: str
    """URL of who stamped it; of a report, the SHA-256 of its manifest."""
    at: datetime
    """UTC, by our own clock."""
    proof: bytes = b""
    """The reply, or the proof file, as it was received; empty for a report."""


class LogPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry is, and the proof."""

    position: int
    path: tuple[str, ...]
    """Hexadecimal hashes; see `storage.values.merkle.inclusion`."""


def batch_digest(batch: ReceivedBatch) -> str:
    """The leaf of a signed batch, hexadecimal."""
    return _digest(
        "batch",
        *(batch.country, batch.vantage, batch.id, batch.fingerprint, batch.sent_at),
        *(batch.encoding, batch.signature, batch.body_sha256, time_text(batch.received_at)),
    )


def enrolment_digest(key: Enrolment) -> str:
    """The leaf of a key as it was enrolled."""
    return _digest(
        "enrolment",
        *(key.vantage, key.country, key.asn, key.network, key.role, key.profile),
        *(key.key, key.fingerprint, time_text(key.enrolled_at)),
    )


def revocation_digest(fingerprint: str, at: datetime) -> str:
    """The leaf of a revocation."""
    return _digest("revocation", fingerprint, time_text(at))


def _digest(kind: str, *cells: Any) -> str:
    entry = b"shutwatch log entry 1\n" + msgspec.json.encode([kind, *cells])
    return merkle.leaf_hash(entry).hex()
