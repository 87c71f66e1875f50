"""Values that nobody has put in yet: names and addresses that are set apart for examples.

RFC 2606 and 6761 set names apart for documentation, RFC 5737 and 3849 addresses, RFC 5398 the
numbers of networks. None of them ever works, so one that is left in a file was forgotten.
"""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from monitor.config.settings import Settings
from monitor.wording.findings import Finding, What
from storage import url as database_url

_NAMES = re.compile(r"(?:^|\.)(?:example|example\.(?:com|net|org|edu)|invalid)\.?$", re.IGNORECASE)
_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    )
)
_NUMBERS = (range(64496, 64512), range(65536, 65552))
_KEYS = (
    "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
    "bXMzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
)
"""The collectors' keys in the example of an agent's file."""


def placeholders(settings: Settings) -> Iterator[Finding]:
    """One for each setting whose value is an example's. Values that may hold a password are cut to
    the host in them, and of an address, which may be a vantage's own, only its range is told."""
    for key, value in _values(settings):
        host = _host(value) if "://" in value else value
        if host and is_placeholder(host):
            yield Finding(what=What.PLACEHOLDER, values={"key": key, "value": _range(host) or host})
    for vantage in settings.vantages:
        if any(vantage.asn in numbers for numbers in _NUMBERS):
            yield Finding(
                what=What.PLACEHOLDER,
                values={"key": f"asn of {vantage.id}", "value": str(vantage.asn)},
            )


def is_placeholder(host: str) -> bool:
    """Whether a name, an address or a public key stands in examples only."""
    return bool(_NAMES.search(host)) or host in _KEYS or bool(_range(host))


def _host(url: str) -> str:
    """The host in a URL. A password before it may hold any character, also what ends a host."""
    scheme, _, rest = url.partition("://")
    try:
        return urlsplit(f"{scheme}://{rest.rpartition('@')[2]}").hostname or ""
    except ValueError:
        return ""


def _range(host: str) -> str:
    """The range set apart for examples in which an address lies; empty for anything else."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return next((str(network) for network in _NETWORKS if address in network), "")


def _values(settings: Settings) -> Iterator[tuple[str, str]]:
    """What people write themselves, with its key. The catalogue is no part of it: it names an
    innocuous site on purpose."""
    for vantage in settings.vantages:
        egress = vantage.egress
        yield f"egress of {vantage.id}", egress.proxy_host
        for source in egress.source.split(","):
            yield f"egress of {vantage.id}", source
        yield f"resolver of {vantage.id}", vantage.resolver.url or vantage.resolver.address
    yield "public_url", settings.public_url
    yield "runbooks_url", settings.runbooks_url
    if database_url.is_postgresql(settings.database):
        yield "database", settings.database
    yield "notify.ping_url", settings.notify.ping_url
    for route in settings.notify.route:
        for target in route.urls:
            yield f"an address of notify.route {route.name}", target.url
    for url in settings.vantage_check.echo:
        yield "vantage_check.echo", url
    for url in (*settings.timestamps.authorities, *settings.timestamps.calendars):
        yield "timestamps", url
    for followed in settings.sources:
        yield f"url of source {followed.kind}", followed.url
    yield "archive.endpoint", settings.archive.endpoint
    if settings.agent is not None:
        for origin in settings.agent.collectors:
            yield "agent.collectors", origin
        yield "agent.collector_key", settings.agent.collector_key
        yield "agent.sealing_key", settings.agent.sealing_key
        yield "agent.proxy", settings.agent.proxy
