"""What a censor reads in the first bytes a client sends: TLS server name, HTTP Host, DNS name."""

import struct

from tests.lab import dns_wire

MORE = "more"
"""Not enough bytes yet to tell."""
OTHER = "other"
"""No protocol we know, or nothing named in it."""

METHODS = (b"GET ", b"HEAD", b"POST", b"PUT ", b"OPTI")
LIMIT = 16 * 1024
"""Bytes after which nobody reads on."""


def sniff(data: bytes, port: int) -> tuple[str, str]:
    """Protocol (tls, http, dns, MORE or OTHER) and the lower-case name a client asked for."""
    if len(data) < 5:
        return MORE, ""
    if port == 53:
        return _dns(data)
    if data[0] == 22 and data[1] == 3:
        return _client_hello(data)
    if data[:4] in METHODS:
        return _request(data)
    return OTHER, ""


def _dns(data: bytes) -> tuple[str, str]:
    if len(data) < 2 + struct.unpack_from("!H", data)[0]:
        return MORE, ""
    try:
        return "dns", dns_wire.parse_query(data[2:]).name
    except dns_wire.MalformedError:
        return OTHER, ""


def _request(data: bytes) -> tuple[str, str]:
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return (MORE if len(data) < LIMIT else OTHER), ""
    for line in head.split(b"\r\n")[1:]:
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"host":
            return "http", value.strip().decode("latin-1").partition(":")[0].lower()
    return "http", ""


def _client_hello(data: bytes) -> tuple[str, str]:
    """Read through records, which may each hold a part of the message (RFC 8446, 5.1)."""
    message, at = b"", 0
    while True:
        needed = 4 + int.from_bytes(message[1:4], "big") if len(message) >= 4 else 4
        if len(message) >= 4 and len(message) >= needed:
            break
        if len(data) < at + 5:
            return MORE, ""
        kind, size = struct.unpack_from("!B2xH", data, at)
        if kind != 22:
            return OTHER, ""
        if len(data) < at + 5 + size:
            return MORE, ""
        message += data[at + 5 : at + 5 + size]
        at += 5 + size
    if message[0] != 1:
        return OTHER, ""
    try:
        return "tls", server_name(message)
    except (IndexError, struct.error):
        return OTHER, ""


def server_name(message: bytes) -> str:
    """The lower-case name in a whole ClientHello message; empty when it names none."""
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + struct.unpack_from("!H", message, at)[0]
    at += 1 + message[at]
    end = at + 2 + struct.unpack_from("!H", message, at)[0]
    at += 2
    while at < end:
        kind, size = struct.unpack_from("!HH", message, at)
        if kind == 0:
            length = struct.unpack_from("!H", message, at + 7)[0]
            return message[at + 9 : at + 9 + length].decode("latin-1").lower()
        at += 4 + size
    return ""
