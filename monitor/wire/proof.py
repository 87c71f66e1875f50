"""Whether a batch, kept as it was sent, is what a vantage signed, and which looks it holds.

No clock, no file, no database: the same check serves whoever has a batch and a public key, the
database's owner and a stranger with a report.
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, timedelta

import msgspec

from monitor.keys.keys import fingerprint
from monitor.wire.answers import BATCHES
from monitor.wire.batch import MOST_UNPACKED
from monitor.wire.refusal import Refused
from monitor.wire.signing import Claim, is_signed
from monitor.wire.unpacking import unpack
from probes.measurement import Measurement
from storage.values.fleet import Enrolment, ReceivedBatch
from storage.values.storable_text import storable


class EvidenceError(Exception):
    """A signed body cannot be read as a batch of its vantage; the message says why."""


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    cycle: str
    offset: float = 0.0
    measurements: tuple[msgspec.Raw, ...] = ()


class _Batch(msgspec.Struct, frozen=True, kw_only=True):
    vantage: str
    reports: tuple[_Report, ...]


class _Peek(msgspec.Struct, frozen=True, kw_only=True):
    platform: str


_encode = msgspec.json.Encoder().encode
_read_batch = msgspec.json.Decoder(_Batch).decode
_read_look = msgspec.json.Decoder(Measurement).decode
_peek = msgspec.json.Decoder(_Peek).decode


def fault_of(batch: ReceivedBatch, key: Enrolment | None) -> str:
    """Why a batch does not hold, a clause; empty when it does.

    `key` is the enrolment its fingerprint names, None when there is none. What a collector's own
    vantages saw is signed by nobody, and has no body either.
    """
    if hashlib.sha256(batch.body).hexdigest() != batch.body_sha256:
        return "its body is not the one its SHA-256 is of"
    if not batch.fingerprint:
        return "it has a body that nobody signed" if batch.body or batch.signature else ""
    if key is None or not _is_key(key, batch.fingerprint):
        return "the key that signed it is not among those that were enrolled"
    if (key.vantage, key.country) != (batch.vantage, batch.country):
        return "the key that signed it speaks for another vantage"
    claim = Claim(
        method="POST",
        path=BATCHES,
        vantage=batch.vantage,
        key=batch.fingerprint,
        request=batch.id,
        sent_at=batch.sent_at,
        encoding=batch.encoding,
        signature=batch.signature,
    )
    try:
        fits = is_signed(claim, key.key, batch.body)
    except UnicodeEncodeError:
        fits = False  # no text that could be sent
    return "" if fits else "its signature does not fit"


def _is_key(key: Enrolment, digits: str) -> bool:
    try:
        return fingerprint(key.key) == key.fingerprint == digits
    except ValueError:
        return False


def unpacked(batch: ReceivedBatch) -> bytes:
    """What is in its body, never more than a collector takes. EvidenceError."""
    try:
        return unpack(batch.body, batch.encoding, MOST_UNPACKED)
    except Refused as refused:
        raise EvidenceError(refused.detail) from None


def looks_in(body: bytes, vantage: str, platform: str) -> Iterator[tuple[str, list[Measurement]]]:
    """Cycle after cycle of an unpacked body, its looks at one platform as a collector stores them:
    with times by the collectors' clock. EvidenceError."""
    try:
        batch = _read_batch(body)
        if batch.vantage != vantage:
            raise EvidenceError("it tells of another vantage than the one that signed it")
        for report in batch.reports:
            shift = timedelta(seconds=report.offset)
            looks = [
                _shifted(_read_look(raw), shift)
                for raw in report.measurements
                if _peek(raw).platform == platform
            ]
            if any((one.vantage, one.cycle) != (vantage, report.cycle) for one in looks):
                raise EvidenceError("it holds a look of another vantage or cycle")
            yield report.cycle, looks
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise EvidenceError(f"it is no batch: {str(error)[:200]}") from None


def _shifted(look: Measurement, shift: timedelta) -> Measurement:
    if look.started_at.tzinfo is None:
        raise ValueError("a time without a zone")
    return msgspec.structs.replace(look, started_at=look.started_at.astimezone(UTC) + shift)


def digest(look: Measurement) -> bytes:
    """16 bytes that stand for all a look holds, as it is stored."""
    return hashlib.blake2b(_encode(storable(look, Measurement)), digest_size=16).digest()
