"""The host names of one measurement, resolved as the vantage resolves them, every answer on record.

A vantage asks the network's resolvers over UDP and listens on for a second answer, or a resolver of
its own through its proxy, or one over HTTPS. A proxy that resolves hides all of that.
"""

from collections.abc import Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from probes.catalog.host import is_literal
from probes.failure_strings import Failure
from probes.layers.dns import DnsLookup, ask_over_stream
from probes.layers.dns_message import Reply
from probes.layers.socks5_and_http_connect import ProxyError
from probes.measure.concurrently import all_of
from probes.measure.proxied_connections import ProxiedConnections
from probes.measure.stream_query import stream_query, with_rcode
from probes.measure.unscrubbed_record import UnscrubbedRecord
from probes.measurement import DOH, DnsObservation
from probes.sockets.system_resolvers import ResolverAddress

RESOLVER_FALLBACK = "resolver_fallback"
"""Reason of observations at a resolver that stayed silent, so that the next one was asked."""


class Resolution:
    """Resolves each name of a measurement once."""

    def __init__(self, record: UnscrubbedRecord, proxy: ProxiedConnections) -> None:
        self._record = record
        self._context = record.context
        self._proxy = proxy
        self._lookups: list[tuple[DnsLookup, str]] = []
        self._of_host: dict[str, DnsLookup] = {}
        """Those whose addresses are dialled."""
        self._resolved: dict[str, tuple[str, ...]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Addresses to dial for `host`: itself, or resolved once for each measurement.

        Bogons only when the catalogue names them: neither a resolver nor a redirect nor an order
        may send us into the vantage's own network.
        """
        if is_literal(host):
            if host != self._record.given and host in self._context.bogons:
                return ()
            if not self._context.may_reach(self._record.endpoint, host):
                return ()
            dialled = self._context.nat64.dialled((host,))
            self._record.tested.update((host, *dialled))
            return dialled
        if host not in self._resolved:
            if self._context.vantage.resolver.url:
                found = await self._resolve_over_https(host)
            elif self._context.vantage.egress.proxied:
                found = await self._resolve_through_proxy(host)
            else:
                found = await self._resolve(host)
            self._record.tested.update(found)
            self._resolved[host] = found
        return self._to_dial(self._resolved[host])

    def _to_dial(self, addresses: Iterable[str]) -> tuple[str, ...]:
        honest = tuple(
            address
            for address in addresses
            if address not in self._context.bogons
            and self._context.may_reach(self._record.endpoint, address)
        )
        return self._context.nat64.dialled(honest)

    def late(self, host: str) -> Coroutine[Any, Any, None] | None:
        """Waits for the answers that `addresses` went on without; None where there are none."""
        lookup = self._of_host.get(host)
        return lookup.late() if lookup is not None and lookup.passed_over else None

    def take_late(self, host: str) -> tuple[str, ...]:
        """The addresses in those answers, to dial as well."""
        found = self._of_host[host].take_late()
        self._record.tested.update(found)
        self._resolved[host] += found
        return self._to_dial(found)

    async def _resolve(self, host: str) -> tuple[str, ...]:
        resolvers = self._context.resolvers()
        if not resolvers:
            self._record.observations.append(
                DnsObservation(
                    start=self._record.elapsed(),
                    duration=0.0,
                    failure=Failure.DNS_NON_RECOVERABLE,
                    name=host,
                    rtype="A",
                    resolver="none configured",
                    stub=True,
                )
            )
            return ()
        found: tuple[str, ...] = ()
        for resolver, following in zip(resolvers, [*resolvers[1:2], None], strict=False):
            lookup = self.resolve(resolver, host)
            replies = await lookup.replies()
            found = tuple(address for addresses in replies.values() for address in addresses)
            if lookup.answered or following is None:
                self._of_host[host] = lookup
                break
            # Applications ask the next resolver too. The silence stays on record.
            self._lookups[-1] = (lookup, RESOLVER_FALLBACK)
        return found

    def resolve(self, resolver: ResolverAddress, host: str, reason: str = "") -> DnsLookup:
        """Ask one resolver for both families; the lookup goes on until `finish`.

        `reason` becomes that of its observations.
        """
        lookup = DnsLookup(
            self._context.network,
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
        """Set the reason of the lookups that have none."""
        self._lookups[:] = [(lookup, known or reason) for lookup, known in self._lookups]

    async def finish(self) -> list[DnsObservation]:
        """The observations of the lookups, late answers included."""
        return [
            self._marked_bogon(observation, reason)
            for lookup, reason in self._lookups
            for observation in await lookup.finish()
        ]

    def close(self) -> None:
        """Release every lookup; safe to call again."""
        for lookup, _ in self._lookups:
            lookup.close()

    async def _resolve_through_proxy(self, host: str) -> tuple[str, ...]:
        """DNS over TCP at the configured resolver; nothing when the proxy resolves."""
        resolver = self._context.vantage.resolver
        if resolver.system:
            return ()

        async def ask(rtype: str) -> Reply:
            stream = await self._proxy.open(resolver.address, resolver.port)
            return await ask_over_stream(stream, host, rtype)

        label = ResolverAddress(address=resolver.address, port=resolver.port).label
        query = partial(
            stream_query, self._record, ask, name=host, resolver=f"{label} through proxy"
        )
        observations: list[DnsObservation] = []
        try:
            for rtype in ("A", "AAAA"):
                observations += [await query(rtype, transport="tcp")]
        except ProxyError:
            pass  # on record as the proxy's own failure
        return self._answered(observations)

    async def _resolve_over_https(self, host: str) -> tuple[str, ...]:
        """The name at the DNS-over-HTTPS server that is this vantage's resolver."""
        url = self._context.vantage.resolver.url
        through = " through proxy" if self._context.vantage.egress.proxied else ""
        async with self._context.asking_doh(url) as ask:
            query = partial(
                stream_query,
                self._record,
                partial(ask, host),
                name=host,
                resolver=f"{url}{through}",
                transport=DOH,
            )
            return self._answered(await all_of([query(rtype) for rtype in ("A", "AAAA")]))

    def _answered(self, observations: Sequence[DnsObservation]) -> tuple[str, ...]:
        """Record the answers of a resolver asked over a stream; the addresses in them."""
        found = tuple(address for observation in observations for address in observation.addresses)
        # A question without a reply might have brought addresses.
        resolved = bool(found) or not all(observation.answers for observation in observations)
        self._record.observations += [
            self._marked_bogon(with_rcode(observation, resolved=resolved), "")
            for observation in observations
        ]
        return found

    def _marked_bogon(self, observation: DnsObservation, reason: str) -> DnsObservation:
        addresses = observation.addresses
        if addresses and all(address in self._context.bogons for address in addresses):
            return msgspec.structs.replace(observation, failure=Failure.DNS_BOGON, reason=reason)
        return msgspec.structs.replace(observation, reason=reason) if reason else observation
