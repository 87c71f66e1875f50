"""The target of an HTTP redirect."""

from urllib.parse import urljoin, urlsplit

from probes.catalog.catalog import EndpointKind
from probes.catalog.host import is_host
from probes.failure import Failure
from probes.layers.http import Exchange
from probes.measurement import REDIRECTS
from probes.sockets.http_client import httpx

_WEB = (EndpointKind.HTTP, EndpointKind.HTTPS)


def redirect(url: str, answer: Exchange) -> tuple[str, str | None]:
    """The URL that the answer of `url` redirects to (or empty), and the failure of a broken one."""
    if answer.failure is not None or answer.status not in REDIRECTS:
        return "", None
    location = answer.header("location")
    if not location:
        return "", None
    try:
        onward = urljoin(url, location).partition("#")[0]
        parts = urlsplit(onward)
        usable = parts.scheme in _WEB and parts.port != 0 and is_host(parts.hostname or "")
        usable = usable and httpx.URL(onward).host != "" and not _lacks_host(location)
    except (ValueError, httpx.InvalidURL):
        usable = False
    return (onward, None) if usable else ("", Failure.HTTP_INVALID_REDIRECT)


def _lacks_host(location: str) -> bool:
    """Whether the host is missing, as in `https:///x`; urljoin takes that for a path."""
    parts = urlsplit(location)
    return not parts.hostname and (bool(parts.scheme) or location.startswith("//"))
