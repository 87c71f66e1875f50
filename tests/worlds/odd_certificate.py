"""Certificates that no library makes, and somebody on the network may send."""

import base64
import textwrap
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

DUPLICATE, VERSION, DATE, CUT = "duplicate", "version", "date", "cut"
_ISSUER_NAMES, _SUBJECT_NAMES = bytes.fromhex("0603551d12"), bytes.fromhex("0603551d11")
_THIRD = bytes.fromhex("a003020102")
_TIME = b"\x17\x0d"


def odd_certificate(how: str, host: str = "x.com") -> str:
    """One for a host (PEM), odd as said. Its signature does not fit, which is no matter: nothing
    signed by a known authority is odd."""
    der = _plain(host)
    if how == DUPLICATE:
        # The extension beside it becomes the names of the subject, once more.
        der = der.replace(_ISSUER_NAMES, _SUBJECT_NAMES)
    elif how == VERSION:
        der = der.replace(_THIRD, _THIRD[:-1] + b"\x05", 1)
    elif how == DATE:
        at = der.index(_TIME) + len(_TIME)
        der = der[:at] + b"990230000000Z" + der[at + 13 :]
    elif how == CUT:
        der = der[: len(der) // 2]
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def _plain(host: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    issuer = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.18"), names.public_bytes())
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(names, critical=False)
        .add_extension(issuer, critical=False)
    )
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
