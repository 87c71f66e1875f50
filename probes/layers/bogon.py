"""Addresses that no public service can have: a resolver that answers with one lies."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from probes.layers.nat64 import Nat64
from probes.sockets.system_resolvers import is_loopback

NO_NAT64 = Nat64()
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class BogonList:
    """All addresses that are not globally routable, except those the operator allows.

    For an address that the network's NAT64 made up, the IPv4 address in it counts.
    """

    def __init__(self, allow: Sequence[str] = (), nat64: Nat64 = NO_NAT64) -> None:
        self._nat64 = nat64
        self._allow: tuple[IpNetwork, ...] = tuple(ipaddress.ip_network(net) for net in allow)
        # Every cycle checks the same few addresses.
        self._known = lru_cache(maxsize=4096)(self._holds)

    def __contains__(self, address: object) -> bool:
        return self._known(str(address))

    def _holds(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        if isinstance(parsed, ipaddress.IPv6Address):
            parsed = self._nat64.original(parsed) or parsed
        if any(parsed.version == net.version and parsed in net for net in self._allow):
            return False
        # A multicast address may count as global, but no host has one.
        return not parsed.is_global or parsed.is_multicast


def is_stub(address: str, bogons: BogonList) -> bool:
    """Whether the resolver at `address` is a stub: on loopback, and in no network that the
    operator allows."""
    return is_loopback(address) and address in bogons
