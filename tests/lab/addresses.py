"""Who has which address in the lab. Pure allocation, no sockets.

| what | IPv4 | IPv6 |
|---|---|---|
| field network i: client, gateway | 198.51.100.(8i+2), .(8i+1) | 2001:db8:c:i::2, ::1 |
| ISP resolver of network i | 192.0.2.(53+i) | 2001:db8:53::i+1 |
| block page, forger, transparent proxy | 203.0.113.80, .81, .82 | 2001:db8:c0::80, 81, 82 |
| control k | 203.0.113.(11+k) | 2001:db8:c0::(11+k) |
| direct control k | 203.0.113.(101+k) | 2001:db8:c1::(101+k) |
| foreign hosts | 198.18.0.0/16 | 2001:db8:f::/48 |
| hosts of the n-th country | 198.19.n.0/24 | 2001:db8:d:n::/64 |
"""

import ipaddress
from collections.abc import Iterable

import msgspec

from tests.lab.hosts import LabHost

SERVICE_NETWORKS = ("198.18.0.0/15", "2001:db8::/32", "192.0.2.0/24", "203.0.113.0/24")
"""Everything honest answers can hold; a monitor must not call these bogons here."""

OPEN_RESOLVERS = (
    "8.8.8.8",
    "8.8.4.4",
    "1.1.1.1",
    "1.0.0.1",
    "9.9.9.9",
    "149.112.112.112",
    "208.67.222.222",
    "208.67.220.220",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2620:fe::9",
)

MANAGEMENT_CLIENT, MANAGEMENT_FAR = "203.0.113.1", "203.0.113.254"
MANAGEMENT_FAR6 = "2001:db8:c1::fe"
DIRECT_TABLE = 90
"""Number of the client's routing table for direct controls."""
FORGER = ("203.0.113.81", "2001:db8:c0::81")
"""Where connections go whose certificate is to be forged, one port per forgery."""


class NetworkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One field network's link."""

    index: int
    interface: str
    """Device name in the client's namespace."""
    far: str
    """Device name in the internet's namespace."""
    near_box: str
    far_box: str
    """The box's two device names."""
    client4: str
    client6: str
    gateway4: str
    gateway6: str
    resolver4: str
    resolver6: str
    client_mac: str
    gateway_mac: str

    @property
    def table(self) -> int:
        """Number of the client's routing table for this link."""
        return 100 + self.index


def plan_network(index: int, interface: str) -> NetworkPlan:
    """The plan of the index-th field network; at most 31 fit."""
    return NetworkPlan(
        index=index,
        interface=interface,
        far=f"isp{index}",
        near_box=f"near{index}",
        far_box=f"far{index}",
        client4=f"198.51.100.{8 * index + 2}",
        client6=_written(f"2001:db8:c:{index:x}::2"),
        gateway4=f"198.51.100.{8 * index + 1}",
        gateway6=_written(f"2001:db8:c:{index:x}::1"),
        resolver4=f"192.0.2.{53 + index}",
        resolver6=f"2001:db8:53::{index + 1:x}",
        client_mac=f"02:00:00:00:{index:02x}:02",
        gateway_mac=f"02:00:00:00:{index:02x}:01",
    )


def control_addresses(index: int) -> tuple[str, str]:
    """IPv4 and IPv6 address of the index-th control."""
    return f"203.0.113.{11 + index}", f"2001:db8:c0::{11 + index}"


def direct_addresses(index: int) -> tuple[str, str]:
    """IPv4 and IPv6 address of the index-th control that is not behind a proxy."""
    return f"203.0.113.{101 + index}", f"2001:db8:c1::{101 + index}"


def domestic_networks(country: str, countries: tuple[str, ...]) -> tuple[str, ...]:
    """Networks a host of `country` can have an address in."""
    number = countries.index(country)
    return f"198.19.{number}.0/24", f"2001:db8:d:{number:x}::/64"


def allocate(hosts: Iterable[LabHost], countries: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Addresses of each host; IPv4 first. Literal ones are kept."""
    foreign = 0
    at_home = dict.fromkeys(countries, 0)
    taken: dict[str, tuple[str, ...]] = {}
    for host in hosts:
        if host.literal:
            taken[host.name] = host.literal
            continue
        found: list[str] = []
        for _ in range(host.addresses):
            if host.country:
                at_home[host.country] += 1
                networks = domestic_networks(host.country, countries)
                number = at_home[host.country]
            else:
                foreign += 1
                networks, number = ("198.18.0.0/16", "2001:db8:f::/48"), foreign
            places = map(ipaddress.ip_network, networks)
            found += [str(net[number]) for net in places if net.version in host.families]
        taken[host.name] = tuple(sorted(found, key=lambda address: ":" in address))
    return taken


def _written(address: str) -> str:
    """As the kernel prints it."""
    return str(ipaddress.ip_address(address))
