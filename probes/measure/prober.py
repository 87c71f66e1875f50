"""The Prober makes one measurement of one endpoint from one vantage.

    resolve A and AAAA → connect to each address → one TLS handshake per family → one request

The two address families run in parallel, so one that hangs neither hides nor delays the other. A
delay would matter: a server closes a connection that stays idle meanwhile, and that would look like
interference. The prober judges nothing. It records what failed and goes on where it can.
"""

import asyncio

from probes.catalog.catalog import ReferenceScope
from probes.measure.doh import asking_doh
from probes.measure.measurement_run import MeasurementRun
from probes.measure.other_hello import greet_otherwise
from probes.measure.small_segments import greet_in_small_segments
from probes.measure.vantage_context import AskingDoh, VantageContext
from probes.measurement import REFERENCE_PLATFORM, Layer, Measurement, Purpose, id_at
from probes.target import Dial, Reduction, Target


class Prober(VantageContext):
    async def measure(
        self,
        target: Target,
        *,
        cycle: str = "",
        purpose: Purpose = Purpose.SCHEDULED,
        attempt: int = 1,
        quic: bool = False,
        unadvertised: bool = True,
        otherwise: bool = False,
        smaller: bool = False,
        reduction: Reduction | None = None,
        also: Dial | None = None,
        brisk: bool = False,
    ) -> Measurement:
        """One measurement. Never raises for network failures; may be cancelled at any point.

        `quic` tests an https endpoint over HTTP/3 too, without `unadvertised` only where the answer
        over TCP offers that. `otherwise` greets it in another form of TLS greeting too, where the
        usual one worked, and `smaller` in small packets, where it fell silent. None of them ever
        changes `reached`. `reduction` says which parts to omit, and `also` which addresses to
        connect to besides. A `brisk` one waits for what stays silent only as long as tells
        something on this line (`probes.measure.line_pace`).
        """
        greets = reduction is not None and reduction.only_handshake(target.endpoint)
        omitted = (Layer.HTTP,) if greets else ()
        run = MeasurementRun(self, asyncio.get_running_loop().time(), reduction, brisk=brisk)
        # A country's own reference might name another's address to have it hidden from evidence.
        run.record.learns = (
            target.platform == REFERENCE_PLATFORM and target.function != ReferenceScope.DOMESTIC
        )
        started_at = self.now()
        try:
            reached = await run.run(target.endpoint)
            asks = quic and (unadvertised or run.pages.offered_http3(target.endpoint))
            if asks and not self.vantage.egress.proxied:
                await run.applications.ask_over_quic(target.endpoint)
            if otherwise and not self.vantage.egress.proxied:
                await greet_otherwise(
                    run.record, run.connections, target.endpoint.host, verify=target.endpoint.verify
                )
            if smaller and not self.vantage.egress.proxied:
                await greet_in_small_segments(
                    run.record, run.connections, target.endpoint.host, verify=target.endpoint.verify
                )
            if also is not None:
                await run.dial(target.endpoint, also)
            observations = await run.finish()
        finally:
            await run.close()
        return Measurement(
            id=id_at(started_at),
            cycle=cycle,
            **self.vantage.origin,
            platform=target.platform,
            function=target.function,
            endpoint=run.record.endpoint,
            look=purpose,
            attempt=attempt,
            started_at=started_at,
            duration=run.record.elapsed(),
            observations=observations,
            not_observed=(*self.hidden(target.endpoint, quic=quic), *omitted),
            reached=reached,
        )

    def asking_doh(self, url: str) -> AskingDoh:
        """The vantage's DNS-over-HTTPS server, as `probes.measure.doh.asking_doh` asks it."""
        return asking_doh(self.bootstrap, url)
