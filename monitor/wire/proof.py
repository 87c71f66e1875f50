"""Verify that a stored batch is what a vantage signed, and read its measurements.

No clock, no file, no database: everybody with a batch and a public key can do the same check, the
database's operator and the reader of a report.
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
_read_measurement = msgspec.json.Decoder(Measurement).decode
_peek = msgspec.json.Decoder(_Peek).decode


def fault_of(batch: ReceivedBatch, key: Enrolment | None) -> str:
    """Why a batch is not valid, as a clause; empty when it is.

    `key` is the enrolment with the batch's fingerprint, None when there is none. A batch of a
    collector's own vantages has neither a signature nor a body.
    """
    if hashlib.sha256(batch.body).hexdigest() != batch.body_sha256:
        return "its body does not have its SHA-256"
    if not batch.fingerprint:
        return "it has a body without a signature" if batch.body or batch.signature else ""
    if key is None or not _is_key(key, batch.fingerprint):
        return "the key that signed it was never enrolled"
    if (key.vantage, key.country) != (batch.vantage, batch.country):
        return "the key that signed it belongs to another vantage"
    claim = Claim(
        method="POST",
        path=BATCHES,
        vantage=batch.vantage,
        key=batch.fingerprint,
        request=batch.id,
        sent_at=batch.sent_at,
        encoding=batch.encoding,
        body=batch.body_sha256,
        signature=batch.signature,
    )
    try:
        fits = is_signed(claim, key.key)
    except UnicodeEncodeError:
        fits = False  # not text that could have been sent
    return "" if fits else "its signature does not fit"


def _is_key(key: Enrolment, digits: str) -> bool:
    try:
        return fingerprint(key.key) == key.fingerprint == digits
    except ValueError:
        return False


def unpacked(batch: ReceivedBatch) -> bytes:
    """Its body unpacked, up to the limit of a collector. Raises EvidenceError."""
    try:
        return unpack(batch.body, batch.encoding, MOST_UNPACKED)
    except Refused as refused:
        raise EvidenceError(refused.detail) from None


def measurements_in(
    body: bytes, vantage: str, platform: str
) -> Iterator[tuple[str, list[Measurement]]]:
    """Each cycle of an unpacked body with its measurements of one platform.

    They are as a collector stores them, with times by the collectors' clock. Raises EvidenceError.
    """
    try:
        batch = _read_batch(body)
        if batch.vantage != vantage:
            raise EvidenceError("it is about another vantage than the one that signed it")
        for report in batch.reports:
            shift = timedelta(seconds=report.offset)
            measurements = [
                _shifted(_read_measurement(raw), shift)
                for raw in report.measurements
                if _peek(raw).platform == platform
            ]
            if any((one.vantage, one.cycle) != (vantage, report.cycle) for one in measurements):
                raise EvidenceError("it holds a measurement of another vantage or cycle")
            yield report.cycle, measurements
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise EvidenceError(f"it is not a batch: {str(error)[:200]}") from None


def _shifted(measurement: Measurement, shift: timedelta) -> Measurement:
    if measurement.started_at.tzinfo is None:
        raise ValueError("a time without a zone")
    started_at = measurement.started_at.astimezone(UTC) + shift
    return msgspec.structs.replace(measurement, started_at=started_at)


def digest(measurement: Measurement) -> bytes:
    """Digest of a whole measurement as it is stored, 16 bytes."""
    return hashlib.blake2b(_encode(storable(measurement, Measurement)), digest_size=16).digest()
