"""Certificates of the lab: honest ones by an authority of its own, and every forgery."""

import datetime
import functools

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

FORGERIES = (
    "self-signed",
    "unknown-authority",
    "untrusted-chain",
    "wrong-name",
    "expired",
    "not-yet-valid",
)
"""OpenSSL calls them 18, 20, 19, 62, 10 and 9."""
_OTHER_NAMES = tuple(f"host-{number}.of-the-same-platform.example" for number in range(48))
BY = "by "
"""`by ORGANISATION` is one more: signed by an authority of that name, which nobody trusts."""


@functools.cache
def authority() -> trustme.CA:
    """The authority everyone in the lab trusts. One per process: minting costs time."""
    return trustme.CA(organization_name="Lab Trust", organization_unit_name="Lab Root")


@functools.cache
def stranger() -> trustme.CA:
    """An authority nobody trusts."""
    return trustme.CA(organization_name="National Gateway", organization_unit_name="Gateway Root")


@functools.cache
def interceptor(organisation: str) -> trustme.CA:
    """The authority of a product, or a state, that opens encryption."""
    return trustme.CA(organization_name=organisation, organization_unit_name="Inspection")


@functools.cache
def honest(name: str, *, large: bool = False) -> str:
    """Key and chain as PEM, for `name`, by the trusted authority; `large` ones are for dozens of
    other names, and take several packets."""
    names = (name, *_OTHER_NAMES) if large else (name,)
    return _pem(authority().issue_cert(*names, common_name=name))


@functools.cache
def private(name: str) -> str:
    """Key and chain as PEM, for `name`, by an authority the owner keeps to itself."""
    return _pem(stranger().issue_cert(name, common_name=name))


@functools.cache
def forged(name: str, how: str) -> str:
    """Key and chain as PEM of a certificate for `name` that fails in the way of FORGERIES."""
    now = datetime.datetime.now(datetime.UTC)
    if how == "self-signed":
        return _self_signed(name, now)
    if how == "unknown-authority":
        return private(name)
    if how.startswith(BY):
        return _pem(interceptor(how.removeprefix(BY)).issue_cert(name, common_name=name))
    if how == "untrusted-chain":
        return private(name) + stranger().cert_pem.bytes().decode()
    if how == "wrong-name":
        return honest("gateway.isp.example")
    if how == "expired":
        last_year, last_week = now - datetime.timedelta(365), now - datetime.timedelta(7)
        return _pem(
            authority().issue_cert(
                name, common_name=name, not_before=last_year, not_after=last_week
            )
        )
    if how == "not-yet-valid":
        next_week, next_year = now + datetime.timedelta(7), now + datetime.timedelta(365)
        return _pem(
            authority().issue_cert(
                name, common_name=name, not_before=next_week, not_after=next_year
            )
        )
    raise ValueError(f"no such forgery: {how}; there are {', '.join(FORGERIES)}")


def _pem(leaf: trustme.LeafCert) -> str:
    return leaf.private_key_and_cert_chain_pem.bytes().decode()


def _self_signed(name: str, now: datetime.datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(1))
        .not_valid_after(now + datetime.timedelta(30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (plain + certificate.public_bytes(Encoding.PEM)).decode()
