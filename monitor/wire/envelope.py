"""The sealed envelope of a request: who ends TLS on the way learns neither whose it is nor what it
says.

    shutwatch-sealed: base64 of the request's headers, sealed to the collectors' key
    body:             the signed body, sealed by itself

The headers are `monitor.wire.signing`'s, which say who sends, when, and the SHA-256 of the body
inside; with them go a key for the answer, and what waits in the agent's spool. They are small and
opened first: a collector knows the sender, and that the signature fits, before it reads the body.
The body is sealed apart since it waits in the spool like that, where the agent cannot open it.

The signature is inside and about the opened body, so stored batches prove as much as ever.
"""

import base64
import os
import zlib
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from monitor.keys.sealing import OVERHEAD, SealError, seal, unseal
from monitor.wire.signing import body_digest

SEALED = "shutwatch-sealed"
"""The one header of a request that needs a key."""
ANSWER_KEY, SPOOL = "shutwatch-answer-key", "shutwatch-spool"
"""Sealed headers: 32 bytes in base64, for one answer alone; measurements that wait after this
batch, and those ever dropped."""
MOST_HEADERS = 4096
"""Bytes of `shutwatch-sealed`."""
_HEADERS, _BODY = b"shutwatch request headers 1", b"shutwatch request body 1"
_KEY, _NONCE = 32, 12
_Headers = msgspec.json.Decoder(dict[str, str])


class SealedBody(msgspec.Struct, frozen=True, kw_only=True):
    """A body that only a collector can open."""

    sealed: bytes = b""
    """Empty for no body."""
    digest: str = body_digest(b"")
    """SHA-256 of the body inside, 64 hexadecimal digits."""
    encoding: str = "identity"
    """Content-Encoding of the body inside."""


NO_BODY = SealedBody()


def seal_body(public: str, body: bytes, encoding: str = "identity") -> SealedBody:
    """Seal a body that is not empty to the collectors' key."""
    return SealedBody(sealed=seal(public, _BODY, body), digest=body_digest(body), encoding=encoding)


def open_body(key: X25519PrivateKey, sealed: bytes) -> bytes:
    """The body inside; nothing of nothing. Raises SealError."""
    return unseal(key, _BODY, sealed) if sealed else b""


def sealed_size(most: int) -> int:
    """Bytes of a sealed body of at most so many."""
    return most + OVERHEAD


def seal_headers(public: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The header that holds these, sealed to the collectors' key."""
    sealed = seal(public, _HEADERS, msgspec.json.encode(dict(headers)))
    return {SEALED: base64.b64encode(sealed).decode()}


def open_headers(key: X25519PrivateKey, written: str) -> dict[str, str]:
    """The headers inside. Raises SealError."""
    try:
        sealed = base64.b64decode(written, validate=True)
        return _Headers.decode(unseal(key, _HEADERS, sealed))
    except (ValueError, msgspec.DecodeError) as error:
        raise SealError("no sealed headers") from error


def new_answer_key() -> bytes:
    """For one request."""
    return os.urandom(_KEY)


def answer_key_text(key: bytes) -> str:
    """As a header holds it."""
    return base64.b64encode(key).decode()


def answer_key_in(headers: Mapping[str, str]) -> bytes:
    """The key among opened headers. Raises SealError."""
    try:
        key = base64.b64decode(headers.get(ANSWER_KEY, ""), validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY:
        raise SealError("no key for the answer")
    return key


def seal_answer(key: bytes, request: str, body: bytes) -> bytes:
    """An answer that only the sender of that request can open. One that is answered twice gets
    another nonce, so nobody learns more by sending it again."""
    nonce = os.urandom(_NONCE)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, zlib.compress(body), request.encode())


def open_answer(key: bytes, request: str, sealed: bytes, most: int) -> bytes:
    """The answer inside, of at most so many bytes. Raises SealError."""
    try:
        packed = ChaCha20Poly1305(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], request.encode())
        unpacker = zlib.decompressobj()
        body = unpacker.decompress(packed, most)
    except (InvalidTag, ValueError, zlib.error) as error:
        raise SealError("an answer that was not sealed for this request") from error
    if not unpacker.eof:
        raise SealError("an answer that does not end")
    return body
