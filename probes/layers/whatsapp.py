"""WhatsApp's own protocol, up to the server's hello: is the peer a chat server?

Noise_XX_25519_AESGCM_SHA256 over TCP. A client begins with a key made for this one connection; it
names no account and no device. The server answers with a key of its own, and with its lasting key
and its certificates, both encrypted. Only who holds the private halves of both keys of the server
can encrypt these, so a middlebox that completes every handshake, answers in HTTP, or repeats an
answer it once saw is told from a chat server.

    client  57 41 05 03                           prologue: "WA", version, dictionary
            00 00 24                              length of a message, big-endian
            12 22 0a 20  key                      client hello: field 2 { 1: ephemeral key }
    server  length
            1a …                                  server hello: field 3 {
                 0a 20  key                         1: ephemeral key,
                 12 30  48 bytes                    2: static key and its tag, encrypted,
                 1a …                               3: certificates, encrypted }

A client would go on with its "client finish", which holds its account. That is never sent. The
certificates are decrypted, not judged: whoever signs them may change without notice.

Sources: tulir/whatsmeow, WhiskeySockets/Baileys and Cobalt, three clients that agree.
"""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from probes.failure_strings import unknown_failure
from probes.layers.app_answer import AppAnswer, ask_over_stream
from probes.sockets.failure_mapping import MalformedReplyError
from probes.sockets.network import Stream

NOT_NOISE = unknown_failure("not WhatsApp's Noise")

PROLOGUE = b"WA\x05\x03"
_NAME = b"Noise_XX_25519_AESGCM_SHA256".ljust(32, b"\0")
"""Of 32 bytes, so it is the first hash, and the first chaining key, as it is."""
_KEY, _TAG = 32, 16
_LENGTH = 3
_SERVER_HELLO = 0x1A
_EPHEMERAL, _STATIC, _CERTIFICATES = 1, 2, 3
_SHORTEST, _LONGEST = 2 * _KEY + 2 * _TAG, 8192
"""Bytes of a message; real ones have about 350."""
_BYTES_FIELD = 2
"""Protobuf's wire type for what has a length."""


async def ask_server_hello(stream: Stream, timeout: float) -> AppAnswer:  # noqa: ASYNC109 # a whole dialogue
    """Greet over a connected stream, wait at most `timeout` seconds. Does not close it.

    Never raises for network failures; may be cancelled at any point.
    """
    key = X25519PrivateKey.generate()
    return await ask_over_stream(
        stream,
        encode_client_hello(key),
        lambda received: is_server_hello(received, key),
        otherwise=NOT_NOISE,
        longest=_LONGEST,
        timeout=timeout,
    )


def encode_client_hello(key: X25519PrivateKey) -> bytes:
    """The first bytes of a connection: 43, of which 32 are the public half of `key`."""
    hello = b"\x12\x22\x0a\x20" + key.public_key().public_bytes_raw()
    return PROLOGUE + len(hello).to_bytes(_LENGTH, "big") + hello


def is_server_hello(received: bytes, key: X25519PrivateKey) -> bool:
    """True for a whole server hello to the client hello with `key`, False while it is incomplete.

    Raises MalformedReplyError as soon as no server hello begins like `received`, and for one that
    was not made for `key`.
    """
    length = int.from_bytes(received[:_LENGTH], "big")
    if len(received) >= _LENGTH and not _SHORTEST <= length <= _LONGEST:
        raise MalformedReplyError("a message of another length")
    message = received[_LENGTH : _LENGTH + length]
    if message and message[0] != _SERVER_HELLO:
        raise MalformedReplyError("another message")
    if len(received) < _LENGTH or len(message) < length:
        return False
    hello = _fields(_fields(message)[_SERVER_HELLO >> 3])
    if not {_EPHEMERAL, _STATIC, _CERTIFICATES} <= hello.keys():
        raise MalformedReplyError("a part is missing")
    if len(hello[_EPHEMERAL]) != _KEY or len(hello[_STATIC]) != _KEY + _TAG:
        raise MalformedReplyError("a key of another length")
    _prove(key, hello[_EPHEMERAL], hello[_STATIC], hello[_CERTIFICATES])
    return True


def _prove(key: X25519PrivateKey, ephemeral: bytes, static: bytes, certificates: bytes) -> None:
    """Raise unless the sender of the hello holds the private halves of its two keys."""
    digest = _NAME
    for said in (PROLOGUE, key.public_key().public_bytes_raw(), ephemeral):
        digest = hashlib.sha256(digest + said).digest()
    try:
        chaining, cipher = _mixed(_NAME, key, ephemeral)
        lasting = cipher.decrypt(bytes(12), static, digest)
        digest = hashlib.sha256(digest + static).digest()
        _, cipher = _mixed(chaining, key, lasting)
        cipher.decrypt(bytes(12), certificates, digest)
    except (InvalidTag, ValueError):
        # X25519 refuses keys that would make the secret known to all.
        raise MalformedReplyError("not made for this key") from None


def _mixed(chaining: bytes, key: X25519PrivateKey, theirs: bytes) -> tuple[bytes, AESGCM]:
    """The next chaining key and cipher, out of a secret shared with the holder of `theirs`."""
    secret = key.exchange(X25519PublicKey.from_public_bytes(theirs))
    made = HKDF(algorithm=SHA256(), length=2 * _KEY, salt=chaining, info=b"").derive(secret)
    return made[:_KEY], AESGCM(made[_KEY:])


def _fields(message: bytes) -> dict[int, bytes]:
    """The fields of a protobuf message, all of which must be bytes. Raises MalformedReplyError."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        size, at = _varint(message, at)
        if tag & 7 != _BYTES_FIELD or at + size > len(message):
            raise MalformedReplyError("another field")
        found[tag >> 3] = message[at : at + size]
        at += size
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of at most three bytes at that position, and the position behind it."""
    number = 0
    for shift, byte in enumerate(message[at : at + 3]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return number, at + shift + 1
    raise MalformedReplyError("no number")
