"""Addresses that no public service can have: a resolver that answers with one lies."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from probes.layers.nat64 import Nat64
from probes.sockets.system_resolvers import is_loopback

NO_NAT64 = Nat64()
_ANY_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052 section 2.1."""
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class BogonList:
    """All addresses that are not globally routable, except those the operator allows.

    For an address that a NAT64 made up, and for any other that stands for an IPv4 address, that
    one counts.
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
        if isinstance(parsed, ipaddress.IPv6Address):
            parsed = self._nat64.original(parsed) or _ipv4_in(parsed) or parsed
        if any(parsed.version == net.version and parsed in net for net in self._allow):
            return False
        # Python counts multicast, and site-local in IPv6 (RFC 3879), as global: no service has one.
        site_local = isinstance(parsed, ipaddress.IPv6Address) and parsed.is_site_local
        return not parsed.is_global or parsed.is_multicast or site_local


def _ipv4_in(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to this one end at: mapped, 6to4, or by any NAT64."""
    if address in _ANY_NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def is_stub(address: str, bogons: BogonList) -> bool:
    """Whether the resolver at `address` is a stub: on loopback, and in no network that the
    operator allows."""
    return is_loopback(address) and address in bogons
