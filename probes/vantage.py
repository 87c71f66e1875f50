"""The vantage point: where we look from, and by which way out."""

from enum import StrEnum

import msgspec


class VantageRole(StrEnum):
    """Whether blocking may happen here (field) or not (control)."""

    FIELD = "field"
    CONTROL = "control"


class Profile(StrEnum):
    """How much a vantage may stand out to whoever watches its line."""

    NORMAL = "normal"
    QUIET = "quiet"
    """For hosts at risk: looks spread over the interval, repeats far apart, no follow-up that no
    ordinary visitor would cause; evidence is weaker for it."""


class EgressKind(StrEnum):
    """How packets leave the vantage."""

    DIRECT = "direct"
    SOURCE = "source"
    INTERFACE = "interface"
    SOCKS5 = "socks5"
    CONNECT = "connect"


class Egress(msgspec.Struct, frozen=True, kw_only=True):
    """One way out: direct, bound to a source address or an interface, or through a proxy."""

    kind: EgressKind = EgressKind.DIRECT
    source: str = ""
    """IP address to bind to, when kind is source; or one of each family, comma between."""
    interface: str = ""
    """Device name to bind to, when kind is interface."""
    proxy_host: str = ""
    proxy_port: int = 0
    username: str = ""
    password: str = ""

    @property
    def proxied(self) -> bool:
        """True when a proxy makes the connections, so that DNS and TCP are out of our sight."""
        return self.kind in (EgressKind.SOCKS5, EgressKind.CONNECT)

    def __repr__(self) -> str:
        """Without credentials: representations end up in logs."""
        shown = {
            EgressKind.SOURCE: ":(address)",
            EgressKind.INTERFACE: f":{self.interface}",
            EgressKind.SOCKS5: f"://{self.proxy_host}:{self.proxy_port}",
            EgressKind.CONNECT: f"://{self.proxy_host}:{self.proxy_port}",
        }
        return f"Egress({self.kind}{shown.get(self.kind, '')})"


class Resolver(msgspec.Struct, frozen=True, kw_only=True):
    """The resolver a vantage asks: the system's (all empty), one by address, or one over HTTPS."""

    address: str = ""
    port: int = 53
    url: str = ""
    """Of a DNS-over-HTTPS server (RFC 8484); address and port then mean nothing."""

    @property
    def system(self) -> bool:
        """True when the machine's own configuration names the resolvers."""
        return not (self.address or self.url)


class VantagePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where we look from. It never holds the vantage's public address."""

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
