"""All servers of the demonstration, on loopback, open inside a context."""

import asyncio
import errno
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import h11
import msgspec

from monitor.demo.censor import Censor
from monitor.demo.certificates import Authority
from monitor.demo.message_receiver import OnMessage, receive
from monitor.demo.name_server import OverUdp, serve_dns
from monitor.demo.origin import Contexts, block_page, serve_http, serve_https, site
from monitor.demo.plan import ADDRESSES, BLOCK_PAGE, NETWORKS, PHONE, PORTAL, Ports

FIRST = Ports(tls=8443, http=8080, dns=5300, messages=9090)
"""The ports to listen on; where one is taken, the next that is free on all addresses."""
TRIES = 50
ROOT_NAME = "shutwatch demo: a root for hosts that do not exist"


class WorldError(Exception):
    """The servers cannot run on this machine; the message says why."""


class World(msgspec.Struct, frozen=True):
    """The open servers."""

    censor: Censor
    ports: Ports
    anchor: bytes
    """PEM of the root of their certificates."""


@asynccontextmanager
async def world(on_message: OnMessage) -> AsyncIterator[World]:
    """The servers, open until the context is left. Nothing is blocked until the censor has rules.

    `on_message` gets title and text of each notification. Raises WorldError.
    """
    censor = Censor()
    authority = Authority(ROOT_NAME)
    genuine, forged = _certificates(authority), _forged_certificate()
    async with AsyncExitStack() as stack:
        try:
            ports = Ports(
                tls=await _on_first_free(stack, FIRST.tls, partial(_tls, genuine, forged, censor)),
                http=await _on_first_free(stack, FIRST.http, _cleartext),
                dns=await _on_first_free(stack, FIRST.dns, partial(_resolvers, censor)),
                messages=await _on_first_free(stack, FIRST.messages, partial(_phone, on_message)),
            )
        except OSError as error:
            raise WorldError(_why(error)) from error
        yield World(censor, ports, authority.pem)


def _certificates(authority: Authority) -> Contexts:
    other = authority.context("other.test")
    known = {host: authority.context(host) for host in ADDRESSES}
    return lambda name: known.get(name.lower(), other)


def _forged_certificate() -> Contexts:
    """One certificate for every name, under a root that nobody trusts."""
    context = Authority("shutwatch demo: a censor's own root").context("blocked.test")
    return lambda _: context


Serve = Callable[[AsyncExitStack, int], Awaitable[None]]


async def _on_first_free(stack: AsyncExitStack, first: int, serve: Serve) -> int:
    """Serve on the first free port from `first` on, and return that port."""
    for port in range(first, first + TRIES):
        async with AsyncExitStack() as attempt:
            try:
                await serve(attempt, port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or port == first + TRIES - 1:
                    raise
                continue
            stack.push_async_callback(attempt.pop_all().aclose)
            break
    return port


async def _tls(
    genuine: Contexts,
    forged: Contexts,
    censor: Censor,
    stack: AsyncExitStack,
    port: int,
) -> None:
    genuine_hosts = partial(serve_https, site, genuine, censor.resets)
    block_pages = partial(serve_https, block_page, forged, lambda _, __: False)
    await _listen(stack, genuine_hosts, [*ADDRESSES.values()], port)
    await _listen(stack, block_pages, [BLOCK_PAGE], port)


async def _cleartext(stack: AsyncExitStack, port: int) -> None:
    await _listen(stack, partial(serve_http, site), [ADDRESSES[PORTAL]], port)


async def _phone(on_message: OnMessage, stack: AsyncExitStack, port: int) -> None:
    await _listen(stack, partial(serve_http, partial(receive, on_message)), [PHONE], port)


async def _resolvers(censor: Censor, stack: AsyncExitStack, port: int) -> None:
    addresses = [network.resolver for network in NETWORKS]
    await _listen(stack, partial(serve_dns, censor), addresses, port)
    for address in addresses:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            partial(OverUdp, censor), local_addr=(address, port)
        )
        stack.callback(transport.close)


Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _listen(
    stack: AsyncExitStack, handle: Handle, addresses: Sequence[str], port: int
) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transport = writer.transport
        try:
            with suppress(OSError, EOFError, h11.ProtocolError):
                await handle(reader, writer)
        finally:
            # Not the writer, which after TLS waits for the client to close too.
            transport.close()

    server = await asyncio.start_server(connected, addresses, port, backlog=1024)
    stack.callback(server.close)


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        system = "" if sys.platform == "linux" else ", which only Linux has"
        return f"the demonstration needs loopback addresses besides 127.0.0.1{system}: {error}"
    return f"the demonstration's servers cannot listen: {error}"
