"""URLs, hosts, addresses and what else a configuration writes as text of a given form."""

import re
from collections.abc import Collection
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from monitor.config.country_code import country_code
from monitor.config.loopback import is_loopback
from monitor.config.toml_node import (
    Node,
    optional,
    parsed,
    text,
)
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint, parse_host, split_host_port
from probes.catalog.public_pages import PublicPage, public_page
from probes.vantage import Resolver
from storage import url as database_url

_BUCKET = re.compile(
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9_=-][A-Za-z0-9_.=-]*)*", re.ASCII
)
DNS_PORT = 53


def header_value(node: Node) -> str:
    """Text for an HTTP header; may be empty."""
    value = text(node)
    if not value.isascii():
        raise node.fail("text without accents or other characters outside ASCII")
    return value


def _bucket(written: str) -> str:
    if not _BUCKET.fullmatch(written):
        raise ValueError(
            'the name of a bucket, and a prefix after a slash if you want one, as in "evidence" or '
            '"evidence/shutwatch"'
        )
    return written


def _safe_origin(written: str) -> str:
    """An origin that is encrypted or on this machine; empty for other text."""
    found = split_url(written, ("https", "http"))
    more = found and (found.path.strip("/") or found.query or found.fragment)
    safe = found and (found.scheme == "https" or is_loopback(found.hostname or ""))
    if found is None or more or not safe or "@" in found.netloc or not written.isascii():
        return ""
    return f"{found.scheme}://{found.netloc.lower()}"


def _storage_url(written: str) -> str:
    if origin := _safe_origin(written):
        return origin
    raise ValueError(
        "https:// and the host of the service, without the bucket and without keys, as in "
        '"https://s3.example.org"; http:// on this machine alone'
    )


def _api_url(written: str) -> str:
    if origin := _safe_origin(written):
        return origin
    raise ValueError(
        'https:// and the host alone, as in "https://api.ooni.io"; http:// on this machine alone'
    )


def _page(written: str) -> PublicPage:
    found = public_page(written)
    if found is None:
        raise ValueError(
            'a post or account of X, or a video of YouTube: "https://x.com/name/status/123", '
            '"https://x.com/name" or "https://www.youtube.com/watch?v=…"'
        )
    return found


def _run_link(written: str) -> str:
    if not re.fullmatch(r"\d{1,20}", written, re.ASCII):
        raise ValueError('the number at the end of the link, as in "10042"')
    return written


def _resolver(written: str) -> Resolver:
    if written == "system":
        return Resolver()
    if "://" in written:
        return Resolver(url=_doh_url(written))
    try:
        return Resolver(address=_address(written), port=DNS_PORT)
    except ValueError:
        pass
    host, port = split_host_port(written, DNS_PORT)
    try:
        return Resolver(address=str(ip_address(host)), port=port)
    except ValueError:
        raise ValueError(
            '"system", the address of a resolver, not its name, as in "192.0.2.53", '
            '"192.0.2.53:5353" or "[2001:db8::53]:53", or "https://dns.example/dns-query"'
        ) from None


def _doh_url(written: str) -> str:
    found = _https_url(written)
    if "?" in found:
        raise ValueError("the URL of a DNS-over-HTTPS server without ? and what follows it")
    return found


def _listen(written: str) -> tuple[str, int]:
    port = written.removeprefix(":")
    if port.isdigit():
        raise ValueError("an address before the port", f'"127.0.0.1:{port}"')
    host, number = split_host_port(written, -1, lowest_port=0)
    if number < 0:
        raise ValueError("a port after the address", f'"{written}:10100"')
    return host, number


def split_url(written: str, schemes: Collection[str]) -> SplitResult | None:
    """The parts of a URL of one of these schemes that names a host; None for other text."""
    try:
        found = urlsplit(written)
        right = found.scheme in schemes and found.hostname and found.port != 0
    except ValueError:
        return None
    return found if right and written.isprintable() and " " not in written else None


def _public_url(written: str) -> str:
    found = split_url(written, ("http", "https"))
    if found is None or "@" in found.netloc or found.query or found.fragment:
        raise ValueError(
            'an http or https address without a password, as in "https://watch.example.org"'
        )
    return written.rstrip("/")


def _host_name(written: str) -> str:
    host = parse_host(written)
    if ":" in host or host.rpartition(".")[2].isdigit():
        raise ValueError("a name, not an address")
    return host


def _https_url(written: str) -> str:
    found = parse_endpoint(written)
    if found.kind is not EndpointKind.HTTPS:
        raise ValueError('an https:// address, as in "https://www.wikipedia.org/"')
    return found.id


def _address(written: str) -> str:
    """An IP address without a zone."""
    if "%" in written:
        raise ValueError("an IP address without %")
    try:
        return str(ip_address(written))
    except ValueError:
        raise ValueError('an IP address, as in "192.0.2.53" or "2001:db8::53"') from None


def _network(written: str) -> str:
    try:
        return str(ip_network(written))
    except ValueError:
        pass
    try:
        first = str(ip_network(written, strict=False))
    except ValueError:
        raise ValueError('a network in CIDR notation, as in "10.0.0.0/8"') from None
    raise ValueError("the first address of the network", f'"{first}"')


country = parsed(country_code)
resolver = parsed(_resolver)
"""`system`, an address with or without a port, or the URL of a DNS-over-HTTPS server."""
listen = parsed(_listen)
"""`host:port`; port 0 is any free port."""
optional_listen = optional(listen, ("", 0))
"""`host:port`; empty text is no address."""
public_url = optional(parsed(_public_url), "")
"""An http or https address without a final slash, or empty."""
server_url = parsed(_public_url)
"""An http or https address without a final slash."""
bucket = optional(parsed(_bucket), "")
"""A bucket of an S3-compatible service, with a prefix or without; or empty."""
storage_url = optional(parsed(_storage_url), "")
"""The origin of such a service: encrypted, unless it is on this machine; or empty."""
api_url = optional(parsed(_api_url), "")
"""The origin of another's API: encrypted, unless it is on this machine; or empty."""
run_link = optional(parsed(_run_link), "")
page = parsed(_page)
"""The number of an OONI Run link, or empty."""
database = parsed(database_url.checked)
"""The URL of a database that this version can use."""
address = parsed(_address)
"""An IP address in its canonical form."""
network = parsed(_network)
"""A network in CIDR notation."""
host_name = optional(parsed(_host_name), "")
"""A host name, or empty."""
https_url = parsed(_https_url)
"""The canonical form of an https address."""
