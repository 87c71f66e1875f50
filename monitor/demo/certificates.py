"""Certificates of the demonstration's hosts, made at its start, under a root nobody else trusts.

Private keys exist only in this process.
"""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=7)


class Authority:
    """A root certificate, and the certificates it signs."""

    def __init__(self, title: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(title)
        usage = _usage(signs_certificates=True)
        limits = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self._signed(self._name, self._key.public_key(), limits, usage)

    @property
    def pem(self) -> bytes:
        """The root's certificate, for clients that must trust it."""
        return self.certificate.public_bytes(Encoding.PEM)

    def context(self, host: str) -> ssl.SSLContext:
        """A server context with a new key and certificate for one host."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(
            _name(host),
            key.public_key(),
            x509.BasicConstraints(ca=False, path_length=None),
            _usage(signs_certificates=False),
            x509.SubjectAlternativeName([x509.DNSName(host)]),
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return _server_context(secret + certificate.public_bytes(Encoding.PEM))

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + LIFETIME)
        )
        of_keys = (
            x509.SubjectKeyIdentifier.from_public_key(key),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
        )
        for extension in (*of_keys, *extensions):
            critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _name(title: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _server_context(pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # The ssl module reads keys from files only; only the owner can read this temporary one.
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        Path(file.name).write_bytes(pem)
        context.load_cert_chain(file.name)
    return context
