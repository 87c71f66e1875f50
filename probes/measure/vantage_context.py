"""A vantage, its network, and what is known of that network so far."""

import asyncio
import ipaddress
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Self

import msgspec

from probes.catalog.catalog import Authority, Endpoint
from probes.catalog.endpoint_kinds import DATAGRAM_KINDS, EndpointKind
from probes.layers.bogon import NO_NAT64, BogonList, end_of
from probes.layers.dns import DnsLookup
from probes.layers.dns_message import Reply
from probes.layers.http import HttpClient
from probes.layers.nat64 import WELL_KNOWN_NAME, WITHHELD, Nat64, learn
from probes.measure.learnt_exits import LearntExits
from probes.measure.line_pace import LinePace
from probes.measure.ordered_addresses import OrderedLimits
from probes.measure.verified_addresses import VerifiedAddresses, routed_network
from probes.measurement import Layer, family_of
from probes.settings import ProbeSettings
from probes.sockets.network import Network
from probes.sockets.system_resolvers import ResolverAddress
from probes.vantage import Resolver, VantagePoint

RESOLVERS_ASKED = 2
"""As many as a measurement asks for a name."""

AskingDoh = AbstractAsyncContextManager[Callable[[str, str], Awaitable[Reply]]]
"""Name and record type → reply, over HTTPS. Raises as `probes.measure.doh.asking_doh` does."""


