"""DNS messages on the wire: just the query we send and the answers we read.

Hand-coded because a look asks two questions and a general parser would cost more than the
rest of the look; checked against dnspython by a property test. RFC 1035 sections 3 and 4.
"""

import ipaddress
import struct

import msgspec

from probes.errors import MalformedReplyError

TYPES = {"A": 1, "AAAA": 28}
_ADDRESS_LENGTH = {1: 4, 28: 16}
"""Octets of an address, by record type."""
_CNAME = 5
_CLASS_IN = 1
_RECURSION_DESIRED = 0x0100
_RESPONSE = 0x8000
_TRUNCATED = 0x0200
_MAX_LABEL = 63
_MAX_NAME = 253
_POINTER = 0xC0
_RCODES = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What one reply said."""

    id: int
    name: str
    """The question, lower case, without the final dot."""
    qtype: int
    rcode: str
    truncated: bool
    addresses: tuple[str, ...]
    cnames: tuple[str, ...]


def encode_query(query_id: int, name: str, rtype: str) -> bytes:
    """A recursive query for `name`. Raises ValueError for a name DNS cannot carry."""
    encoded = bytearray(struct.pack("!6H", query_id, _RECURSION_DESIRED, 1, 0, 0, 0))
    if len(name) > _MAX_NAME:
        raise ValueError(f"name longer than {_MAX_NAME} characters: {name[:40]}…")
    for label in name.rstrip(".").split("."):
        octets = label.encode("ascii")
        if not 0 < len(octets) <= _MAX_LABEL:
            raise ValueError(f"not a DNS label: {label!r}")
        encoded.append(len(octets))
        encoded += octets
    encoded += struct.pack("!BHH", 0, TYPES[rtype], _CLASS_IN)
    return bytes(encoded)


def decode_reply(data: bytes) -> Reply:
    """Read a reply. Raises MalformedReplyError for anything that is not one."""
    try:
        query_id, flags, questions, answers, _, _ = struct.unpack_from("!6H", data)
        if not flags & _RESPONSE or questions != 1:
            raise MalformedReplyError("not a reply to one question")
        name, offset = _name(data, 12)
        qtype, _ = struct.unpack_from("!HH", data, offset)
        offset += 4
        addresses: list[str] = []
        cnames: list[str] = []
        truncated = bool(flags & _TRUNCATED)
        for _ in range(answers):
            if truncated and offset >= len(data):
                break
            _, offset = _name(data, offset)
            rtype, rclass, _, length = struct.unpack_from("!HHIH", data, offset)
            offset += 10
            rdata = data[offset : offset + length]
            if len(rdata) != length:
                raise MalformedReplyError("record cut short")
            if rclass == _CLASS_IN and rtype == qtype and length == _ADDRESS_LENGTH.get(rtype):
                addresses.append(str(ipaddress.ip_address(rdata)))
            elif rclass == _CLASS_IN and rtype == _CNAME:
                cnames.append(_name(data, offset)[0])
            offset += length
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise MalformedReplyError("DNS reply cut short or garbled") from error
    rcode = _RCODES.get(flags & 0xF, f"RCODE{flags & 0xF}")
    return Reply(
        id=query_id,
        name=name,
        qtype=qtype,
        rcode=rcode,
        truncated=truncated,
        addresses=tuple(addresses),
        cnames=tuple(cnames),
    )


def _name(data: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset` and the offset behind it; follows compression strictly backwards."""
    labels: list[str] = []
    end = -1
    limit = offset
    while True:
        length = data[offset]
        if length >= _POINTER:
            if end < 0:
                end = offset + 2
            target = struct.unpack_from("!H", data, offset)[0] & 0x3FFF
            # Each jump must go further back, so a loop cannot happen.
            if target >= limit:
                raise MalformedReplyError("compression pointer does not point back")
            limit = offset = target
            continue
        if length > _MAX_LABEL:
            raise MalformedReplyError("reserved label type")
        offset += 1
        if length == 0:
            break
        label = data[offset : offset + length]
        if len(label) != length:
            raise MalformedReplyError("label cut short")
        labels.append(label.decode("ascii").lower())
        offset += length
        if sum(len(label) + 1 for label in labels) > _MAX_NAME + 2:
            raise MalformedReplyError("name too long")
    return ".".join(labels), (offset if end < 0 else end)
