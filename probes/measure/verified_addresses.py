"""The addresses at which a name's certificate verified before, from one vantage.

A provider's cache of a platform is known to nobody but the provider's resolver. When it dies, the
resolver goes on naming it, and looks like one that lies. That it was right before tells the two
apart. The memory is the process's own: after a restart nothing is known.
"""

from collections.abc import Iterable

_MOST_NAMES, _MOST_ADDRESSES = 2000, 32


class VerifiedAddresses:
    """Of each name the addresses that verified last, the newest last."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, None]] = {}

    def add(self, name: str, address: str) -> None:
        """A handshake at this address verified for the name; one through a proxy has none."""
        if not address:
            return
        found = self._known.pop(name, {})
        found.pop(address, None)
        found[address] = None
        self._known[name] = found
        if len(found) > _MOST_ADDRESSES:
            del found[next(iter(found))]
        if len(self._known) > _MOST_NAMES:
            del self._known[next(iter(self._known))]

    def among(self, name: str, addresses: Iterable[str]) -> tuple[str, ...]:
        """Those of these addresses that verified for the name."""
        found = self._known.get(name, {})
        return tuple(address for address in dict.fromkeys(addresses) if address in found)