class VantageContext(ABC):
    """What all measurements from one vantage share."""

    def __init__(
        self,
        vantage: VantagePoint,
        network: Network,
        settings: ProbeSettings,
        client: HttpClient,
        *,
        resolvers: Callable[[], Sequence[ResolverAddress]],
        now: Callable[[], datetime],
    ) -> None:
        """`resolvers` are all there are. It is called for each measurement, since a laptop or modem
        changes networks."""
        self.vantage = vantage
        self.network = network
        self.settings = settings
        self.client = client
        self._all_resolvers = resolvers
        self.bogons = BogonList(settings.bogon_allow)
        self._public_only = BogonList()
        self.ordered: frozenset[str] = frozenset()
        """Ids of endpoints that are measured by an order alone."""
        self.authorities: tuple[Authority, ...] = ()
        """Those of domains, for HTTP/3. Over TCP `network` knows them."""
        self.limits = OrderedLimits(now)
        self.nat64 = NO_NAT64
        self.now = now
        self._bootstrap: Self | None = None
        self.verified_addresses = VerifiedAddresses()
        self.line = LinePace(lambda: asyncio.get_running_loop().time())
        self.exits = LearntExits()
        """For the scrubber, and to send nothing there by order."""
        self.here = LearntExits()
        """Addresses of the machine itself, for the same."""
        self.on_exit: Callable[[str], None] | None = None
        """Called with the vantage's public address when a server reports it; the address must not
        be kept, logged or shown."""

    def inherit(self, before: "VantageContext") -> None:
        """Go on with what was learnt of the network of the same vantage under other settings."""
        self.verified_addresses, self.line = before.verified_addresses, before.line
        self.exits, self.here = before.exits, before.here

    def resolvers(self) -> Sequence[ResolverAddress]:
        """Those of the families that the vantage can use; where it can use none of them, all."""
        every, families = self._all_resolvers(), self.network.families()
        return [one for one in every if family_of(one.address) in families] or every

    def heard_exit(self, address: str) -> None:
        """A server said that the vantage's packets come from this address. Where a site's
        certificate verified, the vantage is not: a forged answer would remove it as evidence."""
        if address not in self.bogons and not self.verified_addresses.holds(address):
            self.exits.add(address)
        if self.on_exit is not None:
            self.on_exit(address)

    @abstractmethod
    def asking_doh(self, url: str) -> AskingDoh:
        """The DNS-over-HTTPS server at `url`, reached from this vantage."""

    def hidden(self, endpoint: Endpoint, *, quic: bool = False) -> tuple[Layer, ...]:
        """The layers of an endpoint that the vantage's proxy hides; `quic`: HTTP/3 is asked for."""
        if not self.vantage.egress.proxied:
            return ()
        # A proxy that resolves hides the DNS answer and the TCP handshake, and no proxy carries
        # datagrams.
        hidden = [Layer.DNS] if self.vantage.resolver.system else []
        if endpoint.kind in DATAGRAM_KINDS:  # STUN, NTP
            hidden.append(Layer.APP)
        elif endpoint.kind is not EndpointKind.DNS:
            hidden.append(Layer.TCP)
        if quic and endpoint.kind is EndpointKind.HTTPS:
            hidden.append(Layer.QUIC)
        return tuple(hidden)

    async def learn_nat64(self, *, alone: bool) -> tuple[str, ...]:
        """Learn how the network's NAT64 makes up addresses, and use that from now on.

        `alone`: no IPv4 works. Returns the prefixes in CIDR notation; none where there is no NAT64
        or it is hidden, as by a proxy; `withheld` for one that would show our own address. Where no
        resolver answers, what was known stays.
        """
        own: set[str] = set()
        prefixes: tuple[ipaddress.IPv6Network, ...] = ()
        proxied = self.vantage.egress.proxied
        for resolver in self.resolvers()[:RESOLVERS_ASKED] if not proxied else ():
            lookup = DnsLookup(
                self.network,
                resolver,
                WELL_KNOWN_NAME,
                rtypes=("AAAA",),
                timeout=self.settings.dns_timeout,
                window=0.0,
                origin=asyncio.get_running_loop().time(),
                on_local_address=own.add,
            )
            try:
                lookup.start()
                found = (await lookup.replies())["AAAA"]
            finally:
                lookup.close()
            if lookup.answered:
                prefixes = learn(found)
                break
            prefixes = self.nat64.prefixes
        self.translate(Nat64(prefixes, alone))
        return tuple(
            WITHHELD if any(_in_same_network(address, prefix) for address in own) else str(prefix)
            for prefix in self.nat64.prefixes
        )

    def translate(self, nat64: Nat64) -> None:
        """Interpret and dial addresses as on a network with this NAT64."""
        if nat64 != self.nat64:
            self.nat64 = nat64
            self.bogons = BogonList(self.settings.bogon_allow, nat64)
            self._public_only = BogonList((), nat64)

    def may_reach(self, endpoint: str, address: str) -> bool:
        """Whether the endpoint of that id may reach the address. An ordered one reaches public
        addresses alone, whatever `bogon_allow` says: that is about endpoints of the host's own. The
        host's network may have public addresses too, behind a filter that lets us through."""
        if endpoint not in self.ordered:
            return True
        end = str(end_of(address, self.nat64))
        if address in self._public_only or self._is_beside_us(end):
            return False
        return self.limits.reaches(endpoint, end)

    def _is_beside_us(self, address: str) -> bool:
        network = routed_network(address)
        return any(routed_network(one) == network for one in (*self.exits, *self.here))

    @property
    def bootstrap(self) -> Self:
        """The same vantage with the machine's resolvers, or its proxy, in place of its own: it
        reaches a resolver that is itself known by a name."""
        if self._bootstrap is None:
            self._bootstrap = type(self)(
                msgspec.structs.replace(self.vantage, resolver=Resolver()),
                self.network,
                self.settings,
                self.client,
                resolvers=self._all_resolvers,
                now=self.now,
            )
            self._bootstrap.exits = self.exits
        self._bootstrap.translate(self.nat64)
        return self._bootstrap


def _in_same_network(address: str, prefix: ipaddress.IPv6Network) -> bool:
    """Whether a prefix would show which network an IPv6 address of ours is in."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.version == 6 and parsed in prefix.supernet(new_prefix=min(48, prefix.prefixlen))
