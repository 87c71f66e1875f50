"""The frozen settings everything runs on. `monitor.config` makes them from a TOML file.

Durations are seconds as float. Every field here is a documented key of the file; docs/config.md
is tested against it.
"""

import msgspec

from probes.catalog import Catalog
from probes.vantage import VantagePoint


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
    trust_anchors: tuple[str, ...] = ()
    """Extra PEM files trusted beside the system's."""
    bogon_allow: tuple[str, ...] = ()
    """Networks in CIDR notation never to call bogon."""
    open_resolvers: tuple[str, ...] = ("8.8.8.8", "1.1.1.1", "9.9.9.9")
    user_agent: str = ""
    """Empty: what a current browser sends."""


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[events]` table: when verdicts become an event."""

    confirm_cycles: int = 2
    """Blocked cycles of one network, out of `window`, that confirm."""
    window: int = 3
    """Last cycles of one network that count."""
    clear_cycles: int = 2
    """Clean cycles in a row after which a network counts as open again."""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[log]` table."""

    level: str = "info"
    format: str = "auto"
    """`json`, `text`, or `auto`: text on a terminal."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One whole configuration, checked."""

    interval: float = 300.0
    """Seconds between the starts of two cycles of one vantage."""
    jitter: float = -1.0
    """Seconds by which a cycle's start is varied at random; negative: a tenth of the interval."""
    database: str = "sqlite:///shutwatch.db"
    """SQLAlchemy URL."""
    listen_host: str = "127.0.0.1"
    listen_port: int = 10100
    probe: ProbeSettings = ProbeSettings()
    events: EventSettings = EventSettings()
    log: LogSettings = LogSettings()
    vantages: tuple[VantagePoint, ...]
    catalog: Catalog
    """Only the platforms and references this configuration watches."""
    source: str = ""
    """Path of the file, or empty for the built-in defaults."""
