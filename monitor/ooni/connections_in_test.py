"""Groups the lookups, connections, handshakes and requests of tests with many targets.

A report lists everything by kind, not by target. The engine appends target by target, so the lists
run in the same order, and each entry goes to the first group it fits: a connection to an earlier
lookup that gave its address, a handshake to a connection of its host, a request to its host and
port. Entries that fit several groups show the same, so a wrong guess moves times, not facts.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from monitor.ooni.observations import (
    addresses_of,
    by_system,
    host_port,
    literal,
    name_of,
    split_address,
    url_of,
)
from monitor.ooni.ooni_format import (
    Timed,
    WireConnect,
    WireHandshake,
    WireKeys,
    WireQuery,
    WireTransaction,
)

_ROUNDING = 0.001
"""Seconds by which times from different places of an engine may be out of order."""


class ConnectionGroup(msgspec.Struct, kw_only=True):
    """One measurement of one target, in OONI's entries."""

    host: str
    """A name, or an address that was dialled without a lookup."""
    queries: list[WireQuery] = []
    connects: list[WireConnect] = []
    handshakes: list[WireHandshake] = []
    requests: list[WireTransaction] = []
    port: int = 0
    """0 when neither a connection nor a request gives it."""

    @property
    def began(self) -> float:
        """Start in seconds, from the entries."""
        entries = chain[Timed](self.requests, self.queries, self.connects, self.handshakes)
        times = [one.t0 if one.t0 is not None else one.t for one in entries]
        return min((time for time in times if time is not None), default=0.0)


def connection_groups(keys: WireKeys) -> list[ConnectionGroup]:
    """Every group of a test, in the order of their lookups, those without one at the end."""
    groups = [
        ConnectionGroup(host=name_of(queries[0].hostname), queries=queries)
        for queries in lookups(query for query in keys.queries or () if by_system(query))
    ]
    for connect in keys.tcp_connect or ():
        _place_connect(groups, connect)
    for handshake in keys.tls_handshakes or ():
        _place_handshake(groups, handshake)
    for transaction in keys.requests or ():
        _place_request(groups, transaction)
    return groups


def lookups(queries: Iterable[WireQuery]) -> list[list[WireQuery]]:
    """Parallel queries for the same name at the same resolver, one of each type."""
    found: list[list[WireQuery]] = []
    for query in queries:
        last = found[-1] if found else []
        if (
            last
            and last[0].hostname == query.hostname
            and last[0].engine == query.engine
            and last[0].resolver_address == query.resolver_address
            and query.query_type not in {other.query_type for other in last}
        ):
            last.append(query)
        elif query.hostname:
            found.append([query])
    return found


def _added(groups: list[ConnectionGroup], host: str, port: int = 0) -> ConnectionGroup:
    """A new group of a target that was not looked up."""
    groups.append(ConnectionGroup(host=host, port=port))
    return groups[-1]


def _place_connect(groups: list[ConnectionGroup], connect: WireConnect) -> None:
    address = literal(connect.ip)
    fitting = [
        group
        for group in groups
        if address in addresses_of(group.queries) and _not_before(connect, group.queries)
    ]
    free = [group for group in fitting if _awaits(group, connect)]
    best = free[:1] or fitting[-1:]
    chosen = best[0] if best else _added(groups, address or connect.ip)
    chosen.connects.append(connect)
    chosen.port = chosen.port or connect.port


def _awaits(group: ConnectionGroup, connect: WireConnect) -> bool:
    """Whether a group has not connected yet, nor tried this address, nor another port."""
    return all(
        not connected(one) and one.ip != connect.ip and one.port == connect.port
        for one in group.connects
    )


def connected(connect: WireConnect) -> bool:
    status = connect.status
    if status is None or isinstance(status, bool):
        return bool(status)
    return status.success if status.success is not None else not status.failure


def _place_handshake(groups: list[ConnectionGroup], handshake: WireHandshake) -> None:
    host = name_of(handshake.server_name or "")
    address, port = split_address(handshake.address or "")
    named = [group for group in groups if group.host == host and not group.handshakes]
    over = [group for group in named if any(map(connected, group.connects))]
    same = [v for v in over if address in {literal(one.ip) for one in v.connects}]
    best = [*same, *over, *named]
    chosen = best[0] if best else _added(groups, host, port)
    chosen.handshakes.append(handshake)


def _place_request(groups: list[ConnectionGroup], transaction: WireTransaction) -> None:
    host, port = host_port(url_of(transaction))
    if not host:
        return
    host = literal(host) or host
    free = [group for group in groups if group.host == host and not group.requests]
    fitting = [group for wanted in (port, 0) for group in free if group.port == wanted]
    chosen = fitting[0] if fitting else _added(groups, host)
    chosen.requests.append(transaction)
    chosen.port = port


def _not_before(connect: WireConnect, queries: Sequence[WireQuery]) -> bool:
    known = [query.t for query in queries if query.t is not None]
    return connect.t is None or not known or min(known) <= connect.t + _ROUNDING
