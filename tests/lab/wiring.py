"""The lines of `ip` that join the namespaces. Pure text.

Hardware addresses are given and neighbours are permanent: no packet ever waits for ARP or
neighbour discovery, and no impairment of the link can hurt them.
"""

import ipaddress
from collections.abc import Iterable, Sequence

from tests.lab.addresses import (
    DIRECT_TABLE,
    FORGER,
    MANAGEMENT_CLIENT,
    MANAGEMENT_FAR,
    MANAGEMENT_FAR6,
    OPEN_RESOLVERS,
    NetworkPlan,
    control_addresses,
    direct_addresses,
)
from tests.lab.hosts import PRIVATE_CACHE, TRANSPARENT_PROXY

MANAGEMENT, CORE = "mgmt0", "core0"
"""The two ends of the uncensored link, and their hardware addresses."""
MANAGEMENT_MAC, CORE_MAC = "02:00:00:00:ff:02", "02:00:00:00:ff:01"


def box_lines(plans: Iterable[NetworkPlan], client: int, internet: int) -> str:
    """Make every link, its ends handed to the namespaces of processes `client` and `internet`."""
    near_end = f"name {MANAGEMENT} netns {client} address {MANAGEMENT_MAC}"
    far_end = f"name {CORE} netns {internet} address {CORE_MAC}"
    lines = [f"link add {near_end} type veth peer {far_end}"]
    for plan in plans:
        near_end = f"name {plan.interface} netns {client} address {plan.client_mac}"
        far_end = f"name {plan.far} netns {internet} address {plan.gateway_mac}"
        lines += [
            f"link add name {plan.near_box} type veth peer {near_end}",
            f"link add name {plan.far_box} type veth peer {far_end}",
        ]
        for name in (plan.near_box, plan.far_box):
            lines += [f"link set {name} addrgenmode none", f"link set {name} arp off up"]
    return _text(lines)


def client_lines(plans: Iterable[NetworkPlan], direct: int = 0) -> str:
    """The client: one link per network with a routing table of its own, and management, by which
    the addresses of `direct` controls lead out uncensored."""
    lines = [
        *_up(MANAGEMENT),
        f"addr add {MANAGEMENT_CLIENT}/24 dev {MANAGEMENT}",
        _neighbour(MANAGEMENT_FAR, CORE_MAC, MANAGEMENT),
        *_direct_lines(direct),
    ]
    for plan in plans:
        lines += [
            *_up(plan.interface),
            f"addr add {plan.client4}/29 dev {plan.interface}",
            f"addr add {plan.client6}/64 dev {plan.interface} nodad",
            _neighbour(plan.gateway4, plan.gateway_mac, plan.interface),
            _neighbour(plan.gateway6, plan.gateway_mac, plan.interface),
            *client_routes(plan),
            *_rules(plan, plan.client4),
        ]
    return _text(lines)


def client_lines6(plans: Iterable[NetworkPlan], direct: int = 0) -> str:
    """The client's IPv6 routing rules, which `ip` wants in a batch of their own."""
    return _text(
        [
            *(line for plan in plans for line in _rules(plan, plan.client6)),
            *(_direct_rule(direct_addresses(index)[1]) for index in range(direct)),
        ]
    )


def _direct_lines(count: int) -> list[str]:
    """Addresses of direct controls, and the way out that is theirs alone."""
    if not count:
        return []
    lines = [_neighbour(MANAGEMENT_FAR6, CORE_MAC, MANAGEMENT)]
    for index in range(count):
        address4, address6 = direct_addresses(index)
        lines += [
            f"addr add {address4}/32 dev {MANAGEMENT}",
            f"addr add {address6}/64 dev {MANAGEMENT} nodad",
            _direct_rule(address4),
        ]
    return [
        *lines,
        *(
            f"route replace {way} dev {MANAGEMENT} onlink table {DIRECT_TABLE}"
            for way in (f"0.0.0.0/0 via {MANAGEMENT_FAR}", f"::/0 via {MANAGEMENT_FAR6}")
        ),
    ]


def _direct_rule(address: str) -> str:
    return f"rule add from {address} lookup {DIRECT_TABLE} pref 900"


def client_routes(plan: NetworkPlan) -> list[str]:
    """Routes that go with the link and must be set again after it was down."""
    # `direct` is the first network: only that one is in the main table.
    tables = [str(plan.table), *(["main"] if plan.index == 0 else [])]
    # `onlink`: the rules would lead the check of the gateway nowhere.
    way4 = f"0.0.0.0/0 via {plan.gateway4} dev {plan.interface} onlink src {plan.client4}"
    # No `src`: the address may be tentative until the kernel has noticed the carrier.
    way6 = f"::/0 via {plan.gateway6} dev {plan.interface} onlink"
    return [f"route replace {way} table {table}" for table in tables for way in (way4, way6)]


def unroute_lines(plan: NetworkPlan, family: int) -> str:
    """Take the link's routes of one family away; `client_routes` brings them back."""
    kind = "::/0" if family == 6 else "0.0.0.0/0"
    return _text(
        [
            line.replace("route replace", "route del")
            for line in client_routes(plan)
            if f" {kind} " in line
        ]
    )


def internet_lines(
    plans: Iterable[NetworkPlan], controls: int, hosts: Iterable[str], direct: int = 0
) -> str:
    """The internet: service addresses on `lo`, one link to each box, one to the controls."""
    service = [host for host in hosts if not ipaddress.ip_address(host).is_loopback]
    service += [*OPEN_RESOLVERS, *FORGER, *TRANSPARENT_PROXY, *PRIVATE_CACHE]
    lines = [
        *_up(CORE),
        f"addr add {MANAGEMENT_FAR}/24 dev {CORE}",
        f"addr add {MANAGEMENT_FAR6}/64 dev {CORE} nodad",
        _neighbour(MANAGEMENT_CLIENT, MANAGEMENT_MAC, CORE),
    ]
    lines += [
        _neighbour(address, MANAGEMENT_MAC, CORE)
        for index in range(direct)
        for address in direct_addresses(index)
    ]
    for index in range(controls):
        service += control_addresses(index)
    for plan in plans:
        service += [plan.resolver4, plan.resolver6]
        lines += [
            *_up(plan.far),
            f"addr add {plan.gateway4}/29 dev {plan.far}",
            f"addr add {plan.gateway6}/64 dev {plan.far} nodad",
            _neighbour(plan.client4, plan.client_mac, plan.far),
            _neighbour(plan.client6, plan.client_mac, plan.far),
        ]
    lines += [f"addr add {a}/{128 if ':' in a else 32} dev lo" for a in dict.fromkeys(service)]
    return _text(lines)


def _rules(plan: NetworkPlan, address: str) -> list[str]:
    """Both a bound source address and a bound device lead out by the link, or nowhere."""
    return [
        f"rule add {what} {then}"
        for what in (f"from {address}", f"oif {plan.interface}")
        for then in (f"lookup {plan.table} pref 1000", "unreachable pref 2000")
    ]


def _up(device: str) -> list[str]:
    return [f"link set {device} addrgenmode none", f"link set {device} up"]


def _neighbour(address: str, hardware: str, device: str) -> str:
    return f"neigh replace {address} lladdr {hardware} dev {device} nud permanent"


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
