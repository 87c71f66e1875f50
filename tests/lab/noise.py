"""The server's hello of WhatsApp's Noise handshake, encrypted for a client's key. Values only.

Needs cryptography, and so a child that has called `worker.load_packages`.
"""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NOISE = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"
CERTIFICATES = 233
"""Bytes of a server's certificates, before they are encrypted."""


def server_hello(prologue: bytes, client: bytes) -> bytes:
    """What a server with keys of its own says to a client with that ephemeral key."""
    ephemeral, static = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    mine = ephemeral.public_key().public_bytes_raw()
    digest = NOISE
    for part in (prologue, client, mine):
        digest = hashlib.sha256(digest + part).digest()
    chain, cipher = _mixed(NOISE, ephemeral, client)
    sealed = cipher.encrypt(bytes(12), static.public_key().public_bytes_raw(), digest)
    digest = hashlib.sha256(digest + sealed).digest()
    _, cipher = _mixed(chain, static, client)
    certificates = cipher.encrypt(bytes(12), os.urandom(CERTIFICATES), digest)
    hello = b"".join(
        bytes([number << 3 | 2]) + varint(len(part)) + part
        for number, part in ((1, mine), (2, sealed), (3, certificates))
    )
    return bytes([3 << 3 | 2]) + varint(len(hello)) + hello


def _mixed(chain: bytes, own: X25519PrivateKey, theirs: bytes) -> tuple[bytes, AESGCM]:
    """HKDF over a shared secret: the next chaining key, and a cipher."""
    secret = own.exchange(X25519PublicKey.from_public_bytes(theirs))
    early = hmac.digest(chain, secret, "sha256")
    first = hmac.digest(early, b"\x01", "sha256")
    return first, AESGCM(hmac.digest(early, first + b"\x02", "sha256"))


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    if number < 0x80:
        return bytes([number])
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7)
