"""All servers of the demonstration, on loopback, open inside a context."""

import asyncio
import errno
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import msgspec

from monitor.demo.censor import Censor
from monitor.demo.certificates import Authority
from monitor.demo.message_receiver import OnMessage, Receiver
from monitor.demo.name_server import OverTcp, OverUdp
from monitor.demo.origin import Origin, block_page, site
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


def _certificates(authority: Authority) -> Callable[[str], ssl.SSLContext]:
    other = authority.context("other.test")
    known: Mapping[str, ssl.SSLContext] = {host: authority.context(host) for host in ADDRESSES}
    return lambda name: known.get(name.lower(), other)


def _forged_certificate() -> Callable[[str], ssl.SSLContext]:
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
    genuine: Callable[[str], ssl.SSLContext],
    forged: Callable[[str], ssl.SSLContext],
    censor: Censor,
    stack: AsyncExitStack,
    port: int,
) -> None:
    hosts = partial(Origin, site, contexts=genuine, resets=censor.resets)
    await _listen(stack, hosts, [*ADDRESSES.values()], port)
    await _listen(stack, partial(Origin, block_page, contexts=forged), [BLOCK_PAGE], port)


async def _cleartext(stack: AsyncExitStack, port: int) -> None:
    await _listen(stack, partial(Origin, site), [ADDRESSES[PORTAL]], port)


async def _phone(on_message: OnMessage, stack: AsyncExitStack, port: int) -> None:
    await _listen(stack, partial(Receiver, on_message), [PHONE], port)


async def _resolvers(censor: Censor, stack: AsyncExitStack, port: int) -> None:
    addresses = [network.resolver for network in NETWORKS]
    await _listen(stack, partial(OverTcp, censor), addresses, port)
    for address in addresses:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            partial(OverUdp, censor), local_addr=(address, port)
        )
        stack.callback(transport.close)


async def _listen(
    stack: AsyncExitStack,
    protocol: Callable[[], asyncio.Protocol],
    addresses: Sequence[str],
    port: int,
) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, addresses, port, backlog=1024)
    stack.callback(server.close)


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRNOTAVAIL:
        system = "" if sys.platform == "linux" else ", which only Linux has"
        return f"the demonstration needs loopback addresses besides 127.0.0.1{system}: {error}"
    return f"the demonstration's servers cannot listen: {error}"
