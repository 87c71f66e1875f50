"""One look at one endpoint from one vantage: compose the layers into a Measurement.

    resolve A and AAAA → connect to each address → shake hands once per family → ask once

The two families go side by side. One that hangs neither hides the other nor holds it up: a server
hangs up on a connection that stays idle meanwhile, which would look like interference. Nothing
here judges; what went wrong is recorded and the look goes on where it can.
"""

import asyncio

import uuid_utils

from probes.catalog.catalog import Endpoint, EndpointKind
from probes.measure.measurement_run import MeasurementRun
from probes.measure.vantage_context import VantageContext
from probes.measurement import Layer, Measurement, Purpose
from probes.target import Reduction, Target


class Prober(VantageContext):
    """Looks from one vantage."""

    async def measure(
        self,
        target: Target,
        *,
        cycle: str = "",
        purpose: Purpose = Purpose.SCHEDULED,
        attempt: int = 1,
        quic: bool = False,
        unadvertised: bool = True,
        reduction: Reduction | None = None,
    ) -> Measurement:
        """Purpose once. Never raises for what the network does; may be cancelled at any point.

        `quic` asks an https endpoint over HTTP/3 too, which decides nothing about `reached`;
        without `unadvertised` only where its answer over TCP offers that.
        `reduction` says what to leave out.
        """
        under_way = MeasurementRun(self, asyncio.get_running_loop().time(), reduction)
        started_at = self.now()
        try:
            reached = await under_way.run(target.endpoint)
            asks = quic and (unadvertised or under_way.pages.offered_http3(target.endpoint))
            if asks and not self.vantage.egress.proxied:
                await under_way.applications.ask_over_quic(target.endpoint)
            observations = await under_way.finish()
        finally:
            await under_way.close()
        vantage = self.vantage
        return Measurement(
            id=str(uuid_utils.uuid7()),
            cycle=cycle,
            vantage=vantage.id,
            country=vantage.country,
            asn=vantage.asn,
            network=vantage.network,
            vantage_role=vantage.role,
            platform=target.platform,
            role=target.role,
            endpoint=under_way.record.endpoint,
            look=purpose,
            attempt=attempt,
            started_at=started_at,
            duration=under_way.record.elapsed(),
            observations=observations,
            not_observed=self._not_observed(target.endpoint, quic=quic, reduction=reduction),
            reached=reached,
        )

    def _not_observed(
        self, endpoint: Endpoint, *, quic: bool, reduction: Reduction | None
    ) -> tuple[Layer, ...]:
        left_out = [Layer.HTTP] if reduction is not None and reduction.only_greets(endpoint) else []
        if not self.vantage.egress.proxied:
            return tuple(left_out)
        # Through a proxy that resolves, neither the answer nor the handshake is ours to see, and
        # no datagram passes through any.
        hidden = [Layer.DNS] if self.vantage.resolver.system else []
        if endpoint.kind is EndpointKind.STUN:
            hidden.append(Layer.APP)
        elif endpoint.kind is not EndpointKind.DNS:
            hidden.append(Layer.TCP)
        if quic and endpoint.kind is EndpointKind.HTTPS:
            hidden.append(Layer.QUIC)
        return (*hidden, *left_out)
