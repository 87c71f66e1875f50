"""The vantage point: where we measure from, and how packets leave it."""

from enum import StrEnum
from typing import TypedDict

import msgspec


class VantageRole(StrEnum):
    """Whether blocking may happen here (field) or not (control)."""

    FIELD = "field"
    CONTROL = "control"


class Profile(StrEnum):
    """How visible a vantage may be to an observer of its line."""

    NORMAL = "normal"
    QUIET = "quiet"
    """For hosts at risk: measurements spread over the interval, attempts far apart, no follow-ups.
    Evidence is weaker for it."""


class EgressKind(StrEnum):
    """How packets leave the vantage."""

    DIRECT = "direct"
    SOURCE = "source"
    INTERFACE = "interface"
    SOCKS5 = "socks5"
    CONNECT = "connect"


class Egress(msgspec.Struct, frozen=True, kw_only=True):
    """How packets leave: directly, bound to a source address or interface, or through a proxy."""

    kind: EgressKind = EgressKind.DIRECT
    source: str = ""
    """IP address to bind to when kind is source, or one of each family, separated by a comma."""
    interface: str = ""
    """Device name to bind to when kind is interface."""
    proxy_host: str = ""
    proxy_port: int = 0
    proxy_tls: bool = False
    """Whether the connection to the proxy is encrypted."""
    proxy_pin: str = ""
    """SHA-256 of the certificate that the proxy must show, 64 hexadecimal digits; empty: one for
    its name, from a public authority."""
    username: str = ""
    password: str = ""

    @property
    def proxied(self) -> bool:
        """True when a proxy makes the connections, which hides DNS and TCP from us."""
        return self.kind in (EgressKind.SOCKS5, EgressKind.CONNECT)

    def __repr__(self) -> str:
        """Without credentials, because representations appear in logs."""
        tls = "+tls" if self.proxy_tls else ""
        shown = {
            EgressKind.SOURCE: ":(address)",
            EgressKind.INTERFACE: f":{self.interface}",
            EgressKind.SOCKS5: f"{tls}://{self.proxy_host}:{self.proxy_port}",
            EgressKind.CONNECT: f"{tls}://{self.proxy_host}:{self.proxy_port}",
        }
        return f"Egress({self.kind}{shown.get(self.kind, '')})"


class Resolver(msgspec.Struct, frozen=True, kw_only=True):
    """The resolver of a vantage: the system's (all empty), one by address, or one over HTTPS."""

    address: str = ""
    port: int = 53
    url: str = ""
    """URL of a DNS-over-HTTPS server (RFC 8484); address and port are then unused."""

    @property
    def system(self) -> bool:
        """True when the machine's own configuration names the resolvers."""
        return not (self.address or self.url)


class Origin(TypedDict):
    """The fields in which measurements and verdicts name their vantage."""

    vantage: str
    country: str
    asn: int
    network: str
    vantage_role: str


class VantagePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where we measure from. It never holds the vantage's public address."""

    id: str
    country: str
    """ISO 3166-1 alpha-2; ZZ when not configured."""
    asn: int = 0
    """AS number; 0 when not configured."""
    network: str = ""
    role: VantageRole = VantageRole.FIELD
    egress: Egress = Egress()
    resolver: Resolver = Resolver()
    profile: Profile = Profile.NORMAL

    @property
    def origin(self) -> Origin:
        """This vantage, as measurements and verdicts name it."""
        return Origin(
            vantage=self.id,
            country=self.country,
            asn=self.asn,
            network=self.network,
            vantage_role=self.role.value,
        )
