"""What the benchmark looks at: a resolver, an origin, and a port that never says a word.

Run as a program of its own, so that none of it counts as the client's work.
"""

import asyncio
import contextlib
import ipaddress
import json
import socket
import ssl
import struct
import sys

from benchmarks.certificates import BOTH_FAMILIES
from benchmarks.namespace import RESOLVER

ADDRESSES = {1: ipaddress.ip_address("127.0.0.1").packed, 28: ipaddress.ip_address("::1").packed}
"""Record type → what every name leads to."""
BODY = b"<!doctype html><title>Origin</title>" + b"." * (2048 - 36)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: bench\r\n"
    b"Date: Sat, 17 Feb 2024 12:00:00 GMT\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    % len(BODY)
) + BODY
_QUERY_HEAD = 12


def answered(query: bytes) -> bytes:
    """The reply to a query, additional records left out."""
    offset = _QUERY_HEAD
    while length := query[offset]:
        offset += length + 1
    (rtype,) = struct.unpack_from("!H", query, offset + 1)
    question = query[_QUERY_HEAD : offset + 5]
    both = question[: offset - _QUERY_HEAD + 1].endswith(_on_the_wire(BOTH_FAMILIES))
    address = ADDRESSES.get(rtype) if rtype == 1 or both else None
    record = (
        b""
        if address is None
        else b"\xc0\x0c" + struct.pack("!HHIH", rtype, 1, 60, len(address)) + address
    )
    return query[:2] + struct.pack("!5H", 0x8180, 1, bool(record), 0, 0) + question + record


def _on_the_wire(name: str) -> bytes:
    labels = name.encode().split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


class _Resolver:
    def __init__(self) -> None:
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((RESOLVER, 53))
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def _readable(self) -> None:
        for _ in range(50):
            try:
                query, client = self._socket.recvfrom(1500)
            except BlockingIOError:
                return
            self._socket.sendto(answered(query), client)


async def _origin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(RESPONSE)
        await writer.drain()
        # The client hangs up first, as it would on a site that keeps connections alive.
        await reader.read()
    writer.close()


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


async def serve(certificate: str) -> None:
    """Serve until standard input ends; the first line of output says on which ports."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])
    resolver = _Resolver()
    origin = await asyncio.start_server(_origin, "127.0.0.1", 0, ssl=context, backlog=2000)
    port = origin.sockets[0].getsockname()[1]
    origin_v6 = await asyncio.start_server(_origin, "::1", port, ssl=context, backlog=2000)
    silent = await asyncio.start_server(_silence, "127.0.0.1", 0, backlog=2000)
    print(json.dumps([port, silent.sockets[0].getsockname()[1]]), flush=True)
    async with origin, origin_v6, silent:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    del resolver


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
