"""Signatures of agents' requests and of collectors' answers.

The headers of an agent's request carry its vantage, the fingerprint of its key, an id, the time of
sending, the SHA-256 of the body *as it is sent*, and an Ed25519 signature over all of these, the
method, the path and the encoding. So a collector knows from the headers alone whether it reads the
body at all, and checks the body before it unpacks it. The time of sending is by the collectors'
clock as the agent last heard it, since a small computer may have no clock. A batch that is sent
again has the same id and body and another time.

An agent accepts receipts (after which it deletes), settings, control measurements and the news that
its key was revoked (after which it ends) only with the signature of the collectors' key, which it
got when it was set up.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from monitor.keys.keys import fingerprint, public_text, sign, signed_by

if TYPE_CHECKING:  # as in monitor.keys.keys
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VANTAGE, KEY = "shutwatch-vantage", "shutwatch-key"
REQUEST, SENT, SIGNATURE = "shutwatch-request", "shutwatch-sent", "shutwatch-signature"
BODY = "shutwatch-body"
HEADERS = (VANTAGE, KEY, REQUEST, SENT, BODY, SIGNATURE)
"""Names of headers, in lower case."""

_REQUEST = b"shutwatch agent request 1\n"
_ANSWER = b"shutwatch collector answer 1\n"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The headers of a request, not verified yet."""

    method: str
    """In capitals."""
    path: str
    """Without a query, which no request has."""
    vantage: str
    key: str
    """Fingerprint: 64 hexadecimal digits."""
    request: str
    """UUIDv7; for a batch, the batch's id."""
    sent_at: str
    """UTC, as `2026-01-02T03:04:05.678901Z`."""
    encoding: str
    """Content-Encoding; `identity` without one."""
    body: str
    """SHA-256 of the body as it is sent: 64 hexadecimal digits."""
    signature: str
    """Base64."""

    def text(self) -> bytes:
        """The signed text."""
        parts = (
            *(self.method, self.path, self.vantage, self.key, self.request, self.sent_at),
            *(self.encoding, self.body),
        )
        return "".join(f"{part}\n" for part in parts).encode()


class IncompleteError(Exception):
    """A header that identifies the sender is missing; the message names it."""


def claim_of(method: str, path: str, headers: Mapping[str, str]) -> Claim:
    """The claim in the headers (names in lower case).

    Raises IncompleteError when a header is missing, or has characters such as a line break.
    """
    found = {name: headers.get(name, "") for name in HEADERS}
    found["content-encoding"] = headers.get("content-encoding") or "identity"
    for name, value in found.items():
        if not value or not value.isprintable() or not value.isascii():
            raise IncompleteError(name)
    return Claim(
        method=method,
        path=path,
        vantage=found[VANTAGE],
        key=found[KEY],
        request=found[REQUEST],
        sent_at=found[SENT],
        encoding=found["content-encoding"],
        body=found[BODY],
        signature=found[SIGNATURE],
    )


def signed_headers(
    key: "Ed25519PrivateKey",
    *,
    method: str,
    path: str,
    vantage: str,
    request: str,
    sent_at: str,
    encoding: str = "identity",
    body: bytes = b"",
    digest: str = "",
) -> dict[str, str]:
    """The headers of a request with that body, or with a body of that `digest` which is sealed
    already; parameters as in Claim."""
    claim = Claim(
        method=method,
        path=path,
        vantage=vantage,
        key=fingerprint(public_text(key)),
        request=request,
        sent_at=sent_at,
        encoding=encoding,
        body=digest or body_digest(body),
        signature="",
    )
    headers = {
        VANTAGE: claim.vantage,
        KEY: claim.key,
        REQUEST: claim.request,
        SENT: claim.sent_at,
        BODY: claim.body,
        SIGNATURE: sign(key, _REQUEST, claim.text()),
    }
    return headers if encoding == "identity" else {**headers, "content-encoding": encoding}


def body_digest(body: bytes) -> str:
    """The SHA-256 of a body as it is sent, as headers carry it."""
    return hashlib.sha256(body).hexdigest()


def is_signed(claim: Claim, public: str) -> bool:
    """Whether that public key signed this claim; the body must still have the claim's digest."""
    return signed_by(public, claim.signature, _REQUEST, claim.text())


def sign_answer(key: "Ed25519PrivateKey", request: str, body: bytes) -> str:
    """The signature of an answer, valid only for the request of that id."""
    return sign(key, _ANSWER, request.encode() + b"\n" + body)


def is_answer(public: str, signature: str, request: str, body: bytes) -> bool:
    """Whether that public key signed this answer to that request."""
    return signed_by(public, signature, _ANSWER, request.encode() + b"\n" + body)
