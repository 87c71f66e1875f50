"""The frozen settings of the prober."""

import msgspec


class ProbeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[probe]` table."""

    dns_timeout: float = 4.0
    tcp_timeout: float = 10.0
    tls_timeout: float = 10.0
    http_timeout: float = 10.0
    rate: int = 20
    """Probe starts per second and process."""
    concurrency: int = 100
    """Looks under way at once."""
    dns_window: float = 1.0
    """How long to listen on after the first answer for a second, injected one."""
    retries: int = 2
    """How often a failed look is repeated in the same cycle."""
    retry_pause: float = 2.0
    """Pause before each repeat."""
    max_addresses: int = 4
    """How many addresses of each family are tried."""
    body_limit: int = 16 * 1024
    """Bytes read of a healthy body."""
    suspicious_body_limit: int = 512 * 1024
    """Bytes read of a suspicious body."""
    quic_share: float = 0.1
    """Share of the looks, 0 to 1, that ask over HTTP/3 as well where it is offered."""
    daily_bytes: int = 300_000_000
    """Bytes that a vantage uses at most in one day, UTC."""
    trust_anchors: tuple[str, ...] = ()
    """Extra PEM files trusted beside the system's."""
    bogon_allow: tuple[str, ...] = ()
    """Networks in CIDR notation never to call bogon."""
    open_resolvers: tuple[str, ...] = ("8.8.8.8", "1.1.1.1", "9.9.9.9")
    doh_resolvers: tuple[str, ...] = (
        "https://dns.google/dns-query",
        "https://cloudflare-dns.com/dns-query",
    )
    """URLs (RFC 8484) that are asked beside the open resolvers."""
    innocuous: str = "www.example.com"
    """A server name nobody blocks and most servers refuse politely, said to a platform's own
    address, for comparison; empty: none."""
    user_agent: str = ""
    """Empty: what a current browser sends."""
