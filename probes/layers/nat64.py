"""Addresses on a network with NAT64 and DNS64 (RFC 6052, RFC 7050).

Where there is no IPv4, the resolver makes an IPv6 address from each IPv4 address by putting it
behind a prefix, and a translator forwards what is sent there. The name `ipv4only.arpa` has the same
two IPv4 addresses everywhere and no IPv6 address, so an IPv6 answer for it shows the prefix. An
address made up this way is no sign of a lying resolver.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import msgspec

WELL_KNOWN_NAME = "ipv4only.arpa"
_WELL_KNOWN_ADDRESSES = frozenset(map(IPv4Address, ("192.0.0.170", "192.0.0.171")))
WITHHELD = "withheld"
"""What stands for a prefix that would show the vantage's own network."""
WELL_KNOWN_PREFIX = IPv6Network("64:ff9b::/96")
_WHERE = {
    96: (12, 13, 14, 15),
    64: (9, 10, 11, 12),
    56: (7, 9, 10, 11),
    48: (6, 7, 9, 10),
    40: (5, 6, 7, 9),
    32: (4, 5, 6, 7),
}
"""Length of the prefix → the octets that hold the IPv4 address; octet 8 is always 0."""


class Nat64(msgspec.Struct, frozen=True):
    """The prefixes of one network."""

    prefixes: tuple[IPv6Network, ...] = ()
    alone: bool = False
    """IPv4 is reachable only through these prefixes."""

    def original(self, address: IPv6Address) -> IPv4Address | None:
        """The IPv4 address in a made-up address; None for any other."""
        for prefix in (*self.prefixes, WELL_KNOWN_PREFIX):
            if address in prefix:
                return _embedded(address, prefix.prefixlen)
        return None

    def dialled(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """The addresses to dial: these, or their made-up IPv6 addresses where all are IPv4 and the
        network has no IPv4."""
        if not (self.alone and self.prefixes) or any(":" in address for address in addresses):
            return addresses
        return tuple(_behind(self.prefixes[0], IPv4Address(address)) for address in addresses)


def learn(addresses: Iterable[str]) -> tuple[IPv6Network, ...]:
    """The prefixes in IPv6 addresses of WELL_KNOWN_NAME; none where there is none."""
    found = []
    for text in addresses:
        address = ip_address(text)
        if not isinstance(address, IPv6Address):
            continue
        length = next((n for n in _WHERE if _embedded(address, n) in _WELL_KNOWN_ADDRESSES), None)
        if length is not None:
            found.append(IPv6Network((address, length), strict=False))
    return tuple(dict.fromkeys(found))


def is_made_up(address: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the NAT64 with these prefixes (CIDR notation) may have made up an address, or any
    with the well-known one; one with a prefix that is not told may have made up any of IPv6."""
    parsed = ip_address(address)
    if not isinstance(parsed, IPv6Address):
        return False
    if WITHHELD in prefixes:
        return True
    return any(parsed in net for net in (WELL_KNOWN_PREFIX, *map(IPv6Network, prefixes)))


@lru_cache(maxsize=4096)
def inside(address: IPv6Address) -> frozenset[IPv4Address]:
    """Every IPv4 address that an IPv6 one may stand for, whatever the prefix of the network's NAT64
    is; most of them are none."""
    found = address.ipv4_mapped, address.sixtofour, *(_embedded(address, n) for n in _WHERE)
    return frozenset(one for one in found if one is not None)


def _embedded(address: IPv6Address, length: int) -> IPv4Address | None:
    octets = address.packed
    if length not in _WHERE or (length < 96 and octets[8]):
        return None
    return IPv4Address(bytes(octets[at] for at in _WHERE[length]))


def _behind(prefix: IPv6Network, address: IPv4Address) -> str:
    octets = bytearray(prefix.network_address.packed)
    for at, octet in zip(_WHERE[prefix.prefixlen], address.packed, strict=True):
        octets[at] = octet
    return str(IPv6Address(bytes(octets)))
