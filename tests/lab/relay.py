"""A transparent proxy: whoever connects is led on to the host asked for, by SNI or by Host.

What a hijacked DNS answer may point at: everything works through it, and certificates verify,
since TLS is relayed untouched.
"""

import asyncio
import contextlib
from typing import Any

from tests.lab import socks
from tests.lab.listener import Listener
from tests.lab.name_server import Names
from tests.lab.sniff import MORE, sniff

PORTS = (443, 80)


class Relay:
    """The proxy on all its addresses."""

    def __init__(self, names: Names, addresses: tuple[str, ...]) -> None:
        self._names = names
        self.visits: list[dict[str, Any]] = []
        """Whom it relayed: `name`, `port` and `peer`."""
        self._listeners = [
            Listener(address, port, self._protocol) for address in addresses for port in PORTS
        ]

    async def open(self) -> None:
        """Serve."""
        for listener in self._listeners:
            await listener.open()

    def down(self) -> None:
        """Refuse everybody."""
        for listener in self._listeners:
            listener.refuse()

    def _protocol(self) -> asyncio.Protocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # Python 3.11 complains of a connection that is cancelled when the worker ends.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._relay(reader, writer)
        finally:
            writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here, port = writer.get_extra_info("sockname")[:2]
        heard, protocol, name = b"", MORE, ""
        while protocol == MORE:
            data = await reader.read(65536)
            if not data:
                return
            heard += data
            protocol, name = sniff(heard, port)
        family6 = ":" in here
        known = [a for a in self._names.lookup(name) if (":" in a) == family6]
        if not known:
            return
        peer = writer.get_extra_info("peername")[0]
        self.visits.append({"name": name, "port": port, "peer": peer})
        far_reader, far_writer = await asyncio.open_connection(known[0], port, local_addr=(here, 0))
        try:
            far_writer.write(heard)
            await asyncio.gather(socks.pump(reader, far_writer), socks.pump(far_reader, writer))
        finally:
            far_writer.close()
