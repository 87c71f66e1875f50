"""What a censor reads in a QUIC client's first datagrams: the server name (RFC 9001, section 5).

Initial packets are encrypted under keys that anyone derives from the connection id in their
header. Needs aioquic, and so a child that has called `worker.load_packages`.
"""

import contextlib
import struct

from aioquic.buffer import Buffer  # type: ignore[attr-defined]
from aioquic.quic.crypto import CryptoError, CryptoPair  # type: ignore[attr-defined]
from aioquic.quic.packet import QuicPacketType, QuicProtocolVersion, pull_quic_header

from tests.lab.sniff import LIMIT, MORE, OTHER, server_name

VERSIONS = (QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2)
PADDING, PING, ACK, ACK_ECN, CRYPTO = 0x00, 0x01, 0x02, 0x03, 0x06
_MOST_DATAGRAMS = 16
"""Datagrams after which nobody reads on."""


class HelloReader:
    """Puts one connection's ClientHello together from datagrams in whatever order."""

    def __init__(self) -> None:
        self._keys: CryptoPair | None = None
        self._pieces: dict[int, bytes] = {}
        self._datagrams = 0

    def feed(self, datagram: bytes) -> tuple[str, str]:
        """`quic` and the lower-case server name (may be empty); MORE to read on; or OTHER."""
        self._datagrams += 1
        try:
            readable = self._read(datagram)
        except ValueError:
            readable = False
        message = self._message()
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            try:
                return ("quic", server_name(message)) if message[0] == 1 else (OTHER, "")
            except (IndexError, struct.error):
                return OTHER, ""
        if self._datagrams == 1 and not readable:
            return OTHER, ""
        if self._datagrams >= _MOST_DATAGRAMS or len(message) > LIMIT:
            return OTHER, ""
        return MORE, ""

    def _read(self, datagram: bytes) -> bool:
        """Take the CRYPTO frames of every Initial packet; whether there was such a packet."""
        buffer, found = Buffer(data=datagram), False
        while not buffer.eof() and datagram[buffer.tell()] & 0x80:
            start = buffer.tell()
            header = pull_quic_header(buffer)
            end = start + header.packet_length
            if header.packet_type is QuicPacketType.INITIAL and header.version in VERSIONS:
                plain = self._decrypted(
                    datagram[start:end],
                    buffer.tell() - start,
                    header.destination_cid,
                    header.version or 0,
                )
                self._frames(plain)
                found = True
            buffer.seek(end)
        return found

    def _decrypted(self, packet: bytes, offset: int, connection: bytes, version: int) -> bytes:
        if self._keys is not None:
            with contextlib.suppress(CryptoError):
                return self._keys.decrypt_packet(packet, offset, 0)[1]
        # The first packet; or a retry, after which the client begins again with other keys.
        keys = CryptoPair()
        keys.setup_initial(cid=connection, is_client=False, version=version)
        plain = keys.decrypt_packet(packet, offset, 0)[1]
        self._keys = keys
        self._pieces.clear()
        return plain

    def _frames(self, plain: bytes) -> None:
        buffer = Buffer(data=plain)
        while not buffer.eof():
            kind = buffer.pull_uint_var()
            if kind == CRYPTO:
                offset = buffer.pull_uint_var()
                self._pieces[offset] = buffer.pull_bytes(buffer.pull_uint_var())
            elif kind in (ACK, ACK_ECN):
                _skip_ack(buffer, ecn=kind == ACK_ECN)
            elif kind not in (PADDING, PING):
                return  # the end of the connection; nothing of interest follows

    def _message(self) -> bytes:
        """What is known without a gap from the beginning."""
        message = b""
        for offset, piece in sorted(self._pieces.items()):
            if offset > len(message):
                break
            message += piece[len(message) - offset :]
        return message


def _skip_ack(buffer: Buffer, *, ecn: bool) -> None:
    buffer.pull_uint_var()
    buffer.pull_uint_var()
    ranges = buffer.pull_uint_var()
    for _ in range(1 + 2 * ranges + (3 if ecn else 0)):
        buffer.pull_uint_var()
