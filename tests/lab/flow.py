"""One TCP connection as the box sees it, and what a censor can make of it.

An effect takes a connection over: from then on every packet of it goes through the effect. What is
forged and gets lost on the way is said again when the client repeats itself, as censors do that
look at each packet.
"""

import itertools
import struct
from typing import Protocol

from tests.lab.packets import ACK, FIN, MSS, PSH, RST, SEQUENCES, SYN, Packet, ethernet_back, tcp
from tests.lab.rules import Rule
from tests.lab.sniff import MORE

Key = tuple[bytes, int, bytes, int]
"""Client address and port, server address and port."""


class HelloReader(Protocol):
    """What reads a QUIC client's first datagrams (tests.lab.quic_sniff)."""

    def feed(self, datagram: bytes) -> tuple[str, str]:
        """Protocol, or MORE or OTHER; and the server name."""


class Wire(Protocol):
    """Where forged frames leave, at once and unharmed."""

    def to_client(self, frame: bytes) -> None:
        """Send towards the client."""

    def to_internet(self, frame: bytes) -> None:
        """Send towards the internet."""


class Effect(Protocol):
    """What has become of a connection."""

    def from_client(self, packet: Packet) -> None:
        """A packet the client sent."""

    def from_internet(self, packet: Packet) -> None:
        """A packet the server sent."""


class Flow:
    """A connection, from its SYN on."""

    def __init__(self, syn: Packet, version: int) -> None:
        self.key: Key = (syn.source, syn.source_port, syn.destination, syn.destination_port)
        self.client = (syn.source, syn.source_port)
        self.server = (syn.destination, syn.destination_port)
        self.out = syn.frame[:12]
        self.back = ethernet_back(syn.frame)
        self.syn_options = syn.tcp_options
        self.syn_window = syn.window
        self.expected = syn.next_sequence
        """The client's next byte not yet read."""
        self.passed = syn.next_sequence
        """The client's next byte the server has not been sent."""
        self.server_first = -1
        """Sequence number of the server's first byte."""
        self.heard = b""
        self.protocol = MORE
        self.name = ""
        self.held: list[Packet] = []
        self._early: list[Packet] = []
        self.effect: Effect | None = None
        self.paced: list[Rule] = []
        self.stalled: Rule | None = None
        self.version = version

    def hear(self, packet: Packet) -> bool:
        """Add what is new in a client's segment to what was heard, and hold the segment back.

        False, and nothing is held, when nothing is new, or something before it is missing yet.
        """
        ahead = self._ahead(packet)
        if ahead > 0:
            self._early.append(packet)
        if ahead > 0 or -ahead >= packet.payload_size:
            return False
        self.held.append(packet)
        for one in (packet, *sorted(self._early, key=self._ahead)):
            skip = -self._ahead(one)
            if 0 <= skip < one.payload_size:
                self.heard += one.payload[skip:]
                self.expected = (one.sequence + one.payload_size) % SEQUENCES
        return True

    def _ahead(self, packet: Packet) -> int:
        """Bytes missing before a segment; negative where its first ones were heard already."""
        gap = (packet.sequence - self.expected) % SEQUENCES
        return gap if gap < SEQUENCES // 2 else gap - SEQUENCES

    def enough(self, packet: Packet) -> bool:
        """Whether the client has had all it may have before this packet of the server's."""
        if self.stalled is None:
            return False
        served = (packet.sequence + packet.payload_size - self.server_first) % SEQUENCES
        if served <= self.stalled.size:
            return False
        self.stalled.hits += 1
        return True

    def reset_server(self, wire: Wire) -> None:
        """Make the server forget the connection."""
        wire.to_internet(tcp(self.out, self.client, self.server, flags=RST, sequence=self.passed))


class UdpFlow:
    """Datagrams between one port of the client and one of a server."""

    def __init__(self) -> None:
        self.version = -1
        """Of the rules it was last judged by."""
        self.unreachable = ""
        """How the server's address is blocked; empty when it is not."""
        self.hello: HelloReader | None = None
        self.protocol = MORE
        self.dead = False
        """Blocked by the name it asked for, once and for all."""
        self.paced: list[Rule] = []
        self.last = 0.0
        """When the client last sent one."""


