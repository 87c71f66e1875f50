"""Verifies the certificate of a QUIC server, against anchors that are read once.

They are Mozilla's, as over TCP (`probes.sockets.network`), and not the system's. aioquic reads the
file of all anchors again in every handshake, which takes a fifth of a cycle's processor time.
"""

import functools
import ipaddress
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import certifi
import msgspec
import service_identity
from cryptography import x509
from OpenSSL import crypto
from service_identity.cryptography import (
    verify_certificate_hostname,
    verify_certificate_ip_address,
)

_WRONG_NAME, _EXPIRED, _UNSPECIFIED = 62, 10, 1
"""X509_V_ERR codes for checks that are made here."""


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """Roots to trust in addition to Mozilla's."""

    files: tuple[str, ...] = ()
    """PEM files."""
    certificates: str = ""
    """PEM."""


def fault_of(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    server_name: str,
    trusted: Trusted,
) -> ssl.SSLCertVerificationError | None:
    """Why a certificate does not prove `server_name`, a name or an address; None if it does.

    `chain` is what the server sent with it, and `trusted` whom to trust in addition to Mozilla's
    roots. Dates come first, then the name, then the chain.
    """
    code = _dates(certificate) or _name(certificate, server_name)
    code = code or _chain(certificate, chain, trusted)
    if not code:
        return None
    error = ssl.SSLCertVerificationError(ssl.SSL_ERROR_SSL, "certificate verify failed")
    error.verify_code = code
    return error


def _dates(certificate: x509.Certificate) -> int:
    valid = certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc
    return 0 if valid else _EXPIRED


def _name(certificate: x509.Certificate, server_name: str) -> int:
    verify: Callable[[x509.Certificate, str], None] = verify_certificate_hostname
    with suppress(ValueError):
        ipaddress.ip_address(server_name)
        verify = verify_certificate_ip_address
    try:
        verify(certificate, server_name)
    except service_identity.VerificationError:
        return _WRONG_NAME
    except (service_identity.CertificateError, ValueError):
        return _UNSPECIFIED  # it names nothing, or cannot be read
    return 0


def _chain(
    certificate: x509.Certificate, chain: Sequence[x509.Certificate], trusted: Trusted
) -> int:
    context = crypto.X509StoreContext(
        _anchors(trusted),
        crypto.X509.from_cryptography(certificate),
        [crypto.X509.from_cryptography(one) for one in chain],
    )
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        return int(error.errors[0]) or _UNSPECIFIED
    return 0


@functools.lru_cache(maxsize=8)
def _anchors(trusted: Trusted) -> crypto.X509Store:
    """Mozilla's and those."""
    store = crypto.X509Store()
    store.load_locations(certifi.where())
    pems = [*(Path(path).read_bytes() for path in trusted.files), trusted.certificates.encode()]
    for pem in filter(None, pems):
        for one in x509.load_pem_x509_certificates(pem):
            store.add_cert(crypto.X509.from_cryptography(one))
    return store
