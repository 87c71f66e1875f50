"""What an HTTP answer proves, offers and redirects to, and which parts of it are evidence."""

import hashlib
import re
from collections.abc import Iterable
from urllib.parse import urljoin, urlsplit

import msgspec

from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.host import is_host
from probes.failure_strings import Failure
from probes.layers.http_exchange import Exchange
from probes.layers.scrub import Scrubber
from probes.measurement import LEGAL_REASONS, REDIRECTS, HttpObservation

_ALTERNATIVE = re.compile(
    r'\s*(?P<protocol>[^\s=;,"]+)="(?P<host>[^":]*|\[[^"\]]*\]):(?P<port>\d{1,5})"'
)
_WEB = (EndpointKind.HTTP, EndpointKind.HTTPS)
_KEPT_BODY = 16 * 1024
"""Characters of a suspicious body that are kept as evidence."""
_KEPT_TITLE = 200
"""Characters of a title that are kept."""
_ORDINARY_HEADERS = frozenset(
    {"content-type", "content-length", "date", "location", "server", "via", "alt-svc"}
    # With these a site's robot check asks for a person.
    | {"cf-mitigated", "x-amzn-waf-action"}
)
"""Headers kept of a healthy answer; of a suspicious one all are kept."""
_NEVER_KEPT = frozenset({"set-cookie"})
"""Cookies identify the visitor: the name of the header is kept, its value is not."""


def as_stated(endpoint: Endpoint, answer: Exchange) -> bool:
    """Whether the answer is the one the catalogue states; True when it states none."""
    if endpoint.expect_status and answer.status not in endpoint.expect_status:
        return False
    return endpoint.expect_body.encode() in answer.body


def trustworthy(endpoint: Endpoint, last_url: str, answer: Exchange) -> bool:
    """Whether the last answer proves that the endpoint was reached.

    Over verified TLS any status does, except 451 (unavailable for legal reasons). In cleartext only
    an answer that the catalogue states does: anyone on the path could have written another.
    """
    if last_url.startswith("https:"):
        return answer.status != LEGAL_REASONS
    return bool(endpoint.expect_status or endpoint.expect_body)


def with_content(
    observation: HttpObservation,
    answer: Exchange,
    scrubber: Scrubber,
    own: Iterable[str],
    *,
    suspicious: bool,
) -> HttpObservation:
    """The observation with the content of the answer. Body and digest are without the vantage's
    addresses, `own`; the rest is scrubbed with the other observations."""
    body, text = answer.body, ""
    if suspicious:
        text = scrubber.text(body.decode("utf-8", "replace"))
        digest = hashlib.sha256(text.encode()).hexdigest()
    else:
        # Scrubbing every healthy page would cost more than the measurement. Its digest only must
        # not depend on our own address.
        for address in own:
            body = body.replace(address.encode(), b"")
        digest = hashlib.sha256(body).hexdigest()
    title = answer.title
    if len(title) > _KEPT_TITLE:
        # Half an address at the cut would no longer be found with the rest of the observation.
        title = scrubber.text(title)[:_KEPT_TITLE]
    return msgspec.structs.replace(
        observation,
        title=title,
        headers=kept_headers(answer.headers, suspicious=suspicious),
        location=answer.header("location"),
        body_length=len(answer.body),
        body_truncated=answer.truncated,
        body_sha256=digest if answer.status else "",
        body=text[:_KEPT_BODY],
    )


def kept_headers(
    headers: Iterable[tuple[str, str]], *, suspicious: bool
) -> tuple[tuple[str, str], ...]:
    """The headers of an answer that are stored: of an ordinary one, only ordinary ones."""
    return tuple(
        (name, "" if name in _NEVER_KEPT else value)
        for name, value in headers
        if suspicious or name in _ORDINARY_HEADERS
    )


def offers_http3(value: str, host: str, port: int) -> bool:
    """Whether an Alt-Svc `value` (RFC 7838, RFC 9114) offers HTTP/3 on the host and port that sent
    it.

    Measurements do not follow offers of other hosts and ports. Drafts of HTTP/3 (h3-29) are other
    protocols.
    """
    for alternative in value.split(","):
        match = _ALTERNATIVE.match(alternative)
        if (
            match is not None
            and match["protocol"] == "h3"
            and match["host"].strip("[]").lower() in ("", host)
            and int(match["port"]) == port
        ):
            return True
    return False


def redirect(url: str, answer: Exchange) -> tuple[str, str | None]:
    """The URL that the answer of `url` redirects to (or empty), and the failure of a broken one."""
    if answer.failure is not None or answer.status not in REDIRECTS:
        return "", None
    location = answer.header("location")
    if not location:
        return "", None
    from probes.sockets.http_client import httpx  # who reads stored answers needs no client

    try:
        onward = urljoin(url, location).partition("#")[0]
        parts = urlsplit(onward)
        usable = parts.scheme in _WEB and parts.port != 0 and is_host(parts.hostname or "")
        usable = usable and httpx.URL(onward).host != "" and not _lacks_host(location)
        # A scheme has no case, and whoever reads this URL compares with lower case.
        onward = parts.scheme + onward[len(parts.scheme) :]
    except (ValueError, httpx.InvalidURL):
        usable = False
    return (onward, None) if usable else ("", Failure.HTTP_INVALID_REDIRECT)


def _lacks_host(location: str) -> bool:
    """Whether the host is missing, as in `https:///x`; urljoin takes that for a path."""
    parts = urlsplit(location)
    return not parts.hostname and (bool(parts.scheme) or location.startswith("//"))
