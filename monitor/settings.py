"""The frozen settings everything runs on. `monitor.config` makes them from a TOML file.

Durations are seconds as float. Every field here is a documented key of the file; docs/config.md
is tested against it.
"""

import msgspec

from monitor.analysis.fingerprint import Fingerprint
from monitor.fingerprints import shipped_fingerprints
from probes.catalog import Catalog
from probes.settings import ProbeSettings
from probes.vantage import VantagePoint


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[events]` table: when verdicts become an event."""

    confirm_cycles: int = 2
    """Blocked cycles of one network, out of `window`, that confirm."""
    window: int = 3
    """Last cycles of one network that count."""
    clear_cycles: int = 2
    """Clean cycles in a row after which a network counts as open again."""


class ThrottlingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[throttling]` table: when and how the speed of platforms is measured."""

    every: float = 3600.0
    """Seconds between two measurements of one object from one vantage; 0: none by the clock."""
    on_suspicion: bool = True
    """Measure at once when a look worked but took far longer than usual, or stopped half-way."""
    object_bytes: int = 128 * 1024
    """Bytes asked for of each object."""
    deadline: float = 10.0
    """Seconds after which what came is enough to know the rate."""
    reference: str = "https://www.wikipedia.org/"
    """Object elsewhere, for comparison."""


class VantageCheckSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[vantage_check]` table: whether vantages look from where they are said to."""

    mmdb: tuple[str, ...] = ()
    """Files in MaxMind's format that tell an address's country, its network, or both."""
    echo: tuple[str, ...] = ()
    """https URLs that answer with the address they saw, asked in turn until one does."""
    every: int = 12
    """Cycles of one vantage from one look at its exit to the next, while nothing is wrong."""
    siblings: tuple[tuple[int, ...], ...] = ()
    """AS numbers of one operator each, which count as one network."""


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
    throttling: ThrottlingSettings = ThrottlingSettings()
    events: EventSettings = EventSettings()
    vantage_check: VantageCheckSettings = VantageCheckSettings()
    log: LogSettings = LogSettings()
    vantages: tuple[VantagePoint, ...]
    catalog: Catalog
    """Only the platforms and references this configuration watches."""
    fingerprints: tuple[Fingerprint, ...] = msgspec.field(default_factory=shipped_fingerprints)
    """Block pages and filtering products that are known: the shipped ones, and those in the files
    that `[fingerprints]` names."""
    source: str = ""
    """Path of the file, or empty for the built-in defaults."""
