"""Ethernet frames taken apart and put together: IPv4 and IPv6 carrying TCP, UDP and ICMP.

Only what a censor on the wire needs. Addresses are packed bytes, 4 or 16 long. IPv4 options are
skipped, IPv6 extension headers make a packet opaque (`protocol` is then theirs).
"""

import array
import struct
import sys

ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MSS = 1220
"""Payload bytes per forged segment; fits every link, with either family."""

SEQUENCES = 1 << 32
_ETHERTYPE = {4: b"\x08\x00", 16: b"\x86\xdd"}


class Packet:
    """One frame, taken apart as far as its transport header."""

    __slots__ = (
        "acknowledged",
        "destination",
        "destination_port",
        "end",
        "flags",
        "frame",
        "payload_at",
        "protocol",
        "sequence",
        "source",
        "source_port",
        "transport_at",
        "window",
    )

    frame: bytes
    source: bytes
    destination: bytes
    protocol: int
    transport_at: int
    end: int
    source_port: int
    destination_port: int
    payload_at: int
    sequence: int
    acknowledged: int
    flags: int
    window: int

    @property
    def payload(self) -> bytes:
        """What TCP or UDP carries."""
        return self.frame[self.payload_at : self.end]

    @property
    def payload_size(self) -> int:
        """Bytes of payload."""
        return self.end - self.payload_at

    @property
    def next_sequence(self) -> int:
        """The sequence number that follows this segment."""
        taken = self.payload_size + bool(self.flags & SYN) + bool(self.flags & FIN)
        return (self.sequence + taken) % SEQUENCES

    @property
    def tcp_options(self) -> bytes:
        """The raw TCP options."""
        return self.frame[self.transport_at + 20 : self.payload_at]

    @property
    def hops_left(self) -> int:
        """How many routers it may still pass."""
        return self.frame[22] if len(self.source) == 4 else self.frame[21]

    @property
    def network_packet(self) -> bytes:
        """The IP packet without its Ethernet header and padding."""
        return self.frame[14 : self.end]


def parse(frame: bytes) -> Packet | None:
    """Take a frame apart; None when it carries no IP (ARP and the like)."""
    kind = frame[12:14]
    packet = Packet()
    packet.frame = frame
    if kind == b"\x08\x00":
        total, protocol = struct.unpack_from("!2xH5xB", frame, 14)
        packet.source, packet.destination = frame[26:30], frame[30:34]
        packet.transport_at = 14 + (frame[14] & 15) * 4
        packet.end = 14 + total
    elif kind == b"\x86\xdd":
        total, protocol = struct.unpack_from("!4xHB", frame, 14)
        packet.source, packet.destination = frame[22:38], frame[38:54]
        packet.transport_at = 54
        packet.end = 54 + total
    else:
        return None
    packet.protocol = protocol
    packet.source_port = packet.destination_port = packet.flags = 0
    packet.payload_at = packet.transport_at
    if protocol == TCP:
        (
            packet.source_port,
            packet.destination_port,
            packet.sequence,
            packet.acknowledged,
            offset,
            packet.flags,
            packet.window,
        ) = struct.unpack_from("!HHIIBBH", frame, packet.transport_at)
        packet.payload_at = packet.transport_at + (offset >> 4) * 4
    elif protocol == UDP:
        packet.source_port, packet.destination_port = struct.unpack_from(
            "!HH", frame, packet.transport_at
        )
        packet.payload_at = packet.transport_at + 8
    return packet


def ethernet_back(frame: bytes) -> bytes:
    """The two hardware addresses of an answer to `frame`."""
    return frame[6:12] + frame[0:6]


def tcp(
    ethernet: bytes,
    source: tuple[bytes, int],
    destination: tuple[bytes, int],
    *,
    flags: int,
    sequence: int,
    acknowledged: int = 0,
    payload: bytes = b"",
    options: bytes = b"",
    window: int = 64240,
) -> bytes:
    """A frame with one TCP segment; `options` must be a multiple of four bytes."""
    header = struct.pack(
        "!HHIIBBHHH",
        source[1],
        destination[1],
        sequence % SEQUENCES,
        acknowledged % SEQUENCES,
        (5 + len(options) // 4) << 4,
        flags,
        window,
        0,
        0,
    )
    segment = header + options + payload
    return ethernet + _ip(source[0], destination[0], TCP, _summed(segment, 16, source, destination))


def udp(
    ethernet: bytes, source: tuple[bytes, int], destination: tuple[bytes, int], payload: bytes
) -> bytes:
    """A frame with one UDP datagram."""
    header = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0)
    datagram = _summed(header + payload, 6, source, destination, UDP)
    return ethernet + _ip(source[0], destination[0], UDP, datagram)


def icmp_unreachable(ethernet: bytes, router: bytes, code: int, about: Packet) -> bytes:
    """A frame that tells the sender of `about` that it cannot be delivered."""
    return _icmp(ethernet, router, 3 if len(about.source) == 4 else 1, code, about)


def icmp_time_exceeded(ethernet: bytes, router: bytes, about: Packet) -> bytes:
    """A frame that tells the sender of `about` that it has passed too many routers."""
    return _icmp(ethernet, router, 11 if len(about.source) == 4 else 3, 0, about)


def _icmp(ethernet: bytes, router: bytes, kind: int, code: int, about: Packet) -> bytes:
    family4 = len(about.source) == 4
    quoted = about.network_packet[:576]
    message = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    to = (about.source, 0)
    if family4:
        total = _checksum(message)
        message = message[:2] + struct.pack("!H", total) + message[4:]
        return ethernet + _ip(router, about.source, ICMP, message)
    return ethernet + _ip(router, about.source, ICMP6, _summed(message, 2, (router, 0), to, ICMP6))


def _summed(
    segment: bytes,
    at: int,
    source: tuple[bytes, int],
    destination: tuple[bytes, int],
    protocol: int = TCP,
) -> bytes:
    pseudo = source[0] + destination[0] + struct.pack("!II", len(segment), protocol)
    total = _checksum(pseudo + segment) or 0xFFFF
    return segment[:at] + struct.pack("!H", total) + segment[at + 2 :]


def _ip(source: bytes, destination: bytes, protocol: int, payload: bytes) -> bytes:
    if len(source) == 16:
        header = struct.pack("!IHBB", 0x60000000, len(payload), protocol, 60)
        return _ETHERTYPE[16] + header + source + destination + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 60, protocol, 0)
    header += source + destination
    header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
    return _ETHERTYPE[4] + header + payload


def _checksum(data: bytes) -> int:
    words = array.array("H", data + b"\0" if len(data) % 2 else data)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    if sys.byteorder == "little":
        total = ((total & 0xFF) << 8) | (total >> 8)
    return ~total & 0xFFFF
