"""What a box is told to do, as values, and how they match names and addresses.

Kinds, and the `how` each knows:

| kind | looks at | how |
|---|---|---|
| dns | a question's name | nxdomain refused servfail empty truncate address inject drop reset |
| connect | the address of a connection or datagram | drop reset accept and every icmp-… |
| hello | the server name of a ClientHello | reset fin alert drop forge page |
| request | the Host of a cleartext HTTP request | page reset fin drop |
| quic | the server name of a QUIC client's first datagrams | drop |
| udp | a datagram's address and port | drop |
| payload | bytes of a datagram, or that a client sends first over TCP | reset fin drop |
| pace | a flow's name or address | shape police |
| stall | a flow's name or address | |
| cut | everything | |
| foreign | everything outside `networks` | |
| impair | every frame, or those of an address | |
| routers | how many routers a client's packet may still pass | |
"""

import dataclasses
import ipaddress
import itertools
import random
from collections.abc import Iterable
from typing import Any

from tests.lab.worker import tuples


@dataclasses.dataclass(kw_only=True)
class Rule:
    """One rule in force. Times in seconds, rates in bytes per second."""

    id: int
    kind: str
    how: str = ""
    names: tuple[str, ...] = ()
    """`x.com` is that name alone, `.x.com` it and all below it; none means every name. payload:
    the bytes, in hexadecimal digits."""
    networks: tuple[str, ...] = ()
    """Of the server's address, in CIDR notation; none means every address."""
    ports: tuple[int, ...] = ()
    """Of the server; none means every port."""
    resolvers: tuple[str, ...] = ()
    """dns: the resolvers asked; none means any."""
    transports: tuple[str, ...] = ("udp", "tcp")
    """dns, connect, payload: which ones are touched."""
    qtypes: tuple[int, ...] = ()
    """dns: which questions; none means every type."""
    addresses: tuple[str, ...] = ()
    """dns: what a forged answer holds; forge: the forger's addresses, IPv4 then IPv6."""
    port: int = 0
    """forge: the forger's port."""
    after: float = 0.0
    """inject: how long the true question is held back."""
    residual: float = 0.0
    """hello, request: how long further connections to the same address suffer."""
    residual_how: str = "reset"
    """reset or drop."""
    status: int = 302
    """page, accept: of the forged answer; accept: 0 for none at all."""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: str = ""
    """page, accept: the forged answer; `{client}` stands for the client's address."""
    size: int = 0
    """stall: bytes the client still gets; payload: how many bytes come before those meant; impair:
    bytes of the largest packet that reaches it."""
    rate: float = 0.0
    """pace: bytes per second; shape: both directions together, police: each."""
    loss: float = 0.0
    delay: float = 0.0
    """impair: one way."""
    jitter: float = 0.0
    """impair: the delay varies by up to this much either way."""
    near: bool = False
    """impair: the line is bad on the client's side, so that what the box forges suffers as well."""
    before: int = 0
    """routers: how many stand between the client and the censor."""
    total: int = 0
    """routers: how many stand between the client and the servers."""
    shared: int = 0
    """routers: how many of them the way to `networks` shares with all others."""
    segments: str = ""
    """hello: only those in `one` segment, or in `several`; empty: both."""
    chance: float = 1.0
    """How often the rule acts when it matches."""
    turns: tuple[int, ...] = ()
    """Of those in a row that match: so many it acts on, then so many it lets be, and again."""
    seed: int = 0
    hits: int = 0
    """How often it acted."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self._matched = itertools.count()
        self._exact = {name for name in self.names if not name.startswith(".")}
        self._exact |= {name[1:] for name in self.names if name.startswith(".")}
        self._below = tuple(name for name in self.names if name.startswith("."))
        self._networks = [ipaddress.ip_network(network) for network in self.networks]
        self._known: dict[bytes, bool] = {}
        self._resolvers = {ipaddress.ip_address(a).packed for a in self.resolvers}

    def names_it(self, name: str) -> bool:
        """Whether `name` (lower case) is meant."""
        return not self.names or name in self._exact or name.endswith(self._below)

    def reads(self, payload: bytes, transport: str) -> bool:
        """Whether the bytes meant stand in this payload."""
        rest = payload[self.size :].hex()
        return transport in self.transports and rest.startswith(self.names)

    def covers(self, address: bytes, port: int) -> bool:
        """Whether the server's packed address and port are meant."""
        if self.ports and port not in self.ports:
            return False
        if not self._networks:
            return True
        if address not in self._known:
            ip = ipaddress.ip_address(address)
            self._known[address] = any(
                ip.version == network.version and ip in network for network in self._networks
            )
        return self._known[address]

    def asks(self, resolver: bytes, qtype: int, transport: str) -> bool:
        """Whether a question by this way is meant."""
        return (
            transport in self.transports
            and (not self._resolvers or resolver in self._resolvers)
            and (not self.qtypes or qtype in self.qtypes)
        )

    def acts(self) -> bool:
        """See whose turn it is, throw the dice of `chance`, and count."""
        if self.turns and next(self._matched) % sum(self.turns) >= self.turns[0]:
            return False
        if self.chance < 1.0 and self.random.random() >= self.chance:
            return False
        self.hits += 1
        return True


class Rules:
    """The rules in force, in the order they came. `version` grows with every change."""

    def __init__(self) -> None:
        self._all: dict[int, Rule] = {}
        self._of: dict[str, list[Rule]] = {}
        self.version = 0

    def add(self, fields: dict[str, Any]) -> None:
        """Put a rule in force; raises TypeError or ValueError on nonsense."""
        rule = Rule(**tuples(fields))
        self._all[rule.id] = rule
        self._changed()

    def lift(self, identity: int) -> int:
        """Take a rule out of force and tell how often it acted; 0 when there is none."""
        rule = self._all.pop(identity, None)
        self._changed()
        return rule.hits if rule else 0

    def clear(self) -> None:
        """Take every rule out of force."""
        self._all.clear()
        self._changed()

    def hits(self, identity: int) -> int:
        """How often a rule in force acted; 0 when there is none."""
        rule = self._all.get(identity)
        return rule.hits if rule else 0

    def of(self, kind: str) -> Iterable[Rule]:
        """Rules of one kind."""
        return self._of.get(kind, ())

    def _changed(self) -> None:
        self.version += 1
        self._of = {}
        for rule in self._all.values():
            self._of.setdefault(rule.kind, []).append(rule)
