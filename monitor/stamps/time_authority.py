"""A time authority's reply (RFC 3161): who says that some data existed, and when.

A reply proves no more than its authority is worth, so it is checked against root certificates that
the reader trusts. Without them it is a claim.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

LARGEST = 65_536
"""Bytes of a reply: those of authorities with a whole chain take some 6,000."""


class StampError(Exception):
    """What was received or enclosed is no proof of time for this data; the message says why."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What an authority says."""

    at: datetime
    """UTC; the data existed by then."""
    trusted: bool
    """Whether its signature leads to one of the roots given."""


def request_for(data: bytes) -> tuple[bytes, int]:
    """The query to send for some data, and the number that the reply must repeat."""
    builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256)
    request = builder.cert_request(cert_request=True).build()
    if request.nonce is None:
        raise AssertionError("the library made a query without a nonce")
    return request.as_bytes(), request.nonce


def read_reply(
    reply: bytes,
    data: bytes,
    roots: Sequence[x509.Certificate] = (),
    nonce: int | None = None,
) -> Stamp:
    """What a reply says about `data`. Raises StampError where it is about something else, or was
    refused, or repeats another `nonce`."""
    if len(reply) > LARGEST:
        raise StampError("it is larger than any time authority's reply")
    try:
        response = decode_timestamp_response(reply)
        if response.status != PKIStatus.GRANTED:
            raise StampError(f"the time authority refused, with status {response.status}")
        info = response.tst_info
        imprint = info.message_imprint
        if imprint.message != hashlib.sha256(data).digest():
            raise StampError("it is about other data")
        if nonce is not None and info.nonce != nonce:
            raise StampError("it answers another query")
        at = info.gen_time
    except ValueError as error:
        raise StampError(f"it is no time authority's reply: {str(error)[:200]}") from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Stamp(at=at.astimezone(UTC), trusted=_leads_to(response, data, roots))


def _leads_to(response: TimeStampResponse, data: bytes, roots: Sequence[x509.Certificate]) -> bool:
    if not roots:
        return False
    try:
        verifier = VerifierBuilder(roots=list(roots)).build()
        return verifier.verify_message(response, data)
    except (VerificationError, ValueError):
        return False


def roots_in(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file. Raises OSError, and ValueError where it has none."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError as error:
        raise ValueError("holds no certificate in PEM") from error