class Dead:
    """Silence in both directions."""

    def from_client(self, packet: Packet) -> None:
        """Swallowed."""

    def from_internet(self, packet: Packet) -> None:
        """Swallowed."""


class TornDown:
    """Whatever the client still says is answered by a reset."""

    def __init__(self, flow: Flow, wire: Wire) -> None:
        self._flow = flow
        self._wire = wire

    def from_client(self, packet: Packet) -> None:
        """A client that never got the reset repeats itself."""
        if packet.flags & RST:
            return
        self._wire.to_client(
            tcp(
                self._flow.back,
                self._flow.server,
                self._flow.client,
                flags=RST | ACK,
                sequence=packet.acknowledged,
                acknowledged=self._flow.expected,
            )
        )

    def from_internet(self, packet: Packet) -> None:
        """Swallowed."""


def reset(flow: Flow, wire: Wire, last: Packet) -> None:
    """Tear both ends down; `last` is what the client sent last."""
    flow.effect = TornDown(flow, wire)
    flow.effect.from_client(last)
    flow.reset_server(wire)


def refuse(flow: Flow, wire: Wire, syn: Packet) -> None:
    """Answer a SYN with a reset."""
    wire.to_client(
        tcp(
            flow.back,
            flow.server,
            flow.client,
            flags=RST | ACK,
            sequence=0,
            acknowledged=syn.next_sequence,
        )
    )
    flow.effect = Dead()


class Hijacked:
    """The box speaks for the server: `payload`, then FIN. The server is told to forget."""

    def __init__(self, flow: Flow, wire: Wire, last: Packet, payload: bytes) -> None:
        self._flow = flow
        self._wire = wire
        self._sequence = last.acknowledged
        self._expected = flow.expected
        self._payload = payload
        self._speak()
        flow.reset_server(wire)
        flow.effect = self

    def from_client(self, packet: Packet) -> None:
        """Acknowledge, so that the client can close in peace; say all again if it heard nothing."""
        if packet.flags & RST:
            return
        if packet.payload_size and not _newer(packet, self._expected):
            self._sequence = packet.acknowledged
            self._speak()
        elif packet.payload_size or packet.flags & FIN:
            self._expected = packet.next_sequence
            self._say(ACK, b"")

    def _speak(self) -> None:
        payload = self._payload
        pieces = [payload[at : at + MSS] for at in range(0, len(payload), MSS)] or [b""]
        for piece in pieces[:-1]:
            self._say(ACK, piece)
        self._say(PSH | FIN | ACK if pieces[-1] else FIN | ACK, pieces[-1])

    def from_internet(self, packet: Packet) -> None:
        """Swallowed."""

    def _say(self, flags: int, payload: bytes) -> None:
        self._wire.to_client(
            tcp(
                self._flow.back,
                self._flow.server,
                self._flow.client,
                flags=flags,
                sequence=self._sequence,
                acknowledged=self._expected,
                payload=payload,
            )
        )
        self._sequence += len(payload) + bool(flags & FIN)


class Accepted:
    """The box completes the handshake for a server that never hears of it, as some proxies do.

    With a `payload` it answers the client's first bytes with that, then FIN; otherwise it
    acknowledges and stays silent.
    """

    _FIRST = 1_000_000

    def __init__(self, flow: Flow, wire: Wire, syn: Packet, payload: bytes) -> None:
        self._flow = flow
        self._wire = wire
        self._payload = payload
        self._sequence = self._FIRST
        self._expected = syn.next_sequence
        self._over = False
        flow.effect = self
        self._say(SYN | ACK, options=b"\x02\x04" + MSS.to_bytes(2, "big"))

    def from_client(self, packet: Packet) -> None:
        """Acknowledge; answer once; end when the client does."""
        if packet.flags & RST or not (packet.payload_size or packet.flags & FIN):
            return
        if self._over and packet.payload_size and not _newer(packet, self._expected):
            self._over, self._sequence = False, packet.acknowledged
        if packet.sequence == self._expected:
            self._expected = packet.next_sequence
        self._say(ACK)
        if self._over or not (self._payload or packet.flags & FIN):
            return
        self._over = True
        for at in range(0, len(self._payload), MSS):
            self._say(PSH | ACK, self._payload[at : at + MSS])
        self._say(FIN | ACK)

    def from_internet(self, packet: Packet) -> None:
        """Nobody there has heard of it."""

    def _say(self, flags: int, payload: bytes = b"", options: bytes = b"") -> None:
        self._wire.to_client(
            tcp(
                self._flow.back,
                self._flow.server,
                self._flow.client,
                flags=flags,
                sequence=self._sequence,
                acknowledged=self._expected,
                payload=payload,
                options=options,
            )
        )
        self._sequence += len(payload) + bool(flags & (SYN | FIN))


