"""Where an HTTP answer sends its reader."""

from urllib.parse import urljoin, urlsplit

from probes.catalog.catalog import EndpointKind
from probes.catalog.host import is_host
from probes.failure import Failure
from probes.layers.http import REDIRECTS, Exchange
from probes.sockets.http_client import httpx

_WEB = (EndpointKind.HTTP, EndpointKind.HTTPS)


def redirect(url: str, answer: Exchange) -> tuple[str, str | None]:
    """Where the answer of `url` sends us (empty: nowhere), and the failure of a broken Location."""
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
    """`https:///x` and the like, which urljoin would take for a path on the same host."""
    parts = urlsplit(location)
    return not parts.hostname and (bool(parts.scheme) or location.startswith("//"))
