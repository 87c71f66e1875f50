"""The frozen settings everything runs on. `monitor.config.load` makes them from a TOML file.

Durations are seconds as float. Every field here is a documented key of the file; docs/config.md
is tested against it.
"""

from math import inf

import msgspec

from monitor.analysis.events.settings import EventSettings
from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.config.fingerprints import shipped_fingerprints
from monitor.keys.passwords import User
from monitor.logs import LogSettings
from monitor.notify.settings import NotifySettings
from probes.catalog.catalog import Catalog
from probes.settings import ProbeSettings
from probes.vantage import VantagePoint

COLLECTED_AGREEMENT = 2
"""Vantages whose agreement is asked for where agents hand in, unless it is set."""


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


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[server]` table: who may see the page, the metrics and the interface."""

    users: tuple[User, ...] = ()
    """Who may look, with a password."""
    tokens: tuple[str, ...] = ()
    """SHA-256 digests of the tokens that let a program look."""
    public: bool = False
    """Whether anybody may read, nothing finer than a network."""
    reload: bool = False
    """Whether operators may have the configuration read again by `POST /-/reload`."""

    @property
    def guarded(self) -> bool:
        """Whether not everybody sees everything."""
        return bool(self.users or self.tokens or self.public)


class CollectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[collector]` table: where agents hand in, and how much each may. Limits are those of one
    process, and hold from its start."""

    listen: tuple[str, int] = ("", 0)
    """Address and port for agents; no address: they are not served."""
    certificate: str = ""
    """PEM file of the certificate and those it rests on; empty: no TLS."""
    certificate_key: str = ""
    """PEM file of its key."""
    behind_proxy: bool = False
    """Whether a proxy in front speaks TLS, so that other addresses are fine without."""
    batches_per_minute: int = 120
    """Of one vantage; as many at once."""
    controls_per_minute: int = 240
    """Requests of one vantage for control looks; as many at once."""
    hourly_bytes: int = 200_000_000
    """Of one vantage's batches, unpacked; as many at once."""
    requests_at_once: int = 64
    """Of all vantages."""
    paused: tuple[str, ...] = ()
    """Vantages that are to look at nothing."""
    control_wait: float = -1.0
    """Seconds after its reception for which a failure waits for a control to look; negative: two
    intervals."""


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[retention]` table: how long what is stored is kept. Infinite is for ever."""

    raw: float = 90 * 86400.0
    """Seconds for measurements, verdicts and the health of vantages."""
    hourly: float = inf
    """Seconds for availability by the hour."""


class AgentSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The `[agent]` table: to whom an agent hands in what it saw, and what it keeps till then."""

    collectors: tuple[str, ...]
    """`https://` and a name each; any of them will do."""
    collector_key: str
    """Public half of the collectors' key, base64 of 32 bytes."""
    key: str = "agent-key.pem"
    """File of the agent's own key, from the folder of the configuration file."""
    spool: str = "spool.db"
    """File of what nobody has acknowledged yet, from the same folder."""
    spool_limit: int = 200_000_000
    """Bytes."""
    proxy: str = ""
    """URL of the proxy to hand in through; empty: none."""
    trust_anchors: tuple[str, ...] = ()
    """Extra PEM files for the collectors' certificates."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One whole configuration, checked."""

    interval: float = 300.0
    """Seconds between the starts of two cycles of one vantage."""
    jitter: float = -1.0
    """Seconds by which a cycle's start is varied at random; negative: a tenth of the interval."""
    database: str = "sqlite:///shutwatch.db"
    """SQLAlchemy URL."""
    signing_key: str = ""
    """File of the key that signs reports and answers to agents; empty: beside the database."""
    listen_host: str = "127.0.0.1"
    listen_port: int = 10100
    public_url: str = ""
    """Where people reach the page from outside, without a slash at its end; empty: nowhere."""
    probe: ProbeSettings = ProbeSettings()
    throttling: ThrottlingSettings = ThrottlingSettings()
    events: EventSettings = EventSettings()
    vantage_check: VantageCheckSettings = VantageCheckSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    server: ServerSettings = ServerSettings()
    collector: CollectorSettings = CollectorSettings()
    notify: NotifySettings = NotifySettings()
    vantages: tuple[VantagePoint, ...]
    catalog: Catalog
    """Only the platforms and references this configuration watches."""
    catalog_text: str = ""
    """What stands in the operator's own catalogue file, for agents to read as well."""
    fingerprints: tuple[Fingerprint, ...] = msgspec.field(default_factory=shipped_fingerprints)
    """Block pages and filtering products that are known: the shipped ones, and those in the files
    that `[fingerprints]` names."""
    agent: AgentSetup | None = None
    """Only an agent's file has it."""
    chosen: bool = False
    """Whether the file itself names the platforms to watch."""
    source: str = ""
    """Path of the file, or empty for the built-in defaults."""
