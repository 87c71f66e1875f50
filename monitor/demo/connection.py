"""The server's side of a TCP connection, for the demonstration's servers."""

import asyncio


class Connection(asyncio.Protocol):
    """One accepted connection; `transport` is set when it is open."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 # for mypy
        self.transport = transport

    @property
    def client(self) -> str:
        """Address of the client."""
        return str(self.transport.get_extra_info("peername")[0])
