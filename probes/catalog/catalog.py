"""What is watched: Platform → Role → Endpoint, and the references that tell a vantage's health.

Facts about platforms are data (`catalog.toml`, read by `monitor.config.catalog`); these are
their types.
"""

from enum import StrEnum

import msgspec


class EndpointKind(StrEnum):
    """How an endpoint is reached."""

    HTTPS = "https"
    HTTP = "http"
    TLS = "tls"
    TCP = "tcp"
    DNS = "dns"
    STUN = "stun"
    """Over UDP: what calls ask for the way through a NAT."""


class Protocol(StrEnum):
    """What a tcp endpoint must answer in, beyond the handshake."""

    MTPROTO = "mtproto"
    """Telegram's."""


DEFAULT_PORTS = {
    EndpointKind.HTTPS: 443,
    EndpointKind.HTTP: 80,
    EndpointKind.TLS: 443,
    EndpointKind.STUN: 3478,
}


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
    """Statuses that mean it works; empty means any status from a verified peer does."""
    expect_body: str = ""
    """Text the body must contain; only references use it."""
    verify: bool = True
    """False records the certificate without judging it (services with a CA of their own)."""
    protocol: Protocol | None = None
    """For tcp: reached only when it answers in this protocol, not by the handshake alone."""

    @property
    def id(self) -> str:
        """Canonical text: the URL, `tls://host:443`, `tcp://host:port`, `stun:host:port` or
        `dns:name`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.kind is EndpointKind.DNS:
            return f"dns:{self.host}"
        if self.kind is EndpointKind.STUN:
            return f"stun:{host}:{self.port}"
        if self.kind in (EndpointKind.HTTPS, EndpointKind.HTTP):
            port = "" if self.port == DEFAULT_PORTS[self.kind] else f":{self.port}"
            return f"{self.kind}://{host}{port}{self.path}"
        return f"{self.kind}://{host}:{self.port}"


class Need(StrEnum):
    """How many endpoints of a role must work for the role to work."""

    ANY = "any"
    ALL = "all"


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What part of the platform: web, api, media, chat, links, calls."""

    name: str
    need: Need = Need.ANY
    core: bool = False
    """A blocked core role makes the platform blocked; any other makes it degraded."""
    canonical: bool = False
    """The first endpoint must work whatever the others do."""
    endpoints: tuple[Endpoint, ...]
    sample: int = 0
    """Pools: how many members a cycle looks at while all is well; 0 means every one."""
    transfer: tuple[Endpoint, ...] = ()
    """Objects of at least 64 KiB, https, to measure the speed of. Without any in the whole platform
    it is the first endpoint of its role web."""


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """A service people use. `owner` groups platforms (Meta)."""

    name: str
    title: str
    owner: str
    roles: tuple[Role, ...]
    default: bool = True
    """False: watched only when the configuration names it."""


class ReferenceScope(StrEnum):
    """Which way a reference proves to be open."""

    UPLINK = "uplink"
    """A captive-portal check: cleartext HTTP with a known answer."""
    INTERNATIONAL = "international"
    DOMESTIC = "domestic"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that tells the vantage's own health, never a platform's."""

    scope: ReferenceScope
    endpoint: Endpoint
    country: str = ""
    """For domestic references: the country whose vantages ask it."""


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """Everything there is to look at."""

    platforms: tuple[Platform, ...]
    references: tuple[Reference, ...] = ()

    def references_for(self, country: str) -> tuple[Reference, ...]:
        """The references a vantage in `country` asks: all but other countries' domestic ones."""
        return tuple(
            reference
            for reference in self.references
            if reference.scope is not ReferenceScope.DOMESTIC or reference.country == country
        )
