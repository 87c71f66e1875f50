"""One look while it goes on: who takes part in it, in which order, and what is seen in the end."""

from operator import attrgetter

from probes.catalog.catalog import Endpoint, EndpointKind
from probes.layers.scrub import Scrubber, scrub_observation
from probes.measure.applications import Applications
from probes.measure.connections import Connections
from probes.measure.measurement_record import MeasurementRecord
from probes.measure.proxied_connections import ProxiedConnections
from probes.measure.redirect_chain import RedirectChain
from probes.measure.resolution import Resolution
from probes.measure.vantage_context import VantageContext
from probes.measurement import AnyObservation
from probes.target import Reduction

_WEB = (EndpointKind.HTTP, EndpointKind.HTTPS)


class MeasurementRun:
    """One look. Whatever happens, it has to be closed."""

    def __init__(
        self, context: VantageContext, origin: float, reduction: Reduction | None = None
    ) -> None:
        """`origin`: the event loop's time that observations count from."""
        self.context = context
        self.record = MeasurementRecord(context, origin)
        self.proxy = ProxiedConnections(self.record)
        self.names = Resolution(self.record, self.proxy)
        self.connections = Connections(self.record, self.names, self.proxy, reduction)
        self.pages = RedirectChain(self.record, self.connections)
        self.applications = Applications(self.record, self.connections)
        self._glance = reduction

    async def run(self, endpoint: Endpoint) -> bool:
        """Do what this kind of endpoint asks for; True when it answered as it should."""
        self.record.given, self.record.endpoint = endpoint.host, endpoint.id
        if endpoint.kind is EndpointKind.DNS:
            return bool(await self.names.addresses(endpoint.host))
        if endpoint.kind is EndpointKind.STUN:
            return await self.applications.ask_binding(endpoint)
        # Without a certificate to trust nothing is sent: there is only the handshake to see.
        asked = endpoint.verify or endpoint.kind is EndpointKind.HTTP
        if self._glance is not None and self._glance.only_greets(endpoint):
            asked = False
        if endpoint.kind in _WEB and asked:
            return await self.pages.follow(endpoint)
        opened = await self.connections.open(
            endpoint.host,
            endpoint.port,
            tls=endpoint.kind in (EndpointKind.TLS, EndpointKind.HTTPS),
            verify=endpoint.verify,
        )
        if opened is None or endpoint.protocol is None:
            return opened is not None
        return await self.applications.ask_res_pq(opened, endpoint)

    async def finish(self) -> tuple[AnyObservation, ...]:
        """Wait for the slower family and late DNS answers; everything seen, scrubbed, in order."""
        await self.connections.settle()
        record = self.record
        record.close_streams()
        observations = list(record.observations)
        observations += await self.names.finish()
        scrubber = Scrubber(record.own, record.looked_at, (record.given, record.endpoint))
        observations += self.pages.finish(scrubber)
        observations.sort(key=attrgetter("start"))
        return tuple([scrub_observation(observation, scrubber) for observation in observations])

    async def close(self) -> None:
        """Let go of everything; safe to call again."""
        try:
            await self.connections.close()
        finally:
            self.record.close_streams()
            self.names.close()
