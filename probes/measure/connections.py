"""The connections of one look: every address tried, both families side by side, as far as TLS.

One family that hangs neither hides the other nor holds it up: a server hangs up on a connection
that stays idle meanwhile, which would look like interference.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec

from probes.catalog.host import is_literal
from probes.layers.proxy import FarSideError
from probes.measure.concurrently import all_of
from probes.measure.measurement_record import MeasurementRecord
from probes.measure.proxied_connections import ProxiedConnections
from probes.measure.resolution import Resolution
from probes.measurement import TcpObservation, TlsObservation, family_of
from probes.sockets.failure_mapping import failure_of, is_tls_alert
from probes.sockets.network import Stream, chain_digest
from probes.target import Reduction

_GRACE = 0.5
"""Seconds the other family gets, once one has a connection, before the look goes on without it."""


class Opened(msgspec.Struct, kw_only=True):
    """A stream that got as far as was asked."""

    stream: Stream
    address: str


class Connections:
    """Connects and shakes hands for one look."""

    def __init__(
        self,
        record: MeasurementRecord,
        names: Resolution,
        proxy: ProxiedConnections,
        reduction: Reduction | None = None,
    ) -> None:
        self._record = record
        self._standpoint = record.context
        self._names = names
        self._proxy = proxy
        self._glance = reduction
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

    async def open_verified(self, host: str, port: int) -> Opened | None:
        """A stream to `host` whose certificate was verified, if one can be had."""
        return await self.open(host, port, tls=True, verify=True)

    async def open(self, host: str, port: int, *, tls: bool, verify: bool) -> Opened | None:
        """A stream to `host`, as far as TLS if asked; every address tried is on record."""
        if self._standpoint.vantage.egress.proxied:
            return await self._open_through_proxy(host, port, tls=tls, verify=verify)
        chosen = await self.by_family(host)
        # The final dot of an absolute name is DNS's alone: certificates do not have it.
        name = host.rstrip(".") if tls else ""
        if len(chosen) == 1:
            return await self._open_family(chosen[0], port, name, verify)
        return await self._side_by_side(
            [self._open_family(addresses, port, name, verify) for addresses in chosen]
        )

    async def by_family(self, host: str) -> list[list[str]]:
        """The addresses to dial for `host`, of one family after the other."""
        by_family: dict[str, list[str]] = {}
        for address in await self._names.addresses(host):
            by_family.setdefault(family_of(address), []).append(address)
        most = self._record.settings.max_addresses
        families = [one for one in self._standpoint.network.families() if one in by_family]
        if self._glance is not None:
            most = min(most, self._glance.addresses)
            if self._glance.family in families:
                families = [self._glance.family]
        return [by_family[family][:most] for family in families]

    async def _side_by_side(
        self, families: Sequence[Coroutine[Any, Any, Opened | None]]
    ) -> Opened | None:
        """The connection of the first of `families` that made one, in their order.

        Once there is one the others get a moment more; after that they go on behind the look's
        back, which waits for them in `settle`.
        """
        tasks = [asyncio.create_task(family) for family in families]
        self._families.update(tasks)
        waiting: set[asyncio.Task[Opened | None]] = set(tasks)
        deadline: float | None = None
        while waiting:
            rest = None if deadline is None else max(0.0, deadline - self._loop.time())
            done, waiting = await asyncio.wait(
                waiting, timeout=rest, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            if deadline is None and any(task.result() is not None for task in done):
                deadline = self._loop.time() + _GRACE
        finished = (task.result() for task in tasks if task.done())
        return next((opened for opened in finished if opened is not None), None)

    async def _open_family(
        self, addresses: list[str], port: int, server_name: str, verify: bool
    ) -> Opened | None:
        connected = await all_of([self.connect(address, port) for address in addresses])
        opened = [one for one in connected if one is not None]
        if not opened or not server_name:
            return opened[0] if opened else None
        if await self.handshake(opened[0], port, server_name, verify):
            return opened[0]
        # One after the other, the last would have been idle for so long that its server hung up.
        others = opened[1:]
        worked = await all_of([self.handshake(one, port, server_name, verify) for one in others])
        return next((one for one, well in zip(others, worked, strict=True) if well), None)

    async def connect(self, address: str, port: int) -> Opened | None:
        """A stream to one address, if it can be had."""
        start = self._record.elapsed()
        self._record.looked_at.add(address)
        failure: str | None = None
        stream: Stream | None = None
        try:
            async with asyncio.timeout(self._record.settings.tcp_timeout):
                stream = await self._standpoint.network.connect(address, port)
        except OSError as error:
            failure = failure_of(error)
        retransmits = 0
        if stream is not None:
            self._record.keep(stream)
            retransmits = stream.retransmits()
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
        return None if stream is None else Opened(stream=stream, address=address)

    async def _open_through_proxy(
        self, host: str, port: int, *, tls: bool, verify: bool
    ) -> Opened | None:
        targets: Sequence[str] = (host,)
        if not self._standpoint.vantage.resolver.system:
            targets = (await self._names.addresses(host))[: self._record.settings.max_addresses]
        for target in targets:
            start = self._record.elapsed()
            address = target if is_literal(target) else ""
            if address:
                self._record.looked_at.add(address)
            try:
                async with asyncio.timeout(self._record.settings.tcp_timeout):
                    stream = await self._proxy.open(target, port)
            except (FarSideError, TimeoutError) as error:
                failure = error.failure if isinstance(error, FarSideError) else failure_of(error)
                self._record.observations.append(
                    TcpObservation(
                        start=start,
                        duration=self._record.elapsed() - start,
                        failure=failure,
                        address=address,
                        port=port,
                    )
                )
                continue
            if stream is None:
                return None
            opened = Opened(stream=stream, address=address)
            if not tls or await self.handshake(opened, port, host.rstrip("."), verify):
                return opened
        return None

    async def handshake(self, opened: Opened, port: int, server_name: str, verify: bool) -> bool:
        """Shake hands over an open stream, and close it if that fails; True when it worked."""
        start = self._record.elapsed()
        stream = opened.stream
        failure: str | None = None
        alert, verify_error = False, ""
        version = cipher = alpn = ""
        try:
            async with asyncio.timeout(self._record.settings.tls_timeout):
                facts = await stream.start_tls(server_name, verify=verify)
            version, cipher, alpn = facts.version, facts.cipher, facts.alpn
        except OSError as error:  # ssl.SSLError is one
            failure = failure_of(error)
            alert = is_tls_alert(error)
            verify_error = getattr(error, "verify_message", "")
        chain = stream.peer_chain()
        if failure is not None:
            stream.close()
        self._record.observations.append(
            TlsObservation(
                start=start,
                duration=self._record.elapsed() - start,
                failure=failure,
                address=opened.address,
                port=port,
                server_name=server_name,
                version=version,
                cipher=cipher,
                alpn=alpn,
                alert=alert,
                verify_error=verify_error,
                chain_sha256=chain_digest(chain),
                chain_bytes=sum(map(len, chain)),
                chain=chain if failure is not None else (),
            )
        )
        return failure is None
