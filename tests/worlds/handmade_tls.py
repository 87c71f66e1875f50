"""A TLS 1.3 server made by hand, which may sign with a key that is not its certificate's.

OpenSSL refuses to be such a server. aioquic's TLS carries out the handshake; the record layer it
lacks, since QUIC has another, is here (RFC 8446 section 5).
"""

import struct

from aioquic import tls
from aioquic._buffer import Buffer
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.worlds.loopback import Conversation

_HANDSHAKE, _APPLICATION_DATA = 22, 23


class HandmadeServer:
    """Its side of one handshake."""

    def __init__(self, pem: str, *, signing: ec.EllipticCurvePrivateKey | None = None) -> None:
        """`pem` holds key and chain; `signing` is used in place of that key."""
        leaf, *others = x509.load_pem_x509_certificates(pem.encode())
        self._context = tls.Context(is_client=False, alpn_protocols=["http/1.1"])
        self._context.certificate = leaf
        self._context.certificate_chain = others
        key = signing or load_pem_private_key(pem.encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._context.certificate_private_key = key
        self._context.update_traffic_key_cb = self._new_secret
        self._keys: dict[tuple[tls.Direction, tls.Epoch], tuple[AESGCM | ChaCha20Poly1305, bytes]]
        self._keys = {}

    def _new_secret(
        self, direction: tls.Direction, epoch: tls.Epoch, suite: tls.CipherSuite, secret: bytes
    ) -> None:
        algorithm = tls.cipher_suite_hash(suite)
        size = 16 if suite is tls.CipherSuite.AES_128_GCM_SHA256 else 32
        key = tls.hkdf_expand_label(algorithm, secret, b"key", b"", size)
        nonce = tls.hkdf_expand_label(algorithm, secret, b"iv", b"", 12)
        chacha = suite is tls.CipherSuite.CHACHA20_POLY1305_SHA256
        self._keys[direction, epoch] = ((ChaCha20Poly1305 if chacha else AESGCM)(key), nonce)

    async def answer(self, peer: Conversation) -> None:
        """Read the hello and send everything a server sends."""
        out = {epoch: Buffer(capacity=8192) for epoch in tls.Epoch}
        self._context.handle_message(await peer.client_hello(), out)
        hello = out[tls.Epoch.INITIAL].data
        await peer.send(struct.pack("!BHH", _HANDSHAKE, 0x0303, len(hello)) + hello)
        cipher, nonce = self._keys[tls.Direction.ENCRYPT, tls.Epoch.HANDSHAKE]
        inside = out[tls.Epoch.HANDSHAKE].data + bytes([_HANDSHAKE])
        head = struct.pack("!BHH", _APPLICATION_DATA, 0x0303, len(inside) + 16)
        await peer.send(head + cipher.encrypt(nonce, inside, head))


def without_key(pem: str) -> HandmadeServer:
    """One that shows a chain it does not have the key of."""
    return HandmadeServer(pem, signing=ec.generate_private_key(ec.SECP256R1()))
