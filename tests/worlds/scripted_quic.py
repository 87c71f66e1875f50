"""A site that answers over HTTP/3 on a ScriptedNetwork: aioquic's server, without a socket.

network.datagram_peer(address, 443, quic_site("x.com"))
"""

import asyncio
from collections.abc import Callable, Sequence

from aioquic._buffer import Buffer
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ProtocolNegotiated
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.lab.certificates import honest

_CLIENT = ("198.51.100.7", 50000)


class _Conversation:
    """One connection, from the server's side."""

    def __init__(self, configuration: QuicConfiguration, destination: bytes) -> None:
        self._quic = QuicConnection(
            configuration=configuration, original_destination_connection_id=destination
        )
        self.names = {destination, self._quic.host_cid}
        """Connection ids that lead here."""
        self._h3: H3Connection | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take a datagram, and say what there is to say."""
        now = asyncio.get_running_loop().time()
        self._quic.receive_datagram(data, _CLIENT, now=now)
        while (event := self._quic.next_event()) is not None:
            if isinstance(event, ProtocolNegotiated):
                self._h3 = H3Connection(self._quic)
            for heard in self._h3.handle_event(event) if self._h3 is not None else ():
                if isinstance(heard, HeadersReceived) and self._h3 is not None:
                    self._h3.send_headers(heard.stream_id, [(b":status", b"200")], end_stream=True)
        return [sent for sent, _ in self._quic.datagrams_to_send(now=now)]


def quic_site(name: str) -> Callable[[bytes], Sequence[bytes]]:
    """Answers for a site with an honest certificate of the lab's authority."""
    pem = honest(name).encode()
    leaf, *chain = x509.load_pem_x509_certificates(pem)
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=H3_ALPN,
        certificate=leaf,
        certificate_chain=chain,
        private_key=load_pem_private_key(pem, None),
    )
    conversations: list[_Conversation] = []

    def answers(data: bytes) -> Sequence[bytes]:
        header = pull_quic_header(Buffer(data=data), host_cid_length=8)
        for one in conversations:
            if header.destination_cid in one.names:
                return one.feed(data)
        if header.packet_type is not QuicPacketType.INITIAL:
            return ()
        conversations.append(_Conversation(configuration, header.destination_cid))
        return conversations[-1].feed(data)

    return answers
