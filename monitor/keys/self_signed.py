"""A key and a certificate signed by it alone: trusted by whoever knows that very certificate."""

import ipaddress
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_YEARS = timedelta(days=3650)
_NOBODY = "localhost"
"""The name in every certificate, so that none tells who runs the server."""


def self_signed(now: datetime, host: str = "") -> bytes:
    """A new key and its certificate, PEM, valid for ten years from `now`, UTC. `host` is the name
    or address that it is for; empty: none."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NOBODY)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _YEARS)
    )
    if host:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(host)]), critical=False
        )
    certificate = builder.sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def is_for(pem: bytes, host: str) -> bool:
    """Whether the first certificate in there names this very host. Raises ValueError where there
    is none."""
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    return _general_name(host) in named.value


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
