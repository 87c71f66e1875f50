"""The censor: looks at every frame between a client and the internet and applies the rules.

No sockets and no clock of its own: frames and the time come in, frames go out by `Exits`.
"""

import ipaddress
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Protocol

from tests.lab import dns_wire, flow, packets
from tests.lab.flow import Accepted, Dead, Flow, Hijacked, Key, Spliced, UdpFlow, Wire
from tests.lab.link import LOST, Impairment, Pacer, Policer
from tests.lab.packets import ACK, SYN, TCP, UDP, Packet
from tests.lab.rules import Rule, Rules
from tests.lab.sniff import MORE, OTHER, sniff

CLIENT, INTERNET = 0, 1
"""The two sides a frame can leave to."""

MOST_FLOWS = 20_000
FORGET_UDP = 30.0
"""Seconds of a client's silence after which its port may mean another conversation."""
_ETHERNET = 14
"""Bytes of a frame before its packet."""
MOST_HELD = 4
"""Segments of an unfinished ClientHello or request."""
ALERT = bytes.fromhex("15030300020228")
"""TLS fatal alert: handshake_failure."""

UNREACHABLE = {
    "icmp-net": {4: 0, 16: 0},
    "icmp-host": {4: 1, 16: 3},
    "icmp-admin": {4: 13, 16: 1},
    "icmp-port": {4: 3, 16: 4},
    "icmp-protocol": {4: 2, 16: 3},
    "icmp-unknown": {4: 7, 16: 3},
}
"""ICMP code by address length."""


class Exits(Protocol):
    """How frames leave the box."""

    def send(self, side: int, frame: bytes) -> None:
        """At once."""

    def send_at(self, when: float, side: int, frame: bytes) -> None:
        """Not before `when`, in the clock of the times given to the censor."""


class _Forged(Wire):
    """Frames the censor makes up leave at once; only a bad line on the client's side harms them."""

    def __init__(self, exits: Exits, to_client: Callable[[bytes], None]) -> None:
        self._exits = exits
        self._to_client = to_client

    def to_client(self, frame: bytes) -> None:
        self._to_client(frame)

    def to_internet(self, frame: bytes) -> None:
        self._exits.send(INTERNET, frame)


