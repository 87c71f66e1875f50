"""One measurement while it runs: which questions each kind of endpoint is asked, in which order."""

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import DATAGRAM_KINDS, EndpointKind
from probes.measure.application_protocols import Applications
from probes.measure.concurrently import all_of
from probes.measure.connections import Connections
from probes.measure.follow_up_reasons import Reason
from probes.measure.proxied_connections import ProxiedConnections
from probes.measure.redirect_chain import RedirectChain
from probes.measure.resolution import Resolution
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measure.vantage_context import VantageContext
from probes.measurement import AnyObservation, family_of
from probes.target import Dial, Reduction

_WEB = (EndpointKind.HTTP, EndpointKind.HTTPS)


class MeasurementRun:
    """One measurement. The caller must close it, whatever happens."""

    def __init__(
        self,
        context: VantageContext,
        origin: float,
        reduction: Reduction | None = None,
        *,
        brisk: bool = False,
    ) -> None:
        """`origin`: the event loop's time at which the measurement starts; `brisk` as for
        `UnscrubbedRecord`."""
        self.context = context
        self.record = UnscrubbedRecord(context, origin, brisk=brisk)
        self.proxy = ProxiedConnections(self.record)
        self.resolution = Resolution(self.record, self.proxy)
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

    async def dial(self, endpoint: Endpoint, also: Dial) -> None:
        """Connect to these addresses too, with a handshake where the endpoint speaks TLS. That
        changes nothing of what is reached: the observations carry a reason."""
        await self.connections.settle()  # else what is still connecting would get the reason, too
        known = frozenset(self.record.tested) if also.times == 1 else frozenset()
        families = self.context.network.families()
        for address in also.addresses:
            unwanted = address in known or address in self.context.bogons
            if unwanted or family_of(address) not in families:
                continue
            since = len(self.record.observations)
            await all_of([self._dial_once(endpoint, also, address) for _ in range(also.times)])
            self.record.mark(Reason.SAME_ADDRESS, since)

    async def _dial_once(self, endpoint: Endpoint, also: Dial, address: str) -> None:
        opened = await self.connections.at(address, also.port)
        if opened is None:
            return
        if endpoint.kind in (EndpointKind.TLS, EndpointKind.HTTPS):
            name = also.host.rstrip(".")
            await self.connections.handshake(opened, also.port, name, endpoint.verify)
        opened.stream.close()

    async def finish(self) -> tuple[AnyObservation, ...]:
        """Wait for the slower family and late DNS answers; all observations, scrubbed, in order."""
        await self.connections.settle()
        self.record.close_streams()
        late = await self.resolution.finish()
        return await self.record.scrubbed(late, self.pages.finish, aside=self.pages.long)

    async def close(self) -> None:
        """Release everything; safe to call again."""
        try:
            await self.connections.close()
        finally:
            self.record.close_streams()
            self.resolution.close()
