"""Connections of one measurement through the vantage's proxy."""

import asyncio

from probes.catalog.host import is_literal
from probes.failure_strings import Failure
from probes.layers.socks5_and_http_connect import ProxyError, open_through, secure
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measurement import EgressObservation
from probes.sockets.failure_mapping import failure_of
from probes.sockets.network import Stream


class ProxiedConnections:
    """Opens streams through the proxy; records an observation only when the proxy itself fails."""

    def __init__(self, record: UnscrubbedRecord) -> None:
        self._record = record
        self._context = record.context

    async def open(self, host: str, port: int) -> Stream:
        """A stream to `host` through the vantage's proxy.

        Raises ProxyError when the proxy itself fails, which is on record then, FarSideError when
        the proxy reports that it cannot reach `host`, and TimeoutError when the caller's deadline
        passes while the proxy works on it.
        """
        egress = self._context.vantage.egress
        start = self._record.elapsed()
        try:
            async with asyncio.timeout(self._record.settings.tcp_timeout / 2):
                stream = await self._dial()
        except OSError as error:
            raise self._failed(start, failure_of(error)) from error
        self._record.keep(stream)
        try:
            if egress.proxy_tls:
                await secure(stream, egress)
            await open_through(stream, egress, host, port)
        except ProxyError as error:
            raise self._failed(start, Failure.CONNECTION_ABORTED, str(error)) from error
        except OSError as error:
            raise self._failed(start, failure_of(error)) from error
        if not egress.proxy_tls:
            return stream
        inside = stream.inside()
        self._record.keep(inside)
        return inside

    def _failed(self, start: float, failure: str, reply: str = "") -> ProxyError:
        self._record.observations.append(
            EgressObservation(
                start=start, duration=self._record.elapsed() - start, failure=failure, reply=reply
            )
        )
        return ProxyError(reply)

    async def _dial(self) -> Stream:
        egress = self._context.vantage.egress
        if is_literal(egress.proxy_host):
            return await self._context.network.connect(egress.proxy_host, egress.proxy_port)
        # The machine's resolver resolves the proxy's own name: the answer is no evidence.
        found = await asyncio.get_running_loop().getaddrinfo(
            egress.proxy_host, egress.proxy_port, type=1
        )
        return await self._context.network.connect(str(found[0][4][0]), egress.proxy_port)
