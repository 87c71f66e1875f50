"""Compares a cleartext page with the control's: anyone on the path can write a cleartext page.

The criteria are OONI's for web_connectivity: the same status, and a similar length, a shared
uncommon header or a shared long word in the titles. They are lenient on purpose: pages differ by
country, login and hour. A false "same" only delays; a false "different" accuses.
"""

import re
from enum import StrEnum

from monitor.analysis.measurement_summary import Summary, hops, host_of, redirect_target
from probes.measurement import HttpObservation, Measurement

LENGTH_RATIO = 0.7
_TITLE_WORD = re.compile(r"\w{5,}")
_COMMON = """
accept-ranges age alt-svc cache-control connection content-encoding content-language content-length
content-security-policy content-type date etag expires keep-alive last-modified link location p3p
pragma proxy-connection referrer-policy server set-cookie strict-transport-security
transfer-encoding upgrade vary via x-cache x-content-type-options x-frame-options x-powered-by
x-xss-protection
"""
_COMMON_HEADERS = frozenset(_COMMON.split())
"""Headers so common that block pages have them too."""
_REFUSALS = frozenset({401, 403, 405, 406, 429, 503})
"""Statuses with which sites reject visitors they take for robots."""
_CHALLENGES = frozenset({("cf-mitigated", "challenge"), ("x-amzn-waf-action", "challenge")})
"""Headers with which a site's robot check asks for a person."""
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "mil", "net", "or", "org"})
"""Second-level labels under which countries register names: example.com.pk, example.gov.br."""


class Likeness(StrEnum):
    SAME = "same"
    REFUSED_BY_SITE = "refused_by_site"
    """Another status from the same servers, or a robot check: the site rejected us, or the control.
    """
    DIFFERENT = "different"


def cleartext_page(summary: Summary) -> HttpObservation | None:
    """The final response, if it is complete and did not come over a verified connection."""
    page = summary.last_hop.http
    if page is None or page.failure is not None or not page.status:
        return None
    return None if page.url.startswith("https:") else page


def compare(page: HttpObservation, control: HttpObservation) -> Likeness:
    """How a final response compares with the control's."""
    shared = _uncommon_headers(page) & _uncommon_headers(control)
    if challenge(page) != challenge(control):
        return Likeness.REFUSED_BY_SITE
    if page.status != control.status:
        refused = bool(shared) and bool(_REFUSALS & {page.status, control.status})
        return Likeness.REFUSED_BY_SITE if refused else Likeness.DIFFERENT
    same = shared or _like_length(page, control) or _title_words(page) & _title_words(control)
    return Likeness.SAME if same else Likeness.DIFFERENT


def challenge(page: HttpObservation) -> bool:
    """Whether the site asks for proof that the visitor is a person."""
    return any((name.lower(), value.strip().lower()) in _CHALLENGES for name, value in page.headers)


def redirects_elsewhere(measurement: Measurement, control: Measurement | None) -> bool:
    """Whether a cleartext response redirected to a host that is foreign to the endpoint.

    Foreign is where the control was not sent. Without a control, it is any host that shares no
    domain with the endpoint.
    """
    known = {host_of(measurement.endpoint)}
    if control is not None:
        for hop in hops(control):
            known |= {host_of(hop.url), host_of(redirect_target(hop))}
    known.discard("")
    for hop in hops(measurement):
        target = host_of(redirect_target(hop))
        if hop.url.startswith("http:") and target:
            if not any(_related(target, host) for host in known):
                return True
            known.add(target)
    return False


def _related(one: str, other: str) -> bool:
    return one == other or _domain(one) == _domain(other)


def _domain(host: str) -> str:
    """The registered part of a name, estimated without a public suffix list."""
    labels = host.split(".")
    under_second_level = len(labels) > 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3:] if under_second_level else labels[-2:])


def _uncommon_headers(page: HttpObservation) -> set[str]:
    return {name.lower() for name, _ in page.headers} - _COMMON_HEADERS


def _like_length(page: HttpObservation, control: HttpObservation) -> bool:
    shorter, longer = sorted((page.body_length, control.body_length))
    if page.body_truncated or control.body_truncated:
        # Reading stopped early somewhere, so a longer body does not mean a different one.
        cut = min(o.body_length for o in (page, control) if o.body_truncated)
        return shorter >= LENGTH_RATIO * cut
    return longer == 0 or shorter > LENGTH_RATIO * longer


def _title_words(page: HttpObservation) -> set[str]:
    return {word.lower() for word in _TITLE_WORD.findall(page.title)}
