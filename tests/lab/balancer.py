"""A plain balancer for TCP, as a program: `python -m tests.lab.balancer PORT BACKEND …`.

Each connection goes to the next of the ports on loopback, or to the one after it where that
refuses. It knows nothing of what passes through.
"""

import asyncio
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

HOST = "127.0.0.1"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _open(
    turn: Iterator[int], tries: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    for _ in range(tries):
        with suppress(OSError):
            return await asyncio.open_connection(HOST, next(turn))
    return None


async def serve(port: int, backends: Sequence[int]) -> None:
    """Until it is killed."""
    turn = itertools.cycle(backends)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = await _open(turn, len(backends))
        if opened is not None:
            far_reader, far_writer = opened
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            far_writer.close()
        writer.close()

    server = await asyncio.start_server(connected, HOST, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
