"""NTP (RFC 5905): a client's request answered with the time. Values only."""

import struct

PORT = 123
SINCE_1900 = 2_208_988_800
"""Seconds from NTP's first moment to POSIX's."""


def answer(message: bytes, now: float) -> bytes | None:
    """A server's reply at POSIX time `now`; None for what is no client's request."""
    if len(message) < 48 or message[0] & 7 != 3:
        return None
    moment = struct.pack("!II", int(now) + SINCE_1900, int(now % 1 * 2**32))
    head = struct.pack("!BBbb8x4s", 0x24, 1, message[2], -20, b"GPS\0")
    return head + moment + message[40:48] + moment + moment
