"""How requests of agents and answers of collectors are signed.

Every request of an agent carries, in headers, its vantage, the fingerprint of its key, an id, the
time of sending, and an Ed25519 signature over all of these, the method, the path, the encoding and
the SHA-256 of the body *as it is sent*: so a body is believed before it is unpacked. The time of
sending is by the collectors' clock as the agent last heard it, since a small computer may have
none. Sent again, a batch has the same id and body and another time.

What an agent acts on, it believes only with the signature of the collectors' key, which it was
given when it was set up: receipts (they let it delete), settings, what controls see.
"""

import hashlib
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.keys.keys import fingerprint, public_text, sign, signed_by

VANTAGE, KEY = "shutwatch-vantage", "shutwatch-key"
REQUEST, SENT, SIGNATURE = "shutwatch-request", "shutwatch-sent", "shutwatch-signature"
"""Names of headers, in lower case."""

_REQUEST = b"shutwatch agent request 1\n"
_ANSWER = b"shutwatch collector answer 1\n"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Who says what about a request, before any of it is believed."""

    method: str
    """In capitals."""
    path: str
    """Without query; there never is one."""
    vantage: str
    key: str
    """Fingerprint: 64 hexadecimal digits."""
    request: str
    """UUIDv7; of a batch, the batch's."""
    sent_at: str
    """UTC, as `2026-01-02T03:04:05.678901Z`."""
    encoding: str
    """Content-Encoding; `identity` without one."""
    signature: str
    """Base64."""

    def text(self, body: bytes) -> bytes:
        """What is signed of it, with the body as it is sent."""
        parts = (
            *(self.method, self.path, self.vantage, self.key, self.request, self.sent_at),
            *(self.encoding, hashlib.sha256(body).hexdigest()),
        )
        return "".join(f"{part}\n" for part in parts).encode()


class IncompleteError(Exception):
    """A request does not say who sends it; the message names the header."""


def claim_of(method: str, path: str, headers: Mapping[str, str]) -> Claim:
    """What the headers (names in lower case) claim. IncompleteError when one is missing, or holds
    what could pass for two lines."""
    found = {}
    for name in (VANTAGE, KEY, REQUEST, SENT, SIGNATURE):
        value = headers.get(name, "")
        if not value or not value.isprintable() or not value.isascii():
            raise IncompleteError(name)
        found[name] = value
    encoding = headers.get("content-encoding") or "identity"
    if not encoding.isprintable() or not encoding.isascii():
        raise IncompleteError("content-encoding")
    return Claim(
        method=method,
        path=path,
        vantage=found[VANTAGE],
        key=found[KEY],
        request=found[REQUEST],
        sent_at=found[SENT],
        encoding=encoding,
        signature=found[SIGNATURE],
    )


def signed_headers(
    key: Ed25519PrivateKey,
    *,
    method: str,
    path: str,
    vantage: str,
    request: str,
    sent_at: str,
    encoding: str = "identity",
    body: bytes = b"",
) -> dict[str, str]:
    """The headers of a request with that body as it is sent; `sent_at` and the rest as in Claim."""
    claim = Claim(
        method=method,
        path=path,
        vantage=vantage,
        key=fingerprint(public_text(key)),
        request=request,
        sent_at=sent_at,
        encoding=encoding,
        signature="",
    )
    headers = {
        VANTAGE: claim.vantage,
        KEY: claim.key,
        REQUEST: claim.request,
        SENT: claim.sent_at,
        SIGNATURE: sign(key, _REQUEST, claim.text(body)),
    }
    return headers if encoding == "identity" else {**headers, "content-encoding": encoding}


def is_signed(claim: Claim, public: str, body: bytes) -> bool:
    """Whether that public key signed this claim with this body, as it was sent."""
    return signed_by(public, claim.signature, _REQUEST, claim.text(body))


def sign_answer(key: Ed25519PrivateKey, request: str, body: bytes) -> str:
    """The signature of an answer to the request of that id: good for no other."""
    return sign(key, _ANSWER, request.encode() + b"\n" + body)


def is_answer(public: str, signature: str, request: str, body: bytes) -> bool:
    """Whether that public key signed this answer to that request."""
    return signed_by(public, signature, _ANSWER, request.encode() + b"\n" + body)
