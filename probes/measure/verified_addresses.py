"""The addresses at which a name's certificate verified before, from one vantage.

A provider's cache of a platform is known to nobody but the provider's resolver. When it dies, the
resolver goes on naming it, and looks like one that lies. That it was right before tells the two
apart. And what answers beside an address that is silent shows that the route there works.
"""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from probes.measurement import family_of

_MOST_NAMES, _MOST_ADDRESSES = 2000, 32
_ROUTED = {4: 24, 6: 48}
"""Bits of the smallest networks that routers of different providers tell apart."""


@lru_cache(maxsize=4096)
def routed_network(address: str) -> str:
    """The smallest network of its own route that an address can be in; empty for no address."""
    if not address:
        return ""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return str(ipaddress.ip_network((parsed, _ROUTED[parsed.version]), strict=False))


class VerifiedAddresses:
    """Of each name the addresses that verified last, the newest last."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, None]] = {}
        self._silent: set[str] = set()
        """Those to which no connection could be made since."""

    def add(self, name: str, address: str) -> None:
        """A handshake at this address verified for the name; one through a proxy has none."""
        if not address:
            return
        found = self._known.pop(name, {})
        found.pop(address, None)
        found[address] = None
        self._silent.discard(address)
        self._known[name] = found
        if len(found) > _MOST_ADDRESSES:
            del found[next(iter(found))]
        if len(self._known) > _MOST_NAMES:
            del self._known[next(iter(self._known))]

    @property
    def known(self) -> dict[str, tuple[str, ...]]:
        """Name → addresses; names and addresses that verified last come last."""
        return {name: tuple(found) for name, found in self._known.items()}

    def restore(self, known: Mapping[str, Iterable[str]]) -> None:
        """Add what an earlier process knew, in the form of `known`."""
        for name, addresses in known.items():
            for address in addresses:
                self.add(name, address)

    def unanswered(self, address: str) -> None:
        """No connection could be made to this address."""
        if len(self._silent) >= _MOST_NAMES:
            self._silent.clear()
        self._silent.add(address)

    def holds(self, address: str) -> bool:
        """Whether any name's certificate verified at this address."""
        return any(address in found for found in self._known.values())

    def among(self, name: str, addresses: Iterable[str]) -> tuple[str, ...]:
        """Those of these addresses that verified for the name."""
        found = self._known.get(name, {})
        return tuple(address for address in dict.fromkeys(addresses) if address in found)

    def beside(self, addresses: Collection[str]) -> tuple[tuple[str, str], ...]:
        """Names and addresses in the routed networks of these, and none of them; those that
        verified last come first."""
        networks = {routed_network(address) for address in addresses}
        return tuple(
            (name, address)
            for name in reversed(self._known)
            for address in reversed(self._known[name])
            if address not in addresses and routed_network(address) in networks
        )

    def apart(self, address: str, count: int) -> tuple[str, ...]:
        """Addresses of the same family that verified last and are not silent now, so many, each in
        a routed network of its own, which is not the one of `address`."""
        found: dict[str, str] = {routed_network(address): ""}
        for name in reversed(self._known):
            for other in reversed(self._known[name]):
                if family_of(other) == family_of(address) and other not in self._silent:
                    found.setdefault(routed_network(other), other)
        return tuple(found.values())[1 : count + 1]
