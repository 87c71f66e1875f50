"""DNS messages (RFC 1035, EDNS of RFC 6891): questions read, answers written. Values only."""

import dataclasses
import ipaddress
import struct

A, NS, CNAME, SOA, PTR, AAAA, OPT = 1, 2, 5, 6, 12, 28, 41
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
TYPES = {"A": A, "AAAA": AAAA, "CNAME": CNAME}
RCODES = {"empty": NOERROR, "servfail": SERVFAIL, "nxdomain": NXDOMAIN, "refused": REFUSED}
TTL = 60


class MalformedError(ValueError):
    """Bytes that are no question."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Query:
    """One question."""

    id: int
    name: str
    """Lower case, without the last dot."""
    qtype: int
    recursion: bool
    question: bytes
    """As sent, so that an answer keeps the asker's letter case."""
    edns: bool


def parse_query(message: bytes) -> Query:
    """Read a question; raises MalformedError."""
    try:
        identity, flags, questions, _, _, additional = struct.unpack_from("!6H", message)
        if questions != 1 or flags & 0x8000:
            raise MalformedError("not one question")
        labels, at = [], 12
        while size := message[at]:
            if size > 63:
                raise MalformedError("compressed question")
            labels.append(message[at + 1 : at + 1 + size].decode("latin-1"))
            at += 1 + size
        qtype, _ = struct.unpack_from("!HH", message, at + 1)
        end = at + 5
    except (IndexError, struct.error) as error:
        raise MalformedError("cut short") from error
    return Query(
        id=identity,
        name=".".join(labels).lower(),
        qtype=qtype,
        recursion=bool(flags & 0x0100),
        question=message[12:end],
        edns=additional > 0,
    )


def answer(
    query: Query,
    *,
    rcode: int = NOERROR,
    addresses: tuple[str, ...] = (),
    cname: str = "",
    truncated: bool = False,
) -> bytes:
    """An answer with the addresses of the family asked for, behind `cname` when given."""
    owner, records = b"\xc0\x0c", []
    if cname:
        target = _encode(cname)
        records.append(owner + struct.pack("!HHIH", CNAME, 1, TTL, len(target)) + target)
        owner = target
    for address in map(ipaddress.ip_address, addresses):
        kind = A if address.version == 4 else AAAA
        if kind == query.qtype:
            packed = address.packed
            records.append(owner + struct.pack("!HHIH", kind, 1, TTL, len(packed)) + packed)
    if truncated:
        records = []
    flags = 0x8080 | (0x0100 if query.recursion else 0) | (0x0200 if truncated else 0) | rcode
    head = struct.pack("!6H", query.id, flags, 1, len(records), 0, int(query.edns))
    edns = b"\0" + struct.pack("!HHIH", OPT, 1232, 0, 0) if query.edns else b""
    return head + query.question + b"".join(records) + edns


def question(identity: int, name: str, qtype: int) -> bytes:
    """A question with recursion desired."""
    return (
        struct.pack("!6H", identity, 0x0100, 1, 0, 0, 0)
        + _encode(name)
        + struct.pack("!HH", qtype, 1)
    )


def _encode(name: str) -> bytes:
    parts = [label.encode() for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
