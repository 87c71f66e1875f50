"""What a request claims about its sender and its time of sending, and its body within limits."""

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from starlette.requests import Request

from monitor.collector.batch_checks import is_id
from monitor.keys.sealing import SealError
from monitor.metrics.ingest_counts import Spool
from monitor.wire.answers import AGE_LIMIT, Reason
from monitor.wire.envelope import (
    MOST_HEADERS,
    SEALED,
    SPOOL,
    answer_key_in,
    open_body,
    open_headers,
)
from monitor.wire.invitation import INVITATION, PUBLIC
from monitor.wire.refusal import BUSY_FOR, Refused, malformed
from monitor.wire.signing import Claim, IncompleteError, body_digest, claim_of
from storage.values.fleet import Enrolment
from storage.values.times import text_time, time_text

PATIENCE = 30.0
"""Seconds that any body may take."""
SLOWEST = 4096
"""Bytes per second that a body must reach beyond that: the speed of a 2G line."""
_COUNTS = re.compile(r"([0-9]{1,15}) ([0-9]{1,15})").fullmatch
"""Below 2**53, as far as any number of ours goes."""


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """The sender of a request whose signature was checked."""

    claim: Claim
    spool: Spool | None
    """Of the agent, where the request tells of it."""
    enrolment: Enrolment
    began: float
    """When the request came, in seconds of the collector's own clock."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What the sealed headers of a request hold."""

    claim: Claim
    answer_key: bytes
    """Seals the answer."""
    spool: Spool | None
    """None in any request but a batch."""
    invitation: str
    """Proof of an invitation; empty in any request but an enrolment."""
    public: str
    """The public key to enrol; empty likewise."""


def opened(request: Request, key: X25519PrivateKey) -> Envelope:
    """The sealed headers of a request. Refused when they were not sealed to this key, or are
    incomplete."""
    if request.scope["query_string"]:
        raise malformed("nothing here has a query")
    written = request.headers.get(SEALED, "")
    if not 0 < len(written) <= MOST_HEADERS:
        raise malformed(f"the header {SEALED} is missing, or too long")
    try:
        headers = open_headers(key, written)
        claim = _claim_in(request, headers)
        return Envelope(
            claim=claim,
            answer_key=answer_key_in(headers),
            spool=_spool_in(headers),
            invitation=headers.get(INVITATION, ""),
            public=headers.get(PUBLIC, ""),
        )
    except SealError as error:
        # Not for good: the host may have been given another installation's key.
        raise Refused(Reason.UNKNOWN_KEY, f"{SEALED}: {error}; see sealing_key") from None


def _spool_in(headers: Mapping[str, str]) -> Spool | None:
    counts = headers.get(SPOOL, "")
    if not counts:
        return None
    found = _COUNTS(counts)
    if found is None:
        raise malformed(f"{SPOOL} is no two counts")
    return Spool(waiting=int(found[1]), dropped=int(found[2]))


def _claim_in(request: Request, headers: Mapping[str, str]) -> Claim:
    """What a request claims about itself. Refused when it is incomplete."""
    try:
        claim = claim_of(request.method, request.scope["path"], headers)
    except IncompleteError as error:
        raise malformed(f"the header {error} is missing, or is none") from None
    if not is_id(claim.request):
        raise malformed("the id of the request is no UUID")
    return claim


def check_age(sent_at: str, now: datetime) -> None:
    """Refused for a time of sending that is too old, in the future, or malformed."""
    try:
        sent = text_time(sent_at)
        canonical = time_text(sent) == sent_at
    except (ValueError, OverflowError):
        canonical = False
    if not canonical:
        raise malformed("the time of sending is not of the form 2026-01-02T03:04:05.678901Z")
    age = (now - sent).total_seconds()
    if age > AGE_LIMIT:
        raise Refused(Reason.STALE, f"sent more than {AGE_LIMIT:.0f} seconds ago")
    if age < -AGE_LIMIT:
        raise Refused(Reason.FUTURE, f"sent more than {AGE_LIMIT:.0f} seconds from now")


def check_body(claim: Claim, body: bytes) -> None:
    """Refused for another body than the claim, whose signature was checked, is about."""
    if body_digest(body) != claim.body:
        raise Refused(Reason.BAD_SIGNATURE, "the body is not the one that was signed")


def open_sealed(key: X25519PrivateKey, sealed: bytes) -> bytes:
    """The body inside. Refused when it was sealed to another key: nobody will ever open it."""
    try:
        return open_body(key, sealed)
    except SealError as error:
        raise malformed(f"the body: {error}") from None


async def read_body(request: Request, most: int, patience: float = PATIENCE) -> bytes:
    """The body as it was sent. Refused when it is more than `most` bytes, at once if Content-Length
    says so, or when it does not arrive in time.

    Raises starlette.requests.ClientDisconnect when the sender is gone.
    """
    announced = _announced(request, most)
    body = bytearray()
    try:
        async with asyncio.timeout(patience + announced / SLOWEST):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise _oversize(most)
    except TimeoutError:
        raise Refused(
            Reason.BUSY, "the body came too slowly", retry_after=BUSY_FOR, closing=True
        ) from None
    return bytes(body)


def _announced(request: Request, most: int) -> int:
    written = request.headers.get("content-length")
    if written is None:
        return most
    if not written.isascii() or not written.isdigit():
        raise malformed("Content-Length is no number")
    if len(written) > len(str(most)) or int(written) > most:
        raise _oversize(most)
    return int(written)


def _oversize(most: int) -> Refused:
    # The connection stays open: a sender that is cut off in mid-body does not get the answer.
    return Refused(Reason.OVERSIZE, f"a body of more than {most} bytes")
