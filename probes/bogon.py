"""Addresses no public service can have, so that a resolver answering them lies."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class BogonList:
    """Everything that is not globally routable, less what the operator allows."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._allow: tuple[IpNetwork, ...] = tuple(ipaddress.ip_network(net) for net in allow)
        # The same few addresses are asked about in every cycle.
        self._known = lru_cache(maxsize=4096)(self._holds)

    def __contains__(self, address: object) -> bool:
        return self._known(str(address))

    def _holds(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        if any(parsed.version == net.version and parsed in net for net in self._allow):
            return False
        # A multicast address may count as global, yet no host answers there.
        return not parsed.is_global or parsed.is_multicast
