"""One look while it goes on: who takes part in it, in which order, and what is seen in the end."""

from operator import attrgetter

from probes.catalog.catalog import Endpoint, EndpointKind
from probes.layers.scrub import Scrubber, scrub_observation
from probes.measure.applications import Applications
from probes.measure.connections import Connections
from probes.measure.proxied_connections import ThroughProxy
from probes.measure.record import LookRecord
from probes.measure.redirect_chain import RedirectChain
from probes.measure.resolution import Names
from probes.measure.vantage_network import Standpoint
from probes.measurement import AnyObservation
from probes.target import Glance

_WEB = (EndpointKind.HTTP, EndpointKind.HTTPS)


class LookUnderWay:
    """One look. Whatever happens, it has to be closed."""

    def __init__(self, standpoint: Standpoint, origin: float, glance: Glance | None = None) -> None:
        """`origin`: the event loop's time that observations count from."""
        self.standpoint = standpoint
        self.record = LookRecord(standpoint, origin)
        self.proxy = ThroughProxy(self.record)
        self.names = Names(self.record, self.proxy)
        self.connections = Connections(self.record, self.names, self.proxy, glance)
        self.pages = RedirectChain(self.record, self.connections)
        self.applications = Applications(self.record, self.connections)
        self._glance = glance

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
