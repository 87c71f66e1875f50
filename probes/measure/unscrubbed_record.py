"""What one measurement has observed so far, and the streams it holds open."""

import asyncio
from collections.abc import Callable, Iterable
from operator import attrgetter

import msgspec

from probes.layers.scrub import Scrubber, scrub_observations
from probes.measure.vantage_context import VantageContext
from probes.measurement import AnyObservation
from probes.sockets.network import Stream


class UnscrubbedRecord:
    """State that all parts of one measurement share. Only what `scrubbed` returns is scrubbed."""

    def __init__(self, context: VantageContext, origin: float, *, brisk: bool = False) -> None:
        """`origin`: the event loop's time at which the measurement started. A `brisk` one waits
        for what stays silent only as long as tells something on this line."""
        self.context = context
        self.settings = context.settings
        self.app_timeout = self.settings.http_timeout
        """Seconds for an answer in another protocol than HTTP."""
        if brisk and not context.vantage.egress.proxied:
            patience = context.line.patience
            self.app_timeout = patience(self.app_timeout)
            self.settings = msgspec.structs.replace(
                self.settings,
                tcp_timeout=patience(self.settings.tcp_timeout),
                tls_timeout=patience(self.settings.tls_timeout),
            )
        self.origin = origin
        self.observations: list[AnyObservation] = []
        self.own: set[str] = set()
        """The vantage's own addresses, which must not be kept."""
        self.tested: set[str] = set()
        """Addresses of others: they are evidence wherever they appear."""
        self.given = ""
        """The endpoint's own host, as opposed to hosts that redirects name."""
        self.learns = False
        """Whether an answer over verified TLS may say which public address is ours."""
        self.endpoint = ""
        """Id of the endpoint."""
        self._loop = asyncio.get_running_loop()
        self._streams: list[Stream] = []

    def elapsed(self) -> float:
        """Seconds since the measurement started."""
        return self._loop.time() - self.origin

    def keep(self, stream: Stream) -> None:
        """Close `stream` with the measurement, and scrub its local address."""
        self._streams.append(stream)
        self.own.add(stream.local_address)

    def mark(self, reason: str, since: int = 0) -> None:
        """Set the reason of the observations from index `since` on."""
        self.observations[since:] = [
            msgspec.structs.replace(observation, reason=reason)
            for observation in self.observations[since:]
        ]

    async def scrubbed(
        self,
        late: Iterable[AnyObservation],
        pages: Callable[[Scrubber], Iterable[AnyObservation]],
        *,
        aside: bool,
    ) -> tuple[AnyObservation, ...]:
        """All observations in order, the late ones and those of `pages` included, without the
        vantage's own addresses: what leaves this measurement. With `aside` a thread removes them,
        because other measurements' deadlines would pass meanwhile."""
        for address in self.own:
            self.context.here.add(address)
        self.own.update(self.context.exits)
        scrubber = Scrubber(self.own, self.tested, (self.given, self.endpoint))

        def without_addresses() -> tuple[AnyObservation, ...]:
            found = sorted([*self.observations, *late, *pages(scrubber)], key=attrgetter("start"))
            return scrub_observations(found, scrubber)

        return await asyncio.to_thread(without_addresses) if aside else without_addresses()

    def close_streams(self) -> None:
        """Close every stream; safe to call again."""
        for stream in self._streams:
            stream.close()
        self._streams.clear()
