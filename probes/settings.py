"""The settings of the prober."""

import msgspec

FOLLOW_UP_DEADLINE = 20.0
"""Seconds after which unanswered questions of a follow-up are given up."""
VANTAGES_AT_ONCE = 5
"""Times the rate and the concurrency of one vantage that the process starts and runs at most. At
the shipped rate that is a third of a processor core."""


class ProbeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[probe]` table."""

    dns_timeout: float = 4.0
    tcp_timeout: float = 10.0
    tls_timeout: float = 10.0
    http_timeout: float = 10.0
    rate: int = 20
    """Measurements started per second at each vantage."""
    concurrency: int = 100
    """Measurements that run at the same time at each vantage."""
    dns_window: float = 1.0
    """Seconds to listen for a second, injected answer after the first."""
    retries: int = 2
    """Further attempts in the same cycle after a failed measurement."""
    retry_pause: float = 2.0
    """Seconds before each further attempt."""
    max_addresses: int = 4
    """Addresses of each family that are tried."""
    body_limit: int = 16 * 1024
    """Bytes read of a healthy body."""
    suspicious_body_limit: int = 512 * 1024
    """Bytes read of a suspicious body."""
    quic_share: float = 0.1
    """Share of the measurements, 0 to 1, that test HTTP/3 as well where it is offered."""
    daily_bytes: int = 300_000_000
    """Most bytes that a vantage uses in one day, UTC."""
    trust_anchors: tuple[str, ...] = ()
    """PEM files of roots to trust in addition to Mozilla's."""
    bogon_allow: tuple[str, ...] = ()
    """Networks in CIDR notation that are no bogons here."""
    open_resolvers: tuple[str, ...] = ("8.8.8.8", "1.1.1.1", "9.9.9.9")
    doh_resolvers: tuple[str, ...] = (
        "https://dns.google/dns-query",
        "https://cloudflare-dns.com/dns-query",
    )
    """URLs (RFC 8484) that follow-ups ask in addition to the open resolvers."""
    innocuous: str = "www.example.com"
    """A server name that nobody blocks, sent to a platform's own address for comparison; empty:
    none."""
    user_agent: str = ""
    """The User-Agent header; empty: that of a current browser."""
