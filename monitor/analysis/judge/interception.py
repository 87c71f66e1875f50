"""Devices at the vantage's own site that open TLS: an office's proxy, antivirus software.

They mint a certificate for each name, signed by one authority of their own, and exempt some names
from that. So an authority that nobody trusts is the site's own where it also signed for a reference
or for platforms of different owners, or where a fingerprint names software of people's machines,
which opens one platform alone where somebody set it so. A block page shows one certificate whatever
name is asked for and is no such device. A state does the same, where it does not stop at one
platform: where its authority is known by a fingerprint of the country, it is accused all the same.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache

from monitor.analysis.judge.block_pages import Medium, best_match, national
from monitor.analysis.judge.case import Case
from monitor.analysis.judge.fingerprint import Scope
from monitor.analysis.measurement_summary import Summary
from probes.failure_strings import Failure
from probes.measurement import REFERENCE_PLATFORM, Measurement, TlsObservation

OWNERS = 2
"""Owners of platforms for which an authority must have signed to be the site's own."""


def local_authorities(
    measurements: Iterable[Measurement], owners: Mapping[str, str]
) -> frozenset[str]:
    """The authorities of the vantage's own site, by name; `owners` are those of the platforms."""
    signed_for: dict[str, set[str]] = {}
    for measurement in measurements:
        for observation in measurement.observations:
            if isinstance(observation, TlsObservation) and (name := _minted_by(observation)):
                owner = owners.get(measurement.platform, measurement.platform)
                signed_for.setdefault(name, set()).add(owner)
    return frozenset(
        name
        for name, found in signed_for.items()
        if REFERENCE_PLATFORM in found or len(found) >= OWNERS
    )


def intercepted(case: Case, summary: Summary) -> bool:
    """Whether the last host of this measurement showed a certificate of such an authority, or of
    software that is known to run on people's own machines."""
    minted = {name for o in summary.last_hop.tls if (name := _minted_by(o))}
    if not minted:
        return False
    match = best_match(case, summary, Medium.CERTIFICATE)
    if match is not None and match.fingerprint.scope is Scope.DEVICE:
        return True
    return bool(minted & case.local_authorities) and (match is None or not national(case, match))


def opened(case: Case, observation: TlsObservation) -> bool:
    """Whether such an authority signed for the name in this handshake."""
    return _minted_by(observation) in case.local_authorities


def _minted_by(observation: TlsObservation) -> str:
    """The issuer of a certificate made for the name that was asked for; empty for any other."""
    if observation.failure != Failure.SSL_UNKNOWN_AUTHORITY or not observation.chain:
        return ""
    issuer, names = _leaf(observation.chain[0])
    _, _, parent = observation.server_name.lower().partition(".")
    return issuer if names & {observation.server_name.lower(), f"*.{parent}"} else ""


@lru_cache(maxsize=256)
def _leaf(der: bytes) -> tuple[str, frozenset[str]]:
    """The issuer of a certificate, empty where it signed itself, and the names it is made for."""
    from cryptography import x509  # listings load the rules, too, and read no certificate
    from cryptography.x509.oid import NameOID

    try:
        leaf = x509.load_der_x509_certificate(der)
        if leaf.issuer == leaf.subject:
            return "", frozenset()
        common = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        names = {str(attribute.value).lower() for attribute in common}
        with suppress(x509.ExtensionNotFound):
            found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names |= {name.lower() for name in found.value.get_values_for_type(x509.DNSName)}
        return leaf.issuer.rfc4514_string(), frozenset(names)
    except Exception:  # noqa: BLE001 - a censor picks the bytes, and so the error
        return "", frozenset()
