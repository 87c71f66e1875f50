"""The TCP and TLS connections of one measurement: every address, both families in parallel."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from probes.catalog.host import is_literal
from probes.failure_strings import UNANSWERED
from probes.layers.bogon import may_be_public
from probes.layers.socks5_and_http_connect import FarSideError, ProxyError
from probes.measure.concurrently import all_of
from probes.measure.proxied_connections import ProxiedConnections
from probes.measure.resolution import Resolution
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measurement import Hello, TcpObservation, TlsObservation, family_of
from probes.sockets.failure_mapping import failure_of, is_tls_alert
from probes.sockets.network import Stream, TlsFacts, chain_digest
from probes.target import Reduction

_GRACE = 0.5
"""Seconds the other family gets once one has a connection, before the measurement goes on."""


class Opened(msgspec.Struct, kw_only=True):
    """A stream that got as far as was asked."""

    stream: Stream
    address: str
    """Empty when a proxy resolves the name."""


_Opening = Coroutine[Any, Any, Opened | None]


class Connections:
    """Connects and makes TLS handshakes for one measurement."""

    def __init__(
        self,
        record: UnscrubbedRecord,
        resolution: Resolution,
        proxy: ProxiedConnections,
        reduction: Reduction | None = None,
    ) -> None:
        self._record = record
        self._context = record.context
        self._resolution = resolution
        self._proxy = proxy
        self._reduction = reduction
        self._loop = asyncio.get_running_loop()
        self._families: set[asyncio.Task[Opened | None]] = set()

    async def settle(self) -> None:
        """Wait for the slower family."""
        if self._families:
            await asyncio.gather(*self._families)

    async def close(self) -> None:
        """Cancel whatever is still connecting; safe to call again."""
        for task in self._families:
            task.cancel()
        if self._families:
            await asyncio.wait(self._families)

    async def open(self, host: str, port: int, *, tls: bool, verify: bool) -> Opened | None:
        """A stream to `host`, with TLS if asked, or None; every address tried is on record."""
        if self._context.vantage.egress.proxied:
            return await self._open_through_proxy(host, port, tls=tls, verify=verify)
        by_family = await self.by_family(host)
        # The final dot of an absolute name exists in DNS only: certificates do not have it.
        name = host.rstrip(".") if tls else ""
        open_family = partial(self._open_family, port=port, server_name=name, verify=verify)
        late = self._resolution.late(host)
        if len(by_family) == 1 and late is None:
            return await open_family(by_family[0])
        return await self._first_family(open_family, by_family, host, late)

    async def by_family(self, host: str) -> list[list[str]]:
        """The addresses to dial for `host`, one list for each family."""
        return self._grouped(await self._resolution.addresses(host))

    def _grouped(self, found: Iterable[str]) -> list[list[str]]:
        by_family: dict[str, list[str]] = {}
        for address in found:
            by_family.setdefault(family_of(address), []).append(address)
        most = self._record.settings.max_addresses
        families = [one for one in self._context.network.families() if one in by_family]
        if self._reduction is not None:
            most = min(most, self._reduction.addresses)
            if self._reduction.family in families:
                families = [self._reduction.family]
        return [by_family[family][:most] for family in families]

    def _start(self, opening: _Opening) -> asyncio.Task[Opened | None]:
        task = asyncio.create_task(opening)
        self._families.add(task)
        return task

    async def _first_family(
        self,
        open_family: Callable[[list[str]], _Opening],
        by_family: Sequence[list[str]],
        host: str,
        late: Coroutine[Any, Any, None] | None,
    ) -> Opened | None:
        """The connection of the first family, in their order, that has one. Addresses that come
        `late` are dialled as well, as applications do while nothing is connected.

        Once one has a connection the others get _GRACE seconds more. After that they go on in the
        background, and `settle` waits for them.
        """
        tasks = [self._start(open_family(addresses)) for addresses in by_family]
        coming = None if late is None else self._start(late)
        waiting = {task for task in (*tasks, coming) if task is not None}
        deadline: float | None = None
        while waiting:
            rest = None if deadline is None else max(0.0, deadline - self._loop.time())
            done, waiting = await asyncio.wait(
                waiting, timeout=rest, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            if deadline is not None:
                continue
            if any(task.result() is not None for task in done):
                deadline = self._loop.time() + _GRACE
                waiting -= {coming}
            elif coming in done:
                came = self._grouped(self._resolution.take_late(host))
                more = [self._start(open_family(addresses)) for addresses in came]
                tasks += more
                waiting.update(more)
        finished = (task.result() for task in tasks if task.done())
        return next((opened for opened in finished if opened is not None), None)

    async def _open_family(
        self, addresses: list[str], port: int, server_name: str, verify: bool
    ) -> Opened | None:
        connected = await all_of([self.connect(address, port) for address in addresses])
        opened = [one for one in connected if one is not None]
        if not opened or not server_name:
            return opened[0] if opened else None
        if len(opened) == 1:
            worked = await self.handshake(opened[0], port, server_name, verify)
            return opened[0] if worked else None
        # On a line that answers fast, one that is silent for a while holds up no other.
        patience = self._context.line.patience(self._record.settings.tls_timeout)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.handshake(opened[0], port, server_name, verify))]
            await asyncio.wait(tasks, timeout=patience)
            if tasks[0].done() and tasks[0].result():
                return opened[0]
            # In parallel: one after the other, the last would be idle so long that its server
            # closes.
            tasks += [
                group.create_task(self.handshake(one, port, server_name, verify))
                for one in opened[1:]
            ]
        return next((one for one, t in zip(opened, tasks, strict=True) if t.result()), None)

    async def connect(self, address: str, port: int, segment: int = 0) -> Opened | None:
        """A TCP connection to one address, or None; either way it is on record. `segment` as for
        `Network.connect`."""
        start = self._record.elapsed()
        self._record.tested.add(address)
        failure: str | None = None
        stream: Stream | None = None
        try:
            async with asyncio.timeout(self._record.settings.tcp_timeout):
                stream = await self._context.network.connect(address, port, segment)
        except OSError as error:
            failure = failure_of(error)
            if failure in UNANSWERED:
                self._context.verified_addresses.unanswered(address)
        retransmits = 0
        if stream is not None:
            self._record.keep(stream)
            retransmits = stream.retransmits()
            self._context.line.worked(self._record.elapsed() - start)
        self._note_connect(start, failure, address, port, retransmits)
        return None if stream is None else Opened(stream=stream, address=address)

    def _note_connect(
        self, start: float, failure: str | None, address: str, port: int, retransmits: int = 0
    ) -> None:
        self._record.observations.append(
            TcpObservation(
                start=start,
                duration=self._record.elapsed() - start,
                failure=failure,
                address=address,
                port=port,
                retransmits=retransmits,
            )
        )

    async def at(self, address: str, port: int) -> Opened | None:
        """A TCP connection to one address, through the vantage's proxy where it has one."""
        if not self._context.vantage.egress.proxied:
            return await self.connect(address, port)
        try:
            return await self.connect_through_proxy(address, port)
        except ProxyError:
            return None  # on record as the proxy's own failure

    async def connect_through_proxy(self, host: str, port: int) -> Opened | None:
        """A connection through the proxy to a name or address; None when the proxy reports that it
        cannot reach it, which is on record. Raises ProxyError when the proxy itself fails."""
        start = self._record.elapsed()
        address = host if is_literal(host) else ""
        if address:
            self._record.tested.add(address)
        try:
            async with asyncio.timeout(self._record.settings.tcp_timeout):
                stream = await self._proxy.open(host, port)
        except (FarSideError, TimeoutError) as error:
            self._note_connect(start, failure_of(error), address, port)
            return None
        return Opened(stream=stream, address=address)

    async def targets_of_proxy(self, host: str) -> Sequence[str]:
        """What to have the proxy connect to for `host`: the name, or what our own resolver says.

        Nothing for a redirect into the network that the proxy stands in.
        """
        if is_literal(host) or not self._context.vantage.resolver.system:
            addresses = await self._resolution.addresses(host)
            return addresses[: self._record.settings.max_addresses]
        return (host,) if host == self._record.given or may_be_public(host) else ()

    async def _open_through_proxy(
        self, host: str, port: int, *, tls: bool, verify: bool
    ) -> Opened | None:
        try:
            for target in await self.targets_of_proxy(host):
                opened = await self.connect_through_proxy(target, port)
                if opened is None:
                    continue
                if not tls or await self.handshake(opened, port, host.rstrip("."), verify):
                    return opened
        except ProxyError:
            pass  # on record as the proxy's own failure
        return None

    async def handshake(
        self,
        opened: Opened,
        port: int,
        server_name: str,
        verify: bool,
        hello: Hello = Hello.USUAL,
        *,
        patience: float = 0.0,
    ) -> bool:
        """A TLS handshake over an open stream, which is closed if it fails; True if it worked.

        `patience` is how many seconds it may take, where that is not the usual time.
        """
        start = self._record.elapsed()
        stream = opened.stream
        failure: str | None = None
        alert, verify_error = False, ""
        facts = TlsFacts(version="", cipher="", alpn="")
        try:
            async with asyncio.timeout(patience or self._record.settings.tls_timeout):
                facts = await stream.start_tls(server_name, verify=verify, hello=hello)
        except OSError as error:  # ssl.SSLError is one
            failure = failure_of(error)
            alert = is_tls_alert(error)
            verify_error = getattr(error, "verify_message", "")
        chain = stream.peer_chain()
        if failure is not None:
            stream.close()
        else:
            self._context.line.worked(self._record.elapsed() - start)
        if failure is None and verify:
            self._context.verified_addresses.add(server_name, opened.address)
            self._context.exits.forget(opened.address)
        self._record.observations.append(
            TlsObservation(
                start=start,
                duration=self._record.elapsed() - start,
                failure=failure,
                address=opened.address,
                port=port,
                server_name=server_name,
                hello=hello,
                hello_bytes=stream.hello_bytes,
                version=facts.version,
                cipher=facts.cipher,
                alpn=facts.alpn,
                alert=alert,
                verify_error=verify_error,
                chain_sha256=chain_digest(chain),
                chain_bytes=sum(map(len, chain)),
                chain=chain if failure is not None else (),
            )
        )
        return failure is None
