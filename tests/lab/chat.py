"""What chat servers say first: Telegram's MTProto and WhatsApp's Noise. Bytes in, bytes out.

Only the first exchange, which proves to a client whom it has reached:

- MTProto over the abridged and the intermediate transport: `req_pq` or `req_pq_multi` gets
  `resPQ` with the client's nonce; what is no such message gets the transport error -404.
- Noise: the prologue and a client hello frame get a server hello, encrypted for the client's key.
"""

import os
import random
import struct
import time
from importlib.util import find_spec
from typing import Protocol

from tests.lab.worker import load_packages

REQ_PQ, REQ_PQ_MULTI, RES_PQ = 0x60469778, 0xBE7E8EF1, 0x05162463
VECTOR = 0x1CB5C415
FINGERPRINTS = (0xD09D1D85DE64FD85,)
PRIMES = (1000000007, 1000000009, 1000000021, 1000000033, 1000000087, 1000000093, 1000000097)
NO_SUCH_KEY = struct.pack("<i", -404)
MOST_MESSAGE = 1 << 16


class Chat(Protocol):
    """One connection's server side."""

    def feed(self, data: bytes) -> bytes | None:
        """What to say to what was said; None hangs up."""


class MtProto:
    """A Telegram data centre."""

    def __init__(self) -> None:
        self._heard = b""
        self._transport = ""

    def feed(self, data: bytes) -> bytes | None:
        """What to say to what was said; None hangs up."""
        self._heard += data
        if not self._transport:
            if self._heard[:1] == b"\xef":
                self._transport, self._heard = "abridged", self._heard[1:]
            elif self._heard[:4] == b"\xee" * 4:
                self._transport, self._heard = "intermediate", self._heard[4:]
            elif not (b"\xee" * 4).startswith(self._heard):
                return None
        said = b""
        while self._transport and (head := self._head()) is not None:
            start, size = head
            if size > MOST_MESSAGE:
                return None
            if len(self._heard) < start + size:
                break
            message = self._heard[start : start + size]
            self._heard = self._heard[start + size :]
            said += self._framed(res_pq(message) or NO_SUCH_KEY)
        return said

    def _head(self) -> tuple[int, int] | None:
        """Where the next message begins and how long it is, in bytes."""
        if self._transport == "intermediate":
            if len(self._heard) < 4:
                return None
            return 4, int.from_bytes(self._heard[:4], "little")
        if self._heard[:1] == b"\x7f":
            if len(self._heard) < 4:
                return None
            return 4, 4 * int.from_bytes(self._heard[1:4], "little")
        return (1, 4 * self._heard[0]) if self._heard else None

    def _framed(self, message: bytes) -> bytes:
        if self._transport == "intermediate":
            return len(message).to_bytes(4, "little") + message
        words = len(message) // 4
        return (bytes([words]) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")) + message


def res_pq(message: bytes) -> bytes | None:
    """The unencrypted message that answers `req_pq` or `req_pq_multi`; None for anything else."""
    if len(message) != 40:
        return None
    key, _, size, constructor = struct.unpack_from("<QQII", message)
    if key or size != 20 or constructor not in (REQ_PQ, REQ_PQ_MULTI):
        return None
    p, q = random.SystemRandom().sample(PRIMES, 2)
    pq = (p * q).to_bytes(8, "big")
    body = struct.pack("<I", RES_PQ) + message[24:40] + os.urandom(16)
    body += bytes([len(pq)]) + pq + bytes(-(1 + len(pq)) % 4)
    body += struct.pack("<II", VECTOR, len(FINGERPRINTS))
    body += b"".join(struct.pack("<Q", fingerprint) for fingerprint in FINGERPRINTS)
    # A server's answer has a message id of the form 4n + 1, made of the time.
    identity = int(time.time() * 2**32) & ~3 | 1
    return struct.pack("<QQI", 0, identity, len(body)) + body


class Noise:
    """A WhatsApp chat server."""

    def __init__(self) -> None:
        self._heard = b""

    def feed(self, data: bytes) -> bytes | None:
        """What to say to what was said; None hangs up."""
        self._heard += data
        rest = self._heard
        if rest[:1] == b"E":  # "ED": the edge that served this client last
            if len(rest) < 7:
                return b""
            rest = rest[7 + int.from_bytes(rest[4:7], "big") :]
        if not b"WA".startswith(rest[:2]):
            return None
        if len(rest) < 7:
            return b""
        size = int.from_bytes(rest[4:7], "big")
        if size > MOST_MESSAGE:
            return None
        if len(rest) < 7 + size:
            return b""
        hello = _field(rest[7 : 7 + size], 2)
        ephemeral = None if hello is None else _field(hello, 1)
        if ephemeral is None or len(ephemeral) != 32:
            return None
        self._heard = b""
        # Loaded when the first client says hello: a lab's children start without packages.
        if find_spec("cryptography") is None:
            load_packages()
        from tests.lab.noise import server_hello

        said = server_hello(rest[:4], ephemeral)
        return len(said).to_bytes(3, "big") + said


def _field(message: bytes, number: int) -> bytes | None:
    """A short length-delimited protobuf field that a message begins with."""
    if len(message) < 2 or message[0] != number << 3 | 2 or message[1] >= 0x80:
        return None
    value = message[2 : 2 + message[1]]
    return value if len(value) == message[1] else None


class Silent:
    """Accepts and never says anything."""

    def feed(self, data: bytes) -> bytes | None:  # noqa: ARG002
        """Nothing."""
        return b""


SPEAKERS: dict[str, type[MtProto] | type[Noise] | type[Silent]] = {
    "mtproto": MtProto,
    "noise": Noise,
    "": Silent,
}
