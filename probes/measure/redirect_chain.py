"""A request to a web endpoint and the requests its answers redirect to, hop by hop."""

from urllib.parse import urlsplit

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import DEFAULT_PORTS, EndpointKind
from probes.catalog.host import is_literal
from probes.layers.http import exchange
from probes.layers.http_answer import as_stated, offers_http3, redirect, trustworthy, with_content
from probes.layers.http_exchange import Exchange
from probes.layers.scrub import Scrubber
from probes.measure.connections import Connections
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measurement import LEGAL_REASONS, HttpObservation

MAX_REDIRECTS = 10
_LONG = 32 * 1024
"""Bytes of answers that are searched in a few milliseconds."""


class RedirectChain:
    """The HTTP requests of one measurement."""

    def __init__(self, record: UnscrubbedRecord, connections: Connections) -> None:
        self._record = record
        self._context = record.context
        self._connections = connections
        self._exchanges: list[tuple[HttpObservation, Exchange, bool]] = []

    async def follow(self, endpoint: Endpoint) -> bool:
        """Request the endpoint, follow redirects; True when the last hop answers as it should."""
        url = self._record.endpoint
        for hop in range(MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            secure = parts.scheme == EndpointKind.HTTPS
            opened = await self._connections.open(
                parts.hostname or "",
                parts.port or DEFAULT_PORTS[EndpointKind(parts.scheme)],
                tls=secure,
                verify=True,
            )
            if opened is None:
                return False
            start = self._record.elapsed()
            answer = await exchange(
                self._context.client,
                opened.stream,
                url,
                user_agent=self._record.settings.user_agent,
                timeout=self._record.settings.http_timeout,
                body_limit=self._record.settings.body_limit,
                suspicious_limit=self._record.settings.suspicious_body_limit,
                trusted=secure,
            )
            opened.stream.close()
            onward, failure = redirect(url, answer)
            named = urlsplit(onward).hostname if onward else None
            if named and is_literal(named):
                # The address that serves a block page is evidence, dialled or not.
                self._record.tested.add(named)
            last = not onward or hop == MAX_REDIRECTS
            expected = not last or as_stated(endpoint, answer)
            if self._record.learns and secure and expected and answer.failure is None:
                self._context.exits.learn_from(answer.headers, self._context.bogons)
            observation = HttpObservation(
                start=start,
                duration=answer.duration,
                failure=answer.failure or failure,
                url=url,
                address=opened.address,
                hop=hop,
                status=answer.status,
                expected=expected,
                bytes_besides=answer.besides,
            )
            suspicious = not secure or not expected or answer.status == LEGAL_REASONS
            self._exchanges.append((observation, answer, suspicious))
            if last or observation.failure is not None:
                break
            url = onward
        return observation.failure is None and expected and trustworthy(endpoint, url, answer)

    def offered_http3(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint's own answer, over verified TLS, offers HTTP/3."""
        return endpoint.kind is EndpointKind.HTTPS and any(
            observation.hop == 0
            and offers_http3(answer.header("alt-svc"), endpoint.host, endpoint.port)
            for observation, answer, _ in self._exchanges
        )

    @property
    def long(self) -> bool:
        """Whether answers that are searched for addresses are so long that it takes a while."""
        searched = (answer for _, answer, suspicious in self._exchanges if suspicious)
        return sum(max(len(answer.body), answer.received) for answer in searched) > _LONG

    def finish(self, scrubber: Scrubber) -> list[HttpObservation]:
        """One observation for each hop, its body scrubbed."""
        return [
            with_content(observation, answer, scrubber, self._record.own, suspicious=suspicious)
            for observation, answer, suspicious in self._exchanges
        ]
