"""Addresses that no public service can have: a resolver that answers with one lies."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from probes.catalog.host import is_literal
from probes.layers.nat64 import Nat64
from probes.sockets.system_resolvers import is_loopback

NOWHERE = frozenset(("0.0.0.0", "::"))  # noqa: S104 # nobody listens there
"""Answers of those who let a name lead nowhere: censors, and filters at home. In what is kept they
also stand for the vantage's own addresses. Whoever dials one reaches the machine itself."""

_FAKE = tuple(map(ipaddress.ip_network, ("198.18.0.0/15", "fc00::/18")))
"""From which Clash, sing-box, Surge, V2Ray and others give each name an address of its own, to
connect to it through a proxy."""

NO_NAT64 = Nat64()
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""RFC 4291 section 2.4: IANA gave out no other addresses. The rest is reserved, and some of it ends
at IPv4 addresses (::/96, 64:ff9b:1::/48)."""
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_SPECIAL: tuple[IpNetwork, ...] = tuple(
    map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))
)
"""RFC 6890, RFC 7526 and RFC 9637: not every release of Python knows these."""
_NEVER_PUBLIC = frozenset(
    {"localhost", "local", "test", "invalid", "onion", "arpa", "localdomain"}
    | {"intranet", "internal", "private", "corp", "home", "lan"}
)
"""Last labels of names that no public service has (RFC 6761, RFC 6762 with its appendix G, RFC
8375), and of the name that many machines give themselves."""
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
"""Programs take a name that ends in one for an IPv4 address: 127.1 is the machine itself."""


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
        parsed = end_of(address, self._nat64)
        if any(parsed.version == net.version and parsed in net for net in self._allow):
            return False
        # Python counts multicast, and what is reserved in IPv6, as global: no service has one.
        reserved = parsed.version == 6 and parsed not in _GLOBAL_UNICAST
        special = any(parsed in net for net in _SPECIAL)
        return not parsed.is_global or parsed.is_multicast or reserved or special


def end_of(address: str, nat64: Nat64 = NO_NAT64) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address that packets to this one end at: of an IPv6 one that stands for an IPv4 one
    (mapped, 6to4, by this NAT64, or by any with the well-known prefix) that."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return nat64.original(parsed) or parsed.ipv4_mapped or parsed.sixtofour or parsed
    return parsed


def is_fake(address: str) -> bool:
    """Whether an address, which is a bogon, is one that software against censors makes up. False
    for what is no address, as where one was removed."""
    if not is_literal(address):
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed.version == net.version and parsed in net for net in _FAKE)


PUBLIC_ONLY = BogonList()
"""Holds whatever no public service has, whatever the operator allows."""


def may_be_public(host: str) -> bool:
    """Whether a host is a public address, or a name that may lead to one."""
    if is_literal(host):
        return host not in PUBLIC_ONLY
    labels = host.rstrip(".").lower().split(".")
    last = labels[-1]
    return len(labels) > 1 and last not in _NEVER_PUBLIC and _NUMBER.fullmatch(last) is None


def is_stub(address: str, bogons: BogonList) -> bool:
    """Whether the resolver at `address` is a stub: on loopback, and in no network that the
    operator allows."""
    return is_loopback(address) and address in bogons