class Spliced:
    """The rest of the connection goes to a forger, which the client takes for the server.

    The forger gets a handshake made up by the box, numbered so that the client's sequence
    numbers fit; the forger's are shifted by a constant on the way back. Timestamps and selective
    acknowledgements are left out, since the forger's would not fit the server's.
    """

    _ports = itertools.count(20000)

    def __init__(self, flow: Flow, wire: Wire, last: Packet, forger: tuple[bytes, int]) -> None:
        self._flow = flow
        self._wire = wire
        self._forger = forger
        self._first = flow.expected - len(flow.heard)
        self._server_next = last.acknowledged
        self._waiting: list[Packet] = []
        # A port of its own: the client may use one port towards several servers at once.
        self._here = (flow.client[0], next(self._ports))
        self._shift: int | None = None
        flow.reset_server(wire)
        flow.effect = self
        wire.to_internet(
            tcp(
                flow.out,
                self._here,
                forger,
                flags=SYN,
                sequence=self._first - 1,
                options=_basic_options(flow.syn_options),
                window=flow.syn_window,
            )
        )

    @property
    def key(self) -> Key:
        """What the forger's packets are known by."""
        return (*self._here, *self._forger)

    def from_client(self, packet: Packet) -> None:
        """On to the forger, or kept until it has answered the handshake."""
        if self._shift is None:
            self._waiting.append(packet)
            return
        self._on(
            packet.sequence,
            packet.payload,
            flags=packet.flags,
            acknowledged=packet.acknowledged - self._shift,
            window=packet.window,
        )

    def from_internet(self, packet: Packet) -> None:
        """On to the client, if it is the forger's; the server's are swallowed."""
        if (packet.source, packet.source_port) != self._forger:
            return
        if packet.flags & SYN:
            self._shift = self._server_next - packet.next_sequence
            self._replay(packet)
            return
        self._wire.to_client(
            tcp(
                self._flow.back,
                self._flow.server,
                self._flow.client,
                flags=packet.flags,
                sequence=packet.sequence + (self._shift or 0),
                acknowledged=packet.acknowledged,
                payload=packet.payload,
                window=packet.window,
            )
        )

    def _replay(self, syn_ack: Packet) -> None:
        """Say again what the client has said so far."""
        heard = self._flow.heard
        for at in range(0, len(heard), MSS):
            self._on(
                self._first + at,
                heard[at : at + MSS],
                flags=PSH | ACK,
                acknowledged=syn_ack.next_sequence,
            )
        waiting, self._waiting = self._waiting, []
        for packet in waiting:
            self.from_client(packet)

    def _on(
        self, sequence: int, payload: bytes, *, flags: int, acknowledged: int, window: int = 500
    ) -> None:
        self._wire.to_internet(
            tcp(
                self._flow.out,
                self._here,
                self._forger,
                flags=flags,
                sequence=sequence,
                acknowledged=acknowledged,
                payload=payload,
                window=window,
            )
        )


def _newer(packet: Packet, expected: int) -> bool:
    """Whether a segment holds anything after the byte `expected`."""
    return 0 < (packet.next_sequence - expected) % SEQUENCES < SEQUENCES // 2


def _basic_options(options: bytes) -> bytes:
    """Segment size and window scale alone, padded."""
    kept, at = b"", 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        size = struct.unpack_from("!B", options, at + 1)[0]
        if options[at] in (2, 3):
            kept += options[at : at + size]
        at += size
    return kept + b"\x01" * (-len(kept) % 4)
