"""DNS messages on the wire (RFC 1035 sections 3 and 4): the query we send, the answers we read.

The code is our own because a general parser would cost more than the rest of a measurement. A
property test checks it against dnspython.
"""

import ipaddress
import struct

import msgspec

from probes.sockets.failure_mapping import MalformedReplyError

TYPES = {"A": 1, "AAAA": 28}
_ADDRESS_LENGTH = {1: 4, 28: 16}
"""Octets of an address, by record type."""
_CNAME = 5
_CLASS_IN = 1
_RECURSION_DESIRED = 0x0100
_RESPONSE = 0x8000
_TRUNCATED = 0x0200
_RECORD = struct.Struct("!HHIH")
"""Type, class, time to live and length, which precede a record's data."""
_MAX_LABEL = 63
_MAX_NAME = 253
_MOST_RECORDS, _MOST_CNAMES = 64, 16
"""Of one reply, more than honest ones have. In 64 KiB fit thousands of records of a few bytes that
each point at one long name: megabytes of text."""
_POINTER = 0xC0
_RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str
    """The name in the question, in lower case, without the final dot."""
    qtype: int
    rcode: str
    truncated: bool
    addresses: tuple[str, ...]
    cnames: tuple[str, ...]

    def is_about(self, name: str, rtype: str) -> bool:
        """Whether it answers the question for that name and record type; errors may omit the
        question."""
        asked = name.lower().rstrip(".")
        return not self.name or (self.name == asked and self.qtype == TYPES[rtype])


def encode_query(query_id: int, name: str, rtype: str) -> bytes:
    """A recursive query for `name`. Raises ValueError for a name that DNS cannot carry."""
    header = struct.pack("!6H", query_id, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + encode_name(name) + struct.pack("!HH", TYPES[rtype], _CLASS_IN)


def encode_name(name: str) -> bytes:
    """A name on the wire. Raises ValueError for a name that DNS cannot carry."""
    bare = name.removesuffix(".")
    if len(bare) > _MAX_NAME:
        raise ValueError(f"name longer than {_MAX_NAME} characters: {name[:40]}…")
    encoded = bytearray()
    for label in bare.split("."):
        octets = label.encode("ascii")
        if not 0 < len(octets) <= _MAX_LABEL:
            raise ValueError(f"not a DNS label: {label!r}")
        encoded.append(len(octets))
        encoded += octets
    encoded.append(0)
    return bytes(encoded)


def decode_reply(data: bytes) -> Reply:
    """Read a reply. Raises MalformedReplyError for anything that is not one.

    Returns the part of a truncated reply that arrived, and reads no further than _MOST_RECORDS.
    `name` is empty when the server omitted the question, as some do in an error.
    """
    try:
        query_id, flags, questions, answers, _, _ = struct.unpack_from("!6H", data)
        rcode = flags & 0xF
        if not flags & _RESPONSE or questions > 1 or (questions == 0 and not rcode):
            raise MalformedReplyError("not a reply to one question")
        name, qtype, offset = "", 0, 12
        if questions:
            name, offset = _name(data, offset)
            qtype, _ = struct.unpack_from("!HH", data, offset)
            offset += 4
    except (struct.error, IndexError) as error:
        raise MalformedReplyError("DNS reply cut short") from error
    addresses: list[str] = []
    cnames: list[str] = []
    truncated = bool(flags & _TRUNCATED)
    try:
        for _ in range(min(answers, _MOST_RECORDS)):
            offset = _record(data, offset, qtype, addresses, cnames)
    except (struct.error, IndexError, MalformedReplyError) as error:
        if not truncated:
            raise MalformedReplyError("DNS reply cut short or garbled") from error
    return Reply(
        id=query_id,
        name=name,
        qtype=qtype,
        rcode=_RCODES.get(rcode, f"RCODE{rcode}"),
        truncated=truncated,
        addresses=tuple(addresses),
        cnames=tuple(cnames[:_MOST_CNAMES]),
    )


def _record(data: bytes, offset: int, qtype: int, addresses: list[str], cnames: list[str]) -> int:
    """Read the record at `offset`, keep its address or name, return the offset after it."""
    _, offset = _name(data, offset)
    rtype, rclass, _, length = _RECORD.unpack_from(data, offset)
    offset += _RECORD.size
    rdata = data[offset : offset + length]
    if len(rdata) != length:
        raise MalformedReplyError("record cut short")
    if rclass == _CLASS_IN and rtype == qtype and length == _ADDRESS_LENGTH.get(rtype):
        addresses.append(
            ".".join(map(str, rdata)) if rtype == 1 else str(ipaddress.IPv6Address(rdata))
        )
    elif rclass == _CLASS_IN and rtype == _CNAME:
        cnames.append(_name(data, offset)[0])
    return offset + int(length)


def _name(data: bytes, offset: int) -> tuple[str, int]:
    """The name at `offset` and the offset after it; compression pointers must point back."""
    labels: list[str] = []
    octets = 0
    end = -1
    limit = offset
    while True:
        length = data[offset]
        if length >= _POINTER:
            if end < 0:
                end = offset + 2
            target = struct.unpack_from("!H", data, offset)[0] & 0x3FFF
            # Each jump must go further back, so that a loop is impossible.
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
        labels.append(label.decode("ascii", "backslashreplace").lower())
        offset += length
        octets += length + 1
        if octets > _MAX_NAME + 1:
            raise MalformedReplyError("name too long")
    return ".".join(labels), (offset if end < 0 else end)
