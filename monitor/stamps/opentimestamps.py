"""Proofs of OpenTimestamps: some data existed before a block of Bitcoin was made.

A proof is a chain of hashes from the data to the Merkle root in a block's header. A calendar first
promises such a chain (*pending*), and has it some hours later. Offline the chain is computed; that
a header is the block's of that height is for its reader to know, from a node or from several
explorers. The header then shows its time, and the work that it took.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from monitor.stamps.time_authority import StampError

MAGIC = b"\0OpenTimestamps\0\0Proof\0\xbf\x89\xe2\xe8\x84\xe8\x92\x94"
LARGEST = 65_536
"""Bytes of a proof."""
_VERSION = 1
_SHA256, _APPEND, _PREPEND, _FORK, _ATTESTED = 0x08, 0xF0, 0xF1, 0xFF, 0x00
_OTHERS = frozenset({0x02, 0x03, 0x67, 0xF2, 0xF3})
"""Operations of the format that no calendar needs: SHA-1, RIPEMD-160, Keccak, reversing, digits."""
_PENDING, _BITCOIN = bytes.fromhex("83dfe30d2ef90c8e"), bytes.fromhex("0588960d73d71901")
_LONGEST = 4096
"""Bytes of a value or an argument."""
_MOST_STEPS = 5000
_HEADER = 80
"""Bytes of a block's header."""
_EASIEST = 1 << 224
"""The easiest target that Bitcoin ever had: a header above it took no work."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar's promise."""

    calendar: str
    commitment: bytes
    """What the calendar will show to be in a block."""
    start: int
    end: int
    """Where the promise stands in the proof."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof leads to."""

    pending: tuple[Pending, ...]
    blocks: tuple[tuple[int, bytes], ...]
    """Height of a block of Bitcoin, and the Merkle root that its header must have."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A header that a proof leads to."""

    height: int
    at: datetime
    """UTC, as its miner wrote it, which may be two hours off."""
    hash: str
    """As explorers show it."""


def begun(data: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    """The beginning of a proof for `data`, and the digest to give to a calendar, which learns
    nothing by it, since `nonce` is random."""
    digest = hashlib.sha256(data).digest()
    steps = bytes([_APPEND, len(nonce)]) + nonce + bytes([_SHA256])
    head = MAGIC + bytes([_VERSION, _SHA256]) + digest
    return head + steps, hashlib.sha256(digest + nonce).digest()


def completed(proof: bytes, pending: Pending, rest: bytes) -> bytes:
    """The proof with what a calendar answered to a commitment, beside the promise."""
    promise = proof[pending.start : pending.end]
    return proof[: pending.start] + bytes([_FORK]) + promise + rest + proof[pending.end :]


def read_proof(proof: bytes, data: bytes) -> Proof:
    """What a proof for `data` leads to. Raises StampError."""
    if len(proof) > LARGEST:
        raise StampError("it is larger than any proof of OpenTimestamps")
    reader = _Reader(proof)
    digest = hashlib.sha256(data).digest()
    if reader.take(len(MAGIC)) != MAGIC or reader.number() != _VERSION or reader.byte() != _SHA256:
        raise StampError("it is no proof of OpenTimestamps that this version can read")
    if reader.take(len(digest)) != digest:
        raise StampError("it is about other data")
    pending: list[Pending] = []
    blocks: list[tuple[int, bytes]] = []
    for kind, payload, value, start in _attestations(reader, digest):
        if value is None:
            continue
        inner = _Reader(payload)
        if kind == _PENDING:
            calendar = inner.bytes().decode("ascii", "replace")
            pending.append(
                Pending(calendar=calendar, commitment=value, start=start, end=reader.place)
            )
        elif kind == _BITCOIN:
            blocks.append((inner.number(), value))
    if reader.place != len(proof):
        raise StampError("something follows its end")
    return Proof(pending=tuple(pending), blocks=tuple(blocks))


def _attestations(
    reader: "_Reader", digest: bytes
) -> Iterator[tuple[bytes, bytes, bytes | None, int]]:
    """Kind, payload, the value it is about, and where it begins, of each end of the chain. The
    value is None behind an operation that is not computed here."""
    open_: list[bytes | None] = []
    """Values at the forks whose other branches still follow."""
    value: bytes | None = digest
    for _ in range(_MOST_STEPS):
        start = reader.place
        operation = reader.byte()
        if operation == _FORK:
            open_.append(value)
            continue
        if operation == _ATTESTED:
            yield reader.take(8), reader.bytes(), value, start
            if not open_:
                return
            value = open_.pop()
            continue
        value = _computed(reader, operation, value)
    raise StampError("it has more steps than any proof of ours")


def _computed(reader: "_Reader", operation: int, value: bytes | None) -> bytes | None:
    if operation in (_APPEND, _PREPEND):
        more = reader.bytes()
        if value is None:
            return None
        value = value + more if operation == _APPEND else more + value
        if len(value) > _LONGEST:
            raise StampError("one of its values is too long")
        return value
    if operation == _SHA256:
        return None if value is None else hashlib.sha256(value).digest()
    if operation in _OTHERS:
        return None
    raise StampError(f"it has an operation that is not known: {operation:#04x}")


class _Reader:
    """Takes bytes from a proof, and never more than there are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def take(self, count: int) -> bytes:
        part = self._data[self.place : self.place + count]
        if len(part) != count:
            raise StampError("it is cut off")
        self.place += count
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        value = 0
        for shift in range(0, 63, 7):
            one = self.byte()
            value |= (one & 0x7F) << shift
            if not one & 0x80:
                return value
        raise StampError("one of its numbers is too large")

    def bytes(self) -> bytes:
        length = self.number()
        if length > _LONGEST:
            raise StampError("one of its parts is too long")
        return self.take(length)


def block_of(proof: Proof, headers: Mapping[int, bytes]) -> Block | None:
    """The oldest block that the proof leads to, of those whose headers the reader has. Raises
    StampError where such a header has another Merkle root, or took no work."""
    for height, root in sorted(proof.blocks):
        header = headers.get(height)
        if header is None:
            continue
        if len(header) != _HEADER or header[36:68] != root:
            raise StampError(f"block {height} has another Merkle root")
        shown = hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1]
        if int.from_bytes(shown) > _target(header[72:76]):
            raise StampError(f"the header given for block {height} took no work")
        seconds = int.from_bytes(header[68:72], "little")
        return Block(height=height, at=datetime.fromtimestamp(seconds, UTC), hash=shown.hex())
    return None


def _target(bits: bytes) -> int:
    """What the hash of a header with these bits may be at most."""
    exponent, mantissa = bits[3], int.from_bytes(bits[:3], "little")
    return min(mantissa << 8 * max(0, exponent - 3), _EASIEST)


def headers_in(text: str) -> dict[int, bytes]:
    """Block headers from lines `HEIGHT HEADER`, hexadecimal. Raises ValueError with the number of a
    bad line."""
    found: dict[int, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            height, header = line.split()
            found[int(height)] = bytes.fromhex(header)
        except ValueError as error:
            raise ValueError(f"line {number} is not a height and a header of 160 digits") from error
        if len(found[int(height)]) != _HEADER:
            raise ValueError(f"line {number} has no header of 160 hexadecimal digits")
    return found
