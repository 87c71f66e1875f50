"""Which hosts a control may be asked for: those that the catalogue tests."""

from collections.abc import Iterator

from probes.catalog.catalog import Catalog, Endpoint
from probes.catalog.endpoint_kinds import DATAGRAM_KINDS, EndpointKind
from probes.catalog.host import is_literal

_WEB = (80, 443)
_DOORS = ("", "www.", "m.", "mobile.")
"""What sites put before their name; one of these redirects to another."""
_SHORT = 3
"""Letters of the label before a country's, as in co.uk, where the site has one label more."""

Place = tuple[str, int]
"""Host name or address, and port."""


def admitted(catalog: Catalog) -> frozenset[Place]:
    """All that the catalogue's endpoints and references name, by TCP, and the other usual names of
    the same sites, to which they redirect."""
    return frozenset(_listed(catalog))


def _listed(catalog: Catalog) -> Iterator[Place]:
    for endpoint in _endpoints(catalog):
        if endpoint.kind in DATAGRAM_KINDS or endpoint.kind is EndpointKind.DNS:
            continue  # a proxy carries TCP alone
        host = endpoint.host.rstrip(".").lower()
        yield host, endpoint.port
        if not is_literal(host):
            yield from ((door + _site(host), port) for door in _DOORS for port in _WEB)


def _endpoints(catalog: Catalog) -> Iterator[Endpoint]:
    for platform in catalog.platforms:
        for function in platform.functions:
            yield from function.endpoints
            yield from function.transfer
    yield from (reference.endpoint for reference in catalog.references)


def _site(host: str) -> str:
    labels = host.split(".")
    public = len(labels) > 1 and len(labels[-1]) == 2 and len(labels[-2]) <= _SHORT  # a country's
    return ".".join(labels[-3 if public else -2 :])
