"""The resolver of one network of the demonstration, over UDP and TCP."""

import asyncio
import struct
from collections.abc import Mapping
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from monitor.demo.censor import Censor, Means
from monitor.demo.plan import ADDRESSES, BLOCK_PAGE

TTL = 60
_LONGEST_QUERY = 4096


def answer(
    wire: bytes,
    client: str,
    censor: Censor,
    *,
    addresses: Mapping[str, str] = ADDRESSES,
) -> bytes | None:
    """The reply to a query from that address; None for bytes that are not a query."""
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, struct.error):
        return None
    if query.flags & dns.flags.QR or len(query.question) != 1:
        return None
    (question,) = query.question
    name = question.name.to_text(omit_final_dot=True).lower()
    reply = dns.message.make_response(query, recursion_available=True)
    false = censor.false_answer(client, name)
    address = BLOCK_PAGE if false is Means.BLOCK_PAGE else addresses.get(name)
    if false is Means.NXDOMAIN or address is None:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    elif question.rdtype == dns.rdatatype.A and question.rdclass == dns.rdataclass.IN:
        # Names have IPv4 addresses only; for other types the name exists without records.
        reply.answer.append(dns.rrset.from_text(question.name, TTL, "IN", "A", address))
    return reply.to_wire()


class OverUdp(asyncio.DatagramProtocol):
    """One socket of a resolver."""

    def __init__(self, censor: Censor) -> None:
        self._censor = censor
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is bound."""
        # asyncio's own class for it does not inherit from the one it documents.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A query arrived."""
        reply = answer(data, addr[0], self._censor)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


async def serve_dns(
    censor: Censor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer queries on one connection; two bytes of length go before each message (RFC 1035).

    Raises EOFError at its end.
    """
    client = str(writer.get_extra_info("peername")[0])
    while True:
        length = int.from_bytes(await reader.readexactly(2), "big")
        if length > _LONGEST_QUERY:
            return
        reply = answer(await reader.readexactly(length), client, censor)
        if reply is None:
            return
        writer.write(len(reply).to_bytes(2, "big") + reply)
        await writer.drain()
