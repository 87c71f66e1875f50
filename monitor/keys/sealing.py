"""Sealing to a public key (HPKE, RFC 9180): anybody can close, the owner of the key alone opens.

An installation's sealing key follows from its signing key, so that there is one file to keep and to
copy to each collector. HKDF tells the two apart: neither gives the other away.
"""

import base64
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

OVERHEAD = 48
"""Bytes by which sealing makes a text longer: an ephemeral key, and a tag."""
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
"""ChaCha20, since small computers often have no instructions for AES."""
_DERIVED = b"shutwatch sealing key 1"


class SealError(Exception):
    """It was sealed to another key or for another purpose, or was changed."""


def sealing_key(signing: Ed25519PrivateKey) -> X25519PrivateKey:
    """The key of an installation to open what was sealed to it."""
    derived = HKDF(SHA256(), 32, salt=None, info=_DERIVED).derive(signing.private_bytes_raw())
    return X25519PrivateKey.from_private_bytes(derived)


def sealing_text(key: X25519PrivateKey) -> str:
    """Its public half, base64 of 32 bytes."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def keys_fingerprint(signing: str, sealing: str) -> str:
    """64 hexadecimal digits for both public keys of an installation, which people compare."""
    return hashlib.sha256(b"".join(map(base64.b64decode, (signing, sealing)))).hexdigest()


def seal(public: str, purpose: bytes, text: bytes) -> bytes:
    """Seal a text to a public key as `sealing_text` writes it, for that purpose only."""
    key = X25519PublicKey.from_public_bytes(base64.b64decode(public))
    return _SUITE.encrypt(text, key, purpose)


def unseal(key: X25519PrivateKey, purpose: bytes, sealed: bytes) -> bytes:
    """What was sealed to that key for that purpose. Raises SealError."""
    try:
        return _SUITE.decrypt(sealed, key, purpose)
    except (InvalidTag, ValueError) as error:
        raise SealError("sealed to another key, or changed") from error
