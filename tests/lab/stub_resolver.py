"""A stub resolver for the client's namespace: `python stub_resolver.py LISTEN UPSTREAM`.

Prints `ready`, then hands each question on and gives back the first answer, as a stub does.
Standard library only.
"""

import asyncio
import sys
from typing import cast


class _Question(asyncio.DatagramProtocol):
    """One question on its way."""

    def __init__(self, back: asyncio.DatagramTransport, asker: tuple[str, int]) -> None:
        self._back = back
        self._asker = asker

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        self._back.sendto(data, self._asker)
        self._transport.close()


class _Stub(asyncio.DatagramProtocol):
    """Whoever asks."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._under_way: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(data, addr))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _ask(self, data: bytes, addr: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Question(self._transport, addr), remote_addr=(self._upstream, 53)
        )
        transport.sendto(data)
        await asyncio.sleep(5)
        transport.close()


async def main(listen: str, upstream: str) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Stub(upstream), local_addr=(listen, 53))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
