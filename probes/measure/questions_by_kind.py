"""One measurement while it runs: which questions each kind of endpoint is asked, in which order."""

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import DATAGRAM_KINDS, EndpointKind
from probes.measure.application_protocols import Applications
from probes.measure.connect_directly_or_through_proxy import Connections
from probes.measure.connect_through_proxy import ProxiedConnections
from probes.measure.redirect_chain import RedirectChain
from probes.measure.resolution import Resolution
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measure.vantage_context import VantageContext
from probes.measurement import AnyObservation
from probes.target import Reduction

_WEB = (EndpointKind.HTTP, EndpointKind.HTTPS)


class MeasurementRun:
    """One measurement. The caller must close it, whatever happens."""

    def __init__(
        self, context: VantageContext, origin: float, reduction: Reduction | None = None
    ) -> None:
        """`origin`: the event loop's time at which the measurement starts."""
        self.context = context
        self.record = UnscrubbedRecord(context, origin)
        self.proxy = ProxiedConnections(self.record)
        self.resolution = Resolution(self.record, self.proxy, context.ask_doh)
        self.connections = Connections(self.record, self.resolution, self.proxy, reduction)
        self.pages = RedirectChain(self.record, self.connections)
        self.applications = Applications(self.record, self.connections)
        self._reduction = reduction

    async def run(self, endpoint: Endpoint) -> bool:
        """Test the endpoint as its kind requires; True when it answers as it should."""
        self.record.given, self.record.endpoint = endpoint.host, endpoint.id
        if endpoint.kind is EndpointKind.DNS:
            return bool(await self.resolution.addresses(endpoint.host))
        if endpoint.kind in DATAGRAM_KINDS:  # STUN, NTP
            return await self.applications.ask_over_udp(endpoint)
        # Nothing is sent to a peer whose certificate is not judged: only the handshake counts.
        asks = endpoint.verify or endpoint.kind is EndpointKind.HTTP
        if self._reduction is not None and self._reduction.only_handshake(endpoint):
            asks = False
        if endpoint.kind in _WEB and asks:
            return await self.pages.follow(endpoint)
        opened = await self.connections.open(
            endpoint.host,
            endpoint.port,
            tls=endpoint.kind in (EndpointKind.TLS, EndpointKind.HTTPS),
            verify=endpoint.verify,
        )
        if opened is None or endpoint.protocol is None:
            return opened is not None
        return await self.applications.ask(endpoint.protocol, opened, endpoint)

    async def finish(self) -> tuple[AnyObservation, ...]:
        """Wait for the slower family and late DNS answers; all observations, scrubbed, in order."""
        await self.connections.settle()
        self.record.close_streams()
        return self.record.scrubbed(await self.resolution.finish(), self.pages.finish)

    async def close(self) -> None:
        """Release everything; safe to call again."""
        try:
            await self.connections.close()
        finally:
            self.record.close_streams()
            self.resolution.close()
