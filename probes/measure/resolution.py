"""The names of one look: resolved as the vantage resolves them, every answer on record.

At the network's resolvers over UDP, listening on for a second answer; at a resolver of one's own
through the vantage's proxy; or at one over HTTPS. A proxy that resolves leaves nothing to see.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from probes.catalog.host import is_literal
from probes.failure import Failure
from probes.layers.dns import DnsLookup, ask_over_stream, failure_of_reply
from probes.layers.dns_message import Reply
from probes.layers.proxy import FarSideError
from probes.measure.concurrently import all_of
from probes.measure.measurement_record import MeasurementRecord
from probes.measure.proxied_connections import ProxiedConnections
from probes.measurement import DOH, DnsAnswer, DnsObservation
from probes.sockets.failure_mapping import MalformedReplyError, PeerClosedError, failure_of
from probes.sockets.system_resolvers import ResolverAddress

RESOLVER_FALLBACK = "resolver_fallback"
"""Reason of observations at a resolver that stayed silent, so that the next one was asked."""


class Resolution:
    """Resolves each name of a look once."""

    def __init__(self, record: MeasurementRecord, proxy: ProxiedConnections) -> None:
        self._record = record
        self._standpoint = record.context
        self._proxy = proxy
        self._lookups: list[tuple[DnsLookup, str]] = []
        self._resolved: dict[str, tuple[str, ...]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Addresses to dial for `host`: literal, or resolved once per look.

        Bogons only when the catalogue names them: whoever answers a name, or redirects, must not
        send us round the vantage's own network.
        """
        if is_literal(host):
            if host != self._record.given and host in self._standpoint.bogons:
                return ()
            dialled = self._standpoint.nat64.dialled((host,))
            self._record.looked_at.update((host, *dialled))
            return dialled
        if host not in self._resolved:
            if self._standpoint.vantage.resolver.url:
                found = await self._resolve_over_https(host)
            elif self._standpoint.vantage.egress.proxied:
                found = await self._resolve_through_proxy(host)
            else:
                found = await self._resolve(host)
            self._record.looked_at.update(found)
            self._resolved[host] = found
        honest = tuple(a for a in self._resolved[host] if a not in self._standpoint.bogons)
        return self._standpoint.nat64.dialled(honest)

    async def _resolve(self, host: str) -> tuple[str, ...]:
        resolvers = self._standpoint.resolvers()
        if not resolvers:
            self._record.observations.append(_no_resolver(host, self._record.elapsed()))
            return ()
        found: tuple[str, ...] = ()
        for resolver, following in zip(resolvers, [*resolvers[1:2], None], strict=False):
            lookup = self.resolve(resolver, host)
            replies = await lookup.replies()
            found = tuple(address for addresses in replies.values() for address in addresses)
            if lookup.answered or following is None:
                break
            # Silent: an application would ask the next one too. The silence stays on record.
            self._lookups[-1] = (lookup, RESOLVER_FALLBACK)
        return found

    def resolve(self, resolver: ResolverAddress, host: str, reason: str = "") -> DnsLookup:
        """Ask one resolver for both families; the lookup goes on until `finish`.

        `reason` is that of its observations.
        """
        lookup = DnsLookup(
            self._standpoint.network,
            resolver,
            host,
            rtypes=("A", "AAAA"),
            timeout=self._record.settings.dns_timeout,
            window=self._record.settings.dns_window,
            origin=self._record.origin,
            on_local_address=self._record.own.add,
        )
        self._lookups.append((lookup, reason))
        lookup.start()
        return lookup

    def mark(self, reason: str) -> None:
        """Give the lookups that have no reason theirs."""
        self._lookups[:] = [(lookup, known or reason) for lookup, known in self._lookups]

    async def finish(self) -> list[DnsObservation]:
        """What the lookups saw, late answers included."""
        return [
            self._marked_bogon(observation, reason)
            for lookup, reason in self._lookups
            for observation in await lookup.finish()
        ]

    def close(self) -> None:
        """Let go of every lookup; safe to call again."""
        for lookup, _ in self._lookups:
            lookup.close()

    async def _resolve_through_proxy(self, host: str) -> tuple[str, ...]:
        """DNS over TCP at the configured resolver, through the proxy; nothing when it resolves."""
        resolver = self._standpoint.vantage.resolver
        if resolver.system:
            return ()
        label = ResolverAddress(address=resolver.address, port=resolver.port).label
        seen: list[DnsObservation] = []
        for rtype in ("A", "AAAA"):
            start = self._record.elapsed()
            failure: str | None = None
            answers: tuple[DnsAnswer, ...] = ()
            try:
                async with asyncio.timeout(self._record.settings.dns_timeout):
                    stream = await self._proxy.open(resolver.address, resolver.port)
                    if stream is None:
                        break
                    reply = await ask_over_stream(stream, host, rtype)
            except (OSError, ValueError, PeerClosedError, MalformedReplyError, FarSideError) as e:
                failure = e.failure if isinstance(e, FarSideError) else failure_of(e)
            else:
                answer = DnsAnswer(
                    delay=self._record.elapsed() - start,
                    rcode=reply.rcode,
                    addresses=reply.addresses,
                    cnames=reply.cnames,
                )
                answers = (answer,)
            seen.append(
                DnsObservation(
                    start=start,
                    duration=self._record.elapsed() - start,
                    failure=failure,
                    name=host,
                    rtype=rtype,
                    resolver=f"{label} through proxy",
                    transport="tcp",
                    answers=answers,
                )
            )
        return self._answered(seen)

    async def _resolve_over_https(self, host: str) -> tuple[str, ...]:
        """The name at the DNS-over-HTTPS server that is this vantage's resolver."""
        return self._answered(
            await all_of([self._ask_over_https(host, rtype) for rtype in ("A", "AAAA")])
        )

    async def _ask_over_https(self, host: str, rtype: str) -> DnsObservation:
        from probes.measure.doh import ask_doh  # builds on this module, and few vantages need it

        start = self._record.elapsed()
        url = self._standpoint.vantage.resolver.url
        answers: tuple[DnsAnswer, ...] = ()
        said: Reply | str
        try:
            async with asyncio.timeout(self._record.settings.dns_timeout):
                said = await ask_doh(self._standpoint.bootstrap, url, host, rtype)
        except (TimeoutError, ValueError) as error:
            said = failure_of(error)
        if not isinstance(said, str):
            answer = DnsAnswer(
                delay=self._record.elapsed() - start,
                rcode=said.rcode,
                addresses=said.addresses,
                cnames=said.cnames,
            )
            answers = (answer,)
        through = " through proxy" if self._standpoint.vantage.egress.proxied else ""
        return DnsObservation(
            start=start,
            duration=self._record.elapsed() - start,
            failure=said if isinstance(said, str) else None,
            name=host,
            rtype=rtype,
            resolver=f"{url}{through}",
            transport=DOH,
            answers=answers,
        )

    def _answered(self, seen: Sequence[DnsObservation]) -> tuple[str, ...]:
        """Put the answers of a resolver reached over a stream on record; the addresses in them."""
        found = tuple(address for observation in seen for address in observation.addresses)
        # What a question that stayed open would have brought is not known.
        resolved = bool(found) or not all(observation.answers for observation in seen)
        self._record.observations += [
            self._marked_bogon(_with_rcode(observation, resolved=resolved), "")
            for observation in seen
        ]
        return found

    def _marked_bogon(self, observation: DnsObservation, reason: str) -> DnsObservation:
        addresses = observation.addresses
        if addresses and all(address in self._standpoint.bogons for address in addresses):
            return msgspec.structs.replace(observation, failure=Failure.DNS_BOGON, reason=reason)
        return msgspec.structs.replace(observation, reason=reason) if reason else observation


def _with_rcode(observation: DnsObservation, *, resolved: bool) -> DnsObservation:
    """The observation with the failure its reply code stands for, if it got a reply."""
    if not observation.answers:
        return observation
    failure = failure_of_reply(observation.answers[0].rcode, has_addresses=resolved)
    return msgspec.structs.replace(observation, failure=failure)


def _no_resolver(host: str, start: float) -> DnsObservation:
    return DnsObservation(
        start=start,
        duration=0.0,
        failure=Failure.DNS_NON_RECOVERABLE,
        name=host,
        rtype="A",
        resolver="none configured",
        stub=True,
    )
