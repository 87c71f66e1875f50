"""What is measured: Platform → Function → Endpoint, and the references of a vantage's health.

Facts about platforms are data (`catalog.toml`, read by `monitor.config.catalog`). These are their
types.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from probes.catalog.endpoint_kinds import DATAGRAM_KINDS, DEFAULT_PORTS, EndpointKind, Protocol


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to reach."""

    kind: EndpointKind
    host: str
    """Host name (IDNA A-label) or IP address, without brackets."""
    port: int
    """0 for dns."""
    path: str = "/"
    """Path and query, for http and https."""
    expect_status: tuple[int, ...] = ()
    """Statuses that mean it works; empty: any status from a verified peer."""
    expect_body: str = ""
    """Text that the body must contain; only references use it."""
    verify: bool = True
    """False records the certificate without judging it."""
    protocol: Protocol | None = None
    """For tcp: reached only when it answers in this protocol; the handshake alone is not enough."""

    @property
    def id(self) -> str:
        """Canonical text: the URL, `tls://host:443`, `tcp://host:port`, `stun:host:port`,
        `ntp:host:port` or `dns:name`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.kind is EndpointKind.DNS:
            return f"dns:{self.host}"
        if self.kind in DATAGRAM_KINDS:
            return f"{self.kind}:{host}:{self.port}"
        if self.kind in (EndpointKind.HTTPS, EndpointKind.HTTP):
            port = "" if self.port == DEFAULT_PORTS[self.kind] else f":{self.port}"
            return f"{self.kind}://{host}{port}{self.path}"
        return f"{self.kind}://{host}:{self.port}"


class Need(StrEnum):
    """How many endpoints of a function must work for the function to work."""

    ANY = "any"
    """One: only where applications fall back from one to the other."""
    ALL = "all"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoints of a function that serve the same people: a data centre. Nobody's application
    leaves its group for another one."""

    name: str
    endpoints: tuple[str, ...]
    """Their ids."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """What people do with the platform: open its website, send messages, see pictures, call."""

    name: str
    need: Need | int = Need.ANY
    """How many endpoints must work, in each group where there are groups; a number: so many."""
    core: bool = False
    """A blocked core function makes the platform blocked; any other function makes it degraded."""
    canonical: bool = False
    """The first endpoint must work, whatever the others do: they only inform."""
    endpoints: tuple[Endpoint, ...]
    groups: tuple[Group, ...] = ()
    """Empty, or all endpoints in groups."""
    sample: int = 0
    """Pools: number of members, of each group, a cycle measures while all work; 0: every one."""
    transfer: tuple[Endpoint, ...] = ()
    """https objects of at least 64 KiB to measure the speed of. If the platform has none, the first
    endpoint of its function web is used."""

    @property
    def pools(self) -> tuple[tuple[Endpoint, ...], ...]:
        """The endpoints, those of each group apart."""
        if not self.groups:
            return (self.endpoints,)
        return tuple(
            tuple(one for one in self.endpoints if one.id in group.endpoints)
            for group in self.groups
        )


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """A service people use. `owner` groups platforms (Meta)."""

    name: str
    title: str
    owner: str
    functions: tuple[Function, ...]
    default: bool = True
    """False: measured only when the configuration names it."""


class ReferenceScope(StrEnum):
    """The part of the network that a reference tests."""

    UPLINK = "uplink"
    """A captive-portal check: cleartext HTTP with a known answer."""
    INTERNATIONAL = "international"
    """Abroad, and nothing that a list of sites to spare would name."""
    POPULAR = "popular"
    """Abroad, and likely on such a list. What the two kinds show differs where one is in force."""
    ADDRESS = "address"
    """Abroad, by literal address: whether connections are made where names do not resolve."""
    DOMESTIC = "domestic"
    UDP = "udp"
    """Shows whether UDP gets out at all, before anybody is accused of blocking calls. It says
    nothing about the vantage's health: many networks that are well let no UDP out."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that shows the vantage's own health, never a platform's."""

    scope: ReferenceScope
    endpoint: Endpoint
    country: str = ""
    """For domestic references: the country whose vantages measure it."""


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs certificates of one domain besides the authorities that browsers trust."""

    domain: str
    """Itself and all names below it; an A-label."""
    certificates: str
    """Its root certificates, PEM."""


def certificates_for(host: str, authorities: Iterable[Authority]) -> str:
    """The root certificates (PEM) to trust for a name besides those that browsers trust; of several
    domains the smallest decides."""
    within = [one for one in authorities if f".{host}".endswith(f".{one.domain}")]
    return max(within, key=lambda one: len(one.domain)).certificates if within else ""


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    platforms: tuple[Platform, ...]
    references: tuple[Reference, ...] = ()
    authorities: tuple[Authority, ...] = ()
    ordered: frozenset[str] = frozenset()
    """Ids of the endpoints that are here by an order alone: they reach public addresses only, and
    within `probes.measure.ordered_addresses`."""

    def references_for(self, country: str) -> tuple[Reference, ...]:
        """The references of a vantage in `country`: all but other countries' domestic ones."""
        return tuple(
            reference
            for reference in self.references
            if reference.scope is not ReferenceScope.DOMESTIC or reference.country == country
        )
