"""A resolver on loopback, over UDP and TCP, that answers as a test says."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Answers = Callable[[dns.message.Message], Sequence[dns.message.Message | bytes]]
"""What to send back for a query, over UDP; over TCP only the first of it."""


def answer(
    query: dns.message.Message,
    *addresses: str,
    rcode: str = "NOERROR",
    truncated: bool = False,
) -> dns.message.Message:
    """A reply with those of the addresses that fit the type asked for."""
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.from_text(rcode))
    if truncated:
        reply.flags |= dns.flags.TC
    question = query.question[0]
    wanted = question.rdtype == dns.rdatatype.AAAA
    fitting = [address for address in addresses if (":" in address) == wanted]
    if fitting:
        rtype = dns.rdatatype.to_text(question.rdtype)
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", rtype, *fitting))
    return reply


@contextlib.asynccontextmanager
async def resolving(
    answers: Answers, over_tcp: Answers | None = None, *, address: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """A resolver; gives its port."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family, socket.SOCK_DGRAM) as udp:
        listener.bind((address, 0))
        listener.listen(100)
        listener.setblocking(False)
        port: int = listener.getsockname()[1]
        udp.bind((address, port))
        udp.setblocking(False)
        loop.add_reader(udp, _serve_udp, udp, answers)
        serving = asyncio.create_task(_serve_tcp(listener, over_tcp))
        try:
            yield port
        finally:
            loop.remove_reader(udp)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def _serve_udp(udp: socket.socket, answers: Answers) -> None:
    data, client = udp.recvfrom(1000)
    for reply in answers(dns.message.from_wire(data)):
        # Whoever asked may be gone, which comes back as an error of the next send.
        with contextlib.suppress(OSError):
            udp.sendto(reply if isinstance(reply, bytes) else reply.to_wire(), client)


async def _serve_tcp(listener: socket.socket, answers: Answers | None) -> None:
    loop = asyncio.get_running_loop()
    while True:
        sock, _ = await loop.sock_accept(listener)
        with sock:
            sock.setblocking(False)
            data = b""
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
                data += await loop.sock_recv(sock, 1000)
            if answers is None:
                continue  # hang up
            for reply in answers(dns.message.from_wire(data[2:]))[:1]:
                wire = reply if isinstance(reply, bytes) else reply.to_wire()
                await loop.sock_sendall(sock, len(wire).to_bytes(2, "big") + wire)
