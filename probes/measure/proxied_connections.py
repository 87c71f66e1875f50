"""A look's connections through the vantage's proxy."""

import asyncio

from probes.catalog.host import is_literal
from probes.failure import Failure
from probes.layers.proxy import ProxyError, open_through
from probes.measure.measurement_record import MeasurementRecord
from probes.measurement import EgressObservation
from probes.sockets.failure_mapping import failure_of
from probes.sockets.network import Stream


class ProxiedConnections:
    """Opens streams through the proxy; only where the proxy itself failed goes on record here."""

    def __init__(self, record: MeasurementRecord) -> None:
        self._record = record
        self._standpoint = record.context

    async def open(self, host: str, port: int) -> Stream | None:
        """A stream through the vantage's proxy, or None when the proxy itself failed.

        Raises FarSideError when the proxy says it could not reach `host`, TimeoutError when the
        caller's deadline passes while the proxy works on it.
        """
        egress = self._standpoint.vantage.egress
        start = self._record.elapsed()
        failure, words = None, ""
        stream = None
        try:
            async with asyncio.timeout(self._record.settings.tcp_timeout / 2):
                stream = await self._dial()
        except OSError as error:
            failure = failure_of(error)
        if stream is not None:
            self._record.keep(stream)
            try:
                await open_through(stream, egress, host, port)
            except ProxyError as error:
                failure, words = Failure.CONNECTION_ABORTED, str(error)
            except OSError as error:
                failure = failure_of(error)
        if failure is None:
            return stream
        self._record.observations.append(
            EgressObservation(
                start=start, duration=self._record.elapsed() - start, failure=failure, reply=words
            )
        )
        return None

    async def _dial(self) -> Stream:
        egress = self._standpoint.vantage.egress
        if is_literal(egress.proxy_host):
            return await self._standpoint.network.connect(egress.proxy_host, egress.proxy_port)
        # The proxy's own name goes through the machine's resolver: it is no one's evidence.
        found = await asyncio.get_running_loop().getaddrinfo(
            egress.proxy_host, egress.proxy_port, type=1
        )
        return await self._standpoint.network.connect(str(found[0][4][0]), egress.proxy_port)