class Censor:
    """All state of one box."""

    def __init__(self, exits: Exits, routers: tuple[str, str]) -> None:
        self.rules = Rules()
        self._exits = exits
        self._forged = _Forged(exits, self._forge)
        packed = (ipaddress.ip_address(router).packed for router in routers)
        self._routers = {len(router): router for router in packed}
        self._flows: dict[Key, Flow] = {}
        self._residual: dict[tuple[bytes, int], tuple[float, str]] = {}
        self._udp_flows: dict[Key, UdpFlow] = {}
        self._pacers: dict[tuple[int, int], Pacer | Policer] = {}
        self._impairments: dict[int, Impairment] = {}
        self._now = 0.0

    def from_client(self, frame: bytes, now: float) -> None:
        """Take a frame the client sent."""
        self._now = now
        if any(rule.near and self._impairment(rule).loses() for rule in self.rules.of("impair")):
            return
        packet = packets.parse(frame)
        if packet is None:
            self._pass(INTERNET, frame)
        elif self._expires(packet, lambda rule: rule.before) or self._swallowed(packet.destination):
            return
        elif packet.protocol == TCP:
            self._tcp_out(packet)
        elif packet.protocol == UDP:
            self._udp_out(packet)
        else:
            self._pass(INTERNET, frame)

    def from_internet(self, frame: bytes, now: float) -> None:
        """Take a frame the internet sent."""
        self._now = now
        packet = packets.parse(frame)
        if packet is None:
            self._pass(CLIENT, frame)
        elif self._swallowed(packet.source):
            return
        elif packet.protocol == TCP:
            self._tcp_in(packet)
        elif packet.protocol == UDP:
            self._udp_in(packet)
        else:
            self._pass(CLIENT, frame)

    def clear(self) -> None:
        """No rules, and no memory of earlier ones."""
        self.rules.clear()
        self._residual.clear()
        self._udp_flows.clear()

    def _swallowed(self, server: bytes) -> bool:
        for rule in self.rules.of("cut"):
            return rule.acts()
        return any(not rule.covers(server, 0) and rule.acts() for rule in self.rules.of("foreign"))

    def _expires(self, packet: Packet, passed: Callable[[Rule], int]) -> bool:
        """Whether the packet ends at one of the routers passed so far, which then says so."""
        for rule in self.rules.of("routers"):
            if packet.hops_left > passed(rule):
                return False
            hop, six = packet.hops_left, len(packet.source) == 16
            own = rule.covers(packet.destination, 0) and bool(rule.networks) and hop > rule.shared
            router = f"2001:db8:fe:{own:x}::{hop:x}" if six else f"100.64.{own:d}.{hop}"
            ethernet = packets.ethernet_back(packet.frame)
            packed = ipaddress.ip_address(router).packed
            self._forge(packets.icmp_time_exceeded(ethernet, packed, packet))
            rule.hits += 1
            return True
        return False

    def _pass(self, side: int, frame: bytes, paced: list[Rule] | None = None) -> None:
        """Let a frame go its way, as well as the link allows."""
        if side == INTERNET and self.rules.of("routers"):
            packet = packets.parse(frame)
            if packet is not None and self._expires(packet, lambda rule: rule.total):
                return
        when = self._now
        for rule in paced or ():
            when = self._pacer(rule, side).departure(when, len(frame))
            if when == LOST:
                return
        self._leave(side, frame, when, self.rules.of("impair"))

    def _impairment(self, rule: Rule) -> Impairment:
        return self._impairments.setdefault(rule.id, Impairment(rule))

    def _forge(self, frame: bytes) -> None:
        """Let a frame of our own go to the client."""
        near = [rule for rule in self.rules.of("impair") if rule.near]
        self._leave(CLIENT, frame, self._now, near)

    def _leave(self, side: int, frame: bytes, when: float, impairing: Iterable[Rule]) -> None:
        queued = when > self._now
        for rule in impairing:
            if not _harms(rule, side, frame):
                continue
            link = self._impairment(rule)
            if rule.size:
                rule.hits += 1
                return
            # What comes over a bad line near the client has been through that already.
            if not (rule.near and side == INTERNET) and link.loses():
                return
            when = link.departure(when, side, queued=queued)
        if when > self._now:
            self._exits.send_at(when, side, frame)
        else:
            self._exits.send(side, frame)

    def _pacer(self, rule: Rule, side: int) -> Pacer | Policer:
        policed = rule.how == "police"
        key = (rule.id, side if policed else 0)
        if key not in self._pacers:
            self._pacers[key] = Policer(rule) if policed else Pacer(rule)
        return self._pacers[key]

    # --- UDP ---------------------------------------------------------------

    def _udp_out(self, packet: Packet) -> None:
        if packet.destination_port == 53 and self._question(packet):
            return
        for rule in self.rules.of("udp"):
            if rule.covers(packet.destination, packet.destination_port) and rule.acts():
                return
        for rule in self.rules.of("payload"):
            meant = rule.covers(packet.destination, packet.destination_port)
            if meant and rule.reads(packet.payload, "udp") and rule.acts():
                return
        if not any(self.rules.of(kind) for kind in ("connect", "quic", "pace")):
            self._pass(INTERNET, packet.frame)
            return
        found = self._udp_flow(packet)
        if found.unreachable:
            self._tell_unreachable(packet, found.unreachable)
        elif not found.dead and not self._named_in_vain(found, packet):
            self._pass(INTERNET, packet.frame, found.paced)

    def _udp_in(self, packet: Packet) -> None:
        key = (packet.destination, packet.destination_port, packet.source, packet.source_port)
        found = self._udp_flows.get(key)
        if found is None:
            self._pass(CLIENT, packet.frame)
            return
        self._judge_udp(found, key[2:])
        if not (found.dead or found.unreachable):
            self._pass(CLIENT, packet.frame, found.paced)

    def _udp_flow(self, packet: Packet) -> UdpFlow:
        """The flow of a datagram that the client sent."""
        key = (packet.source, packet.source_port, packet.destination, packet.destination_port)
        found = self._udp_flows.get(key)
        if found is None or self._now - found.last > FORGET_UDP:
            if len(self._udp_flows) >= MOST_FLOWS:
                del self._udp_flows[next(iter(self._udp_flows))]
            found = self._udp_flows[key] = UdpFlow()
        found.last = self._now
        self._judge_udp(found, key[2:])
        return found

    def _judge_udp(self, found: UdpFlow, server: tuple[bytes, int]) -> None:
        """Judge a flow by its address again if the rules have changed."""
        if found.version != self.rules.version:
            found.version = self.rules.version
            found.unreachable = self._blocked(server, "udp", ("drop", *UNREACHABLE))
            paced = self.rules.of("pace")
            found.paced = [rule for rule in paced if not rule.names and rule.covers(*server)]

    def _blocked(self, server: tuple[bytes, int], transport: str, hows: tuple[str, ...]) -> str:
        """How a rule blocks a server by its address; empty when none does."""
        for rule in self.rules.of("connect"):
            meant = transport in rule.transports and rule.how in hows
            if meant and rule.covers(*server) and rule.acts():
                return rule.how
        return ""

    def _named_in_vain(self, found: UdpFlow, packet: Packet) -> bool:
        """Whether this datagram of a QUIC client completes a name that is blocked."""
        if found.protocol != MORE or packet.destination_port != 443 or not self.rules.of("quic"):
            return False
        if found.hello is None:
            # Loaded when the first such rule came: see tests.lab.box.
            from tests.lab.quic_sniff import HelloReader

            found.hello = HelloReader()
        found.protocol, name = found.hello.feed(packet.payload)
        if found.protocol == "quic":
            server = (packet.destination, packet.destination_port)
            found.dead = any(
                rule.names_it(name) and rule.covers(*server) and rule.acts()
                for rule in self.rules.of("quic")
            )
        return found.dead

    def _tell_unreachable(self, packet: Packet, how: str) -> None:
        """What a router, or for a closed port the host, says about a packet; nothing for drop."""
        if how in UNREACHABLE:
            size = len(packet.source)
            router = packet.destination if how == "icmp-port" else self._routers[size]
            code = UNREACHABLE[how][size]
            back = packets.ethernet_back(packet.frame)
            self._forge(packets.icmp_unreachable(back, router, code, packet))

    def _question(self, packet: Packet) -> bool:
        """Whether a rule has dealt with the question."""
        try:
            query = dns_wire.parse_query(packet.payload)
        except dns_wire.MalformedError:
            return False
        rule = self._dns_rule(query, packet.destination, "udp")
        if rule is None or rule.how == "reset":
            return False
        if rule.how != "drop":
            source = (packet.destination, packet.destination_port)
            asker = (packet.source, packet.source_port)
            back = packets.ethernet_back(packet.frame)
            self._forge(packets.udp(back, source, asker, _lie(query, rule)))
        if rule.how == "inject":
            self._exits.send_at(self._now + rule.after, INTERNET, packet.frame)
        return True

    def _dns_rule(self, query: dns_wire.Query, resolver: bytes, transport: str) -> Rule | None:
        for rule in self.rules.of("dns"):
            if (
                rule.names_it(query.name)
                and rule.asks(resolver, query.qtype, transport)
                and rule.acts()
            ):
                return rule
        return None

    # --- TCP ---------------------------------------------------------------

    def _tcp_out(self, packet: Packet) -> None:
        key = (packet.source, packet.source_port, packet.destination, packet.destination_port)
        if packet.flags & (SYN | ACK) == SYN:
            found = self._new_flow(key, packet)
        else:
            known = self._flows.get(key)
            if known is None:
                self._pass(INTERNET, packet.frame)
                return
            found = known
            if found.version != self.rules.version and found.effect is None:
                self._reconsider(found, packet)
        if found.effect is not None:
            if not packet.flags & SYN:
                found.effect.from_client(packet)
        elif packet.payload_size and found.protocol == MORE:
            self._listen(found, packet)
        else:
            self._pass_out(found, packet)

    def _tcp_in(self, packet: Packet) -> None:
        key = (packet.destination, packet.destination_port, packet.source, packet.source_port)
        found = self._flows.get(key)
        if found is None:
            self._pass(CLIENT, packet.frame)
            return
        if found.effect is not None:
            found.effect.from_internet(packet)
            return
        if packet.flags & SYN:
            found.server_first = packet.next_sequence
        if packet.payload_size and found.enough(packet):
            return
        self._pass(CLIENT, packet.frame, found.paced)

    def _new_flow(self, key: Key, syn: Packet) -> Flow:
        if len(self._flows) >= MOST_FLOWS:
            del self._flows[next(iter(self._flows))]
        self._flows.pop(key, None)
        found = self._flows[key] = Flow(syn, self.rules.version)
        until, how = self._residual.get(found.server, (0.0, ""))
        if self._now < until:
            if how == "reset":
                flow.refuse(found, self._forged, syn)
            found.effect = Dead()
            return found
        self._connect(found, syn)
        self._name_rules(found)
        return found

    def _connect(self, found: Flow, packet: Packet) -> None:
        syn = bool(packet.flags & SYN)
        for rule in self.rules.of("connect"):
            late = rule.how == "accept" and not syn
            if late or "tcp" not in rule.transports or not rule.covers(*found.server):
                continue
            if not rule.acts():
                continue
            if rule.how == "accept":
                Accepted(found, self._forged, packet, _page(rule, found) if rule.status else b"")
                return
            if rule.how == "reset":
                end = flow.refuse if syn else flow.reset
                end(found, self._forged, packet)
            elif syn:
                self._tell_unreachable(packet, rule.how)
            found.effect = Dead()
            return

    def _reconsider(self, found: Flow, packet: Packet) -> None:
        """Rules have changed under a connection that lives."""
        found.version = self.rules.version
        self._connect(found, packet)
        self._name_rules(found)

    def _name_rules(self, found: Flow) -> None:
        """Rules that last as long as the connection does."""

        def meant(rule: Rule) -> bool:
            named = not rule.names or (found.name != "" and rule.names_it(found.name))
            return named and rule.covers(*found.server)

        found.paced = [rule for rule in self.rules.of("pace") if meant(rule)]
        stalls = [rule for rule in self.rules.of("stall") if meant(rule)]
        found.stalled = stalls[0] if stalls else None

    def _pass_out(self, found: Flow, packet: Packet) -> None:
        found.passed = packet.next_sequence
        self._pass(INTERNET, packet.frame, found.paced)

    def _listen(self, found: Flow, packet: Packet) -> None:
        """Read on until the client has said whom it wants.

        Few segments are held back meanwhile: a client sends no more than ten unacknowledged.
        """
        if not found.hear(packet):
            # Too early to be read, or said again for want of an acknowledgement: the server's
            # brings the rest.
            self._pass_out(found, packet)
            return
        found.protocol, found.name = sniff(found.heard, found.server[1])
        if found.protocol == MORE and self._cares() and len(found.held) <= MOST_HELD:
            return
        if found.protocol not in (MORE, OTHER):
            self._name_rules(found)
            self._judge(found, packet)
        elif found.protocol == OTHER:
            self._judge_payload(found, packet)
        held, found.held = found.held, []
        if found.effect is None:
            for waiting in held:
                self._pass_out(found, waiting)

    def _cares(self) -> bool:
        return any(self.rules.of(kind) for kind in ("hello", "request", "dns"))

    def _judge(self, found: Flow, packet: Packet) -> None:
        if found.protocol == "dns":
            self._judge_dns(found, packet)
            return
        kind = {"tls": "hello", "http": "request"}[found.protocol]
        segments = "one" if len(found.held) == 1 else "several"
        for rule in self.rules.of(kind):
            meant = rule.names_it(found.name) and rule.covers(*found.server)
            if meant and rule.segments in ("", segments) and rule.acts():
                self._apply(found, packet, rule)
                return

    def _judge_payload(self, found: Flow, packet: Packet) -> None:
        for rule in self.rules.of("payload"):
            if rule.covers(*found.server) and rule.reads(found.heard, "tcp") and rule.acts():
                self._apply(found, packet, rule)
                return

    def _judge_dns(self, found: Flow, packet: Packet) -> None:
        query = dns_wire.parse_query(found.heard[2:])
        rule = self._dns_rule(query, found.server[0], "tcp")
        if rule is None:
            return
        if rule.how == "reset":
            flow.reset(found, self._forged, packet)
        elif rule.how == "drop":
            found.effect = Dead()
        else:
            answer = _lie(query, rule)
            Hijacked(found, self._forged, packet, len(answer).to_bytes(2, "big") + answer)

    def _apply(self, found: Flow, packet: Packet, rule: Rule) -> None:
        if rule.residual:
            self._residual[found.server] = (self._now + rule.residual, rule.residual_how)
        if rule.how == "reset":
            flow.reset(found, self._forged, packet)
        elif rule.how == "fin":
            Hijacked(found, self._forged, packet, b"")
        elif rule.how == "alert":
            Hijacked(found, self._forged, packet, ALERT)
        elif rule.how == "page":
            Hijacked(found, self._forged, packet, _page(rule, found))
        elif rule.how == "forge":
            size = len(found.server[0])
            packed = {len(a): a for a in map(_packed, rule.addresses)}
            spliced = Spliced(found, self._forged, packet, (packed[size], rule.port))
            self._flows[spliced.key] = found
        else:
            found.effect = Dead()


def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def _lie(query: dns_wire.Query, rule: Rule) -> bytes:
    if rule.how in ("address", "inject"):
        return dns_wire.answer(query, addresses=rule.addresses)
    if rule.how == "truncate":
        return dns_wire.answer(query, truncated=True)
    return dns_wire.answer(query, rcode=dns_wire.RCODES[rule.how])


def _page(rule: Rule, found: Flow) -> bytes:
    client = str(ipaddress.ip_address(found.client[0]))
    body = rule.body.replace("{client}", client).encode()
    lines = [f"HTTP/1.1 {rule.status} {HTTPStatus(rule.status).phrase}"]
    lines += [
        f"{field}: {value.replace('{client}', client)}" for field, value in rule.headers.items()
    ]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def _harms(rule: Rule, side: int, frame: bytes) -> bool:
    """Whether a bad line is on the way of this frame, and for one of a maximum size too large."""
    if rule.size and (side == INTERNET or len(frame) - _ETHERNET <= rule.size):
        return False
    if not rule.networks:
        return True
    packet = packets.parse(frame)
    if packet is None:
        return False
    return rule.covers(packet.destination if side == INTERNET else packet.source, 0)
