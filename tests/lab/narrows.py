"""A bad line between agents and a collector, as a program:
`python -m tests.lab.narrows PORT BACKEND ORDERS [SOURCE]`.

What comes to PORT of loopback goes to BACKEND, from the address SOURCE if one is given, and back.
ORDERS is a file that may be written anew at any moment, with JSON of `Orders`.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

HOST = "127.0.0.1"
_GLANCE = 0.05
_PIECE = 8192


class Cut(msgspec.Struct, frozen=True):
    """Where a connection ends."""

    way: str
    """`up`: once more than that many bytes went up. `answer`: when the first bytes come down after
    that many went up; they are kept back."""
    after: int


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """How the line is."""

    open: bool = True
    """If not, connections are refused, and those there are end."""
    rate: float = 0.0
    """Bytes each second that a connection carries upwards; 0 for any number."""
    cuts: tuple[Cut, ...] = ()
    """Each ends one connection, in this order: the first one that goes so far."""


class Narrows:
    """The line."""

    def __init__(self, backend: int, file: Path, source: str) -> None:
        self._backend = backend
        self._file = file
        self._source = source
        self._cut = 0
        """So many were cut."""

    def orders(self) -> Orders:
        """As they are now."""
        return msgspec.json.decode(self._file.read_bytes(), type=Orders)

    async def serve(self, port: int) -> None:
        """Until it is killed."""
        server = await asyncio.start_server(self._connected, HOST, port)
        async with server:
            await server.serve_forever()

    async def _connected(self, near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.orders().open:
                local = (self._source, 0) if self._source else None
                far, back = await asyncio.open_connection(HOST, self._backend, local_addr=local)
                try:
                    await self._relay(near, writer, far, back)
                finally:
                    back.transport.abort()
        except OSError:
            pass  # whoever broke it, both ends hear of it
        finally:
            writer.transport.abort()

    async def _relay(
        self,
        near: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        """Until one of the ends, or orders, end it."""
        gone_up = 0

        async def up() -> None:
            nonlocal gone_up
            while data := await near.read(_PIECE):
                orders = self.orders()
                gone_up += len(data)
                if cut := self._cut_due(orders, "up", gone_up):
                    back.write(data[: max(0, len(data) - (gone_up - cut.after))])
                    await back.drain()
                    return
                back.write(data)
                await back.drain()
                if orders.rate:
                    await asyncio.sleep(len(data) / orders.rate)

        async def down() -> None:
            while data := await far.read(_PIECE):
                if self._cut_due(self.orders(), "answer", gone_up):
                    return
                writer.write(data)
                await writer.drain()

        async def watch() -> None:
            while self.orders().open:  # noqa: ASYNC110 # a file tells of no events
                await asyncio.sleep(_GLANCE)

        tasks = [asyncio.create_task(one()) for one in (up, down, watch)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _cut_due(self, orders: Orders, way: str, gone_up: int) -> Cut | None:
        """The next cut if it is due; it counts as made."""
        if self._cut >= len(orders.cuts):
            return None
        cut = orders.cuts[self._cut]
        if cut.way != way or gone_up <= cut.after:
            return None
        self._cut += 1
        return cut


if __name__ == "__main__":
    backend, file, *source = sys.argv[2:]
    line = Narrows(int(backend), Path(file), source[0] if source else "")
    asyncio.run(line.serve(int(sys.argv[1])))
