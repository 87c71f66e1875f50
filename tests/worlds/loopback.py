"""Real servers on loopback that fail in one chosen way, for tests of what a client then sees.

Each runs on the test's own event loop and closes its sockets itself, so that a test may count
what is open.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from probes.sockets.network import SocketNetwork, TlsContexts
from probes.vantage import Egress
from tests.lab.certificates import authority, forged, honest

NAME = "x.com"


class Conversation:
    """One connection, from the server's side."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ahead = b""

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands."""
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            else:
                break
        await self._flush()

    async def receive(self) -> bytes:
        """What came; b"" at the end."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        if self._tls is None:
            return await self._loop.sock_recv(self._sock, 65536)
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                if not await self._fill():
                    return b""

    async def exactly(self, count: int) -> bytes:
        """So many bytes; EOFError when there are fewer."""
        data = b""
        while len(data) < count:
            more = await self.receive()
            if not more:
                raise EOFError
            data += more
        self._ahead = data[count:]
        return data[:count]

    async def request(self) -> bytes:
        """An HTTP request without a body."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = await self.receive()
            if not more:
                raise EOFError
            data += more
        return data

    async def client_hello(self) -> bytes:
        """The whole first record a TLS client sends, without its header."""
        head = await self.exactly(5)
        return await self.exactly(int.from_bytes(head[3:], "big"))

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        if self._tls is None:
            await self._loop.sock_sendall(self._sock, data)
        else:
            self._tls.write(data)
            await self._flush()

    def end(self) -> None:
        """No more from us: a FIN."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """An RST."""
        linger = struct.pack("ii", 1, 0)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._sock.close()

    async def _fill(self) -> bool:
        data = await self._loop.sock_recv(self._sock, 65536)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        return bool(data)

    async def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            await self._loop.sock_sendall(self._sock, data)


Handler = Callable[[Conversation], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(
    handler: Handler,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A server that treats each connection as `handler` says; gives its port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family)
    listener.bind((address, port))
    listener.listen(1024)
    listener.setblocking(False)
    handling: set[asyncio.Task[None]] = set()
    accepted: list[socket.socket] = []

    async def handle(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, EOFError):
            sock.setblocking(False)
            # What is sent before a reset must have left by then.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = Conversation(sock)
            if tls is not None:
                await conversation.start_tls(tls)
            await handler(conversation)

    def accept() -> None:
        sock, _ = listener.accept()
        accepted.append(sock)  # a task that is cancelled before it began closes none
        task = asyncio.create_task(handle(sock))
        handling.add(task)
        task.add_done_callback(handling.discard)

    # Not `sock_accept`: cancelled, it may lose a connection that it has accepted, unclosed.
    asyncio.get_running_loop().add_reader(listener, accept)
    try:
        yield listener.getsockname()[1]
    finally:
        asyncio.get_running_loop().remove_reader(listener)
        tasks = [*handling]
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for sock in (listener, *accepted):
            sock.close()
        for result in results:
            if isinstance(result, Exception):
                raise result


@contextlib.asynccontextmanager
async def full_backlog() -> AsyncIterator[tuple[int, socket.socket]]:
    """A port where connects hang; gives it with its socket, which may accept after all."""
    with socket.socket() as listener, contextlib.ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        await asyncio.sleep(0.01)
        yield listener.getsockname()[1], listener


def unused_port(address: str = "127.0.0.1") -> int:
    """A port where nobody listens."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.bind((address, 0))
        port: int = sock.getsockname()[1]
        return port


async def forever(*_: object) -> None:
    """Until cancelled."""
    await asyncio.get_running_loop().create_future()


def server_context(pem: str) -> ssl.SSLContext:
    """A server's context for a key and chain in one PEM text."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


@functools.cache
def honest_context(name: str = NAME) -> ssl.SSLContext:
    """A server's context with the certificate it should have."""
    return server_context(honest(name))


@functools.cache
def forged_context(how: str, name: str = NAME) -> ssl.SSLContext:
    """A server's context with a forgery of `tests.lab.certificates.FORGERIES`."""
    return server_context(forged(name, how))


@functools.cache
def trusting_contexts() -> TlsContexts:
    """Contexts that trust the lab's authority; made once, since making them costs time."""
    with tempfile.TemporaryDirectory() as folder:
        anchor = Path(folder) / "anchor.pem"
        anchor.write_bytes(authority().cert_pem.bytes())
        return TlsContexts([str(anchor)])


def network(egress: Egress | None = None) -> SocketNetwork:
    """Real sockets, trusting the lab's authority."""
    return SocketNetwork(egress or Egress(), trusting_contexts())
