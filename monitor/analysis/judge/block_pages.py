"""Recognises known block pages and filtering products by their fingerprints.

Anyone can write the words of a block page: a platform's help page quotes them. So a fingerprint
counts only where somebody on the path can have written it: in a response without encryption, or in
a certificate that did not verify. One that a control got too is the site's own text and never
counts.

`monitor.config.fingerprints` reads the fingerprints.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache

import msgspec

from monitor.analysis.judge.case import Case
from monitor.analysis.judge.cleartext_pages import challenge
from monitor.analysis.judge.fingerprint import Fingerprint, Kind, Where
from monitor.analysis.measurement_summary import Summary, hops, host_of, redirect_target, summarise
from probes.failure_strings import CERTIFICATE_FAILURES
from probes.measurement import HttpObservation


class Medium(StrEnum):
    PAGE = "page"
    CERTIFICATE = "certificate"


class Match(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: Fingerprint
    medium: Medium


def best_match(case: Case, summary: Summary, medium: Medium) -> Match | None:
    """The most specific fingerprint of a measurement; None when it has none.

    Fingerprints of the case's country come first, then confident ones.
    """
    if not case.fingerprints:
        return None
    found = [one for one in _matches(case.fingerprints, summary) if one.medium is medium]
    if not found:
        return None
    innocent = {
        (one.medium, one.fingerprint.id)
        for control in case.controls
        if control.endpoint == case.endpoint
        for one in _matches(case.fingerprints, summarise(control))
    }
    return min(
        (one for one in found if (one.medium, one.fingerprint.id) not in innocent),
        key=lambda one: (
            not national(case, one),
            not one.fingerprint.confident,
            one.fingerprint.id,
        ),
        default=None,
    )


def national(case: Case, match: Match) -> bool:
    """Whether a confident fingerprint is known from the case's country."""
    return match.fingerprint.confident and case.country in match.fingerprint.countries


def _matches(fingerprints: Sequence[Fingerprint], summary: Summary) -> list[Match]:
    pages = [page for page in hops(summary.measurement) if _writable(page)]
    names = _certificate_names(summary)
    found = []
    for fingerprint in fingerprints:
        if fingerprint.where is Where.CERTIFICATE:
            if any(_says(fingerprint, name) for name in names):
                found.append(Match(fingerprint=fingerprint, medium=Medium.CERTIFICATE))
        elif any(_shows(fingerprint, page) for page in pages):
            found.append(Match(fingerprint=fingerprint, medium=Medium.PAGE))
    return found


def _writable(page: HttpObservation) -> bool:
    """Whether anyone on the path can have written this, and it is no robot check of the site."""
    return page.url.startswith("http:") and page.status > 0 and not challenge(page)


def _shows(fingerprint: Fingerprint, page: HttpObservation) -> bool:
    if fingerprint.where is Where.LOCATION:
        target = redirect_target(page)
        if fingerprint.kind is Kind.HOST:
            return _is_host(fingerprint.pattern, host_of(target))
        return bool(target) and _says(fingerprint, target)
    return any(_says(fingerprint, text) for text in _texts(fingerprint, page))


def _texts(fingerprint: Fingerprint, page: HttpObservation) -> Iterable[str]:
    if fingerprint.where is Where.TITLE:
        return (page.title,)
    if fingerprint.where is Where.BODY:
        return (page.body,)
    return (value for name, value in page.headers if name.lower() == fingerprint.header)


def _says(fingerprint: Fingerprint, text: str) -> bool:
    pattern = fingerprint.pattern
    match fingerprint.kind:
        case Kind.CONTAINS:
            return pattern.lower() in text.lower()
        case Kind.PREFIX:
            return text.startswith(pattern)
        case Kind.FULL:
            return text == pattern
        case Kind.REGEX:
            return _compiled(pattern).search(text) is not None
        case Kind.HOST:
            return _is_host(pattern, host_of(text))


def _is_host(pattern: str, host: str) -> bool:
    return host == pattern or host.endswith(f".{pattern}")


_compiled = lru_cache(maxsize=4096)(re.compile)


def _certificate_names(summary: Summary) -> list[str]:
    """Subject and issuer of every certificate that was presented and did not verify."""
    ders = [
        der for o in summary.last_hop.tls if o.failure in CERTIFICATE_FAILURES for der in o.chain
    ]
    return [name for der in ders for name in _names(der)]


@lru_cache(maxsize=256)
def _names(der: bytes) -> tuple[str, ...]:
    from cryptography import x509  # listings load the rules, too, and read no certificate

    try:
        certificate = x509.load_der_x509_certificate(der)
        return certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
    except Exception:  # noqa: BLE001 - a censor picks the bytes, and so the error
        return ()
