"""STUN (RFC 8489): a binding request answered with the asker's own address. Values only."""

import ipaddress
import struct

PORT = 3478
PORTS = (PORT, 19302)
"""The registered one, and that of a well-known server."""
COOKIE = 0x2112A442
REQUEST, SUCCESS = 0x0001, 0x0101
XOR_MAPPED_ADDRESS = 0x0020


def answer(message: bytes, asker: tuple[str, int]) -> bytes | None:
    """The binding response for a request from `asker` (address, port); None for anything else."""
    if len(message) < 20:
        return None
    kind, size, cookie = struct.unpack_from("!HHI", message)
    if kind != REQUEST or cookie != COOKIE or size != len(message) - 20:
        return None
    transaction = message[8:20]
    address = ipaddress.ip_address(asker[0])
    family = 1 if address.version == 4 else 2
    key = (struct.pack("!I", COOKIE) + transaction)[: len(address.packed)]
    hidden = bytes(a ^ b for a, b in zip(address.packed, key, strict=True))
    value = struct.pack("!BBH", 0, family, asker[1] ^ (COOKIE >> 16)) + hidden
    attribute = struct.pack("!HH", XOR_MAPPED_ADDRESS, len(value)) + value
    return struct.pack("!HHI", SUCCESS, len(attribute), COOKIE) + transaction + attribute
