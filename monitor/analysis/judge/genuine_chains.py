"""Certificates that are the platform's own, though they do not verify here.

* *Those that a control verified.* A list of authorities that is out of date knows no new one.
* *Those that are wrong by their dates alone.* A server lapsed, or a clock is less than a day off:
  where servers showed how far, and the dates fit the right time, nobody is accused.
* *Those that nobody's list knows.* The platform may have gone to another authority since.

OpenSSL reads dates last: after the name, and each of them after the signature by the authority
above. What is below a lapsed authority it never reads, so those signatures are verified here.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from monitor.analysis.measurement_summary import Summary
from probes.failure_strings import CERTIFICATE_FAILURES, Failure
from probes.measurement import Layer, TlsObservation

_OF_ITSELF = ("self-signed certificate", "self signed certificate")
_BY_DATES = ("certificate has expired", "certificate is not yet valid")
"""OpenSSL's texts."""


def verified_elsewhere(failed: Iterable[Summary], working: Iterable[Summary]) -> bool:
    """Whether each certificate that failed, but not by its name, is one that a working control
    verified for the name."""
    verified = {
        (o.server_name, o.chain_sha256)
        for control in working
        for o in control.measurement.of(Layer.TLS)
        if isinstance(o, TlsObservation) and o.failure is None and o.chain_sha256
    }
    refused = list(_refused(failed))
    return bool(refused) and all(
        o.failure != Failure.SSL_INVALID_HOSTNAME and (o.server_name, o.chain_sha256) in verified
        for o in refused
    )


def known_nowhere(failed: Iterable[Summary], controls: Iterable[Summary]) -> bool:
    """Whether nothing else is wrong, here and at every control, than an authority that no list
    knows, and each control was shown a certificate that was shown here."""
    here = set(_unknown(failed))
    there = [set(_unknown([control])) for control in controls]
    return None not in here.union(*there) and all(shown & here for shown in there)


def _unknown(failed: Iterable[Summary]) -> Iterator[tuple[str, str] | None]:
    """Name and chain of each certificate that an unknown authority signed; None for another
    fault."""
    for one in failed:
        refused = list(_refused([one]))
        yield from (
            (o.server_name, o.chain_sha256)
            if o.failure == Failure.SSL_UNKNOWN_AUTHORITY
            and o.chain_sha256
            and o.verify_error not in _OF_ITSELF
            else None
            for o in refused
        )
        if not refused:
            yield None


def wrong_by_dates_alone(failed: Iterable[Summary]) -> bool:
    """Whether nothing but its dates is wrong with each certificate that failed."""
    refused = list(_refused(failed))
    return bool(refused) and all(
        o.verify_error in _BY_DATES and bool(o.chain) and _signed(o.chain) for o in refused
    )


def explained_by_clock(failed: Iterable[Summary], ahead: float | None) -> bool:
    """Whether each certificate that failed is wrong by its dates alone, and valid by the right
    time, as far as that is known: our clock is so many seconds ahead (negative: behind)."""
    several = list(failed)
    if not ahead or not wrong_by_dates_alone(several):
        return False
    return all(
        _valid(o.chain, one.measurement.started_at.timestamp(), ahead)
        for one in several
        for o in _refused([one])
    )


def _valid(chain: tuple[bytes, ...], at: float, ahead: float) -> bool:
    """Whether each certificate of a chain may be valid at this moment (POSIX seconds), which is
    either by our clock or corrected."""
    return all(
        first <= at + max(0.0, -ahead) and last >= at - max(0.0, ahead)
        for first, last in map(_dates, chain)
    )


@lru_cache(maxsize=256)
def _dates(der: bytes) -> tuple[float, float]:
    """From when to when a certificate is valid, in POSIX seconds."""
    from cryptography import x509  # listings load the rules, too, and read no certificate

    one = x509.load_der_x509_certificate(der)
    return one.not_valid_before_utc.timestamp(), one.not_valid_after_utc.timestamp()


def _refused(failed: Iterable[Summary]) -> Iterator[TlsObservation]:
    return (o for one in failed for o in one.last_hop.tls if o.failure in CERTIFICATE_FAILURES)


@lru_cache(maxsize=256)
def _signed(chain: tuple[bytes, ...]) -> bool:
    """Whether each certificate of a chain is signed by the next."""
    from cryptography import x509  # listings load the rules, too, and read no certificate

    try:
        for one, above in pairwise(map(x509.load_der_x509_certificate, chain)):
            one.verify_directly_issued_by(above)
    except Exception:  # noqa: BLE001 - a censor picks the bytes, and so the error
        return False
    return True
