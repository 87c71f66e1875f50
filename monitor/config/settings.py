"""The frozen settings that all programs run on, made by `monitor.config.load` from a TOML file.

Durations are seconds as float. Every field is a documented key of the file: docs/config.md is
tested against it.
"""

from math import inf

import msgspec

from monitor.analysis.events.settings import EventSettings
from monitor.analysis.judge.fingerprint import Fingerprint
from monitor.config.fingerprints import shipped_fingerprints
from monitor.keys.passwords import User
from monitor.logs import LogSettings
from monitor.notify.settings import NotifySettings
from monitor.sources.terms import TERMS, SourceKind
from monitor.wire.catalog_proof import CatalogProof
from probes.catalog.catalog import Catalog
from probes.catalog.public_pages import PublicPage
from probes.settings import ProbeSettings
from probes.vantage import VantagePoint, VantageRole
from storage.values.archive_place import NO_ARCHIVE, ArchivePlace

COLLECTED_AGREEMENT = 2
"""Default of `events.agreement` for a collector."""


class ThrottlingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[throttling]` table: when and how the speed of platforms is measured."""

    every: float = 3600.0
    """Seconds between two measurements of one object from one vantage; 0: only on suspicion."""
    on_suspicion: bool = True
    """Measure at once when a test worked but took far longer than usual, or stopped half-way."""
    object_bytes: int = 128 * 1024
    """Bytes to download of each object."""
    deadline: float = 10.0
    """Seconds after which a download stops; what arrived gives the rate."""
    reference: str = "https://www.wikipedia.org/"
    """Object at another site, for comparison."""


class VantageCheckSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[vantage_check]` table: whether vantages are in the network they claim."""

    mmdb: tuple[str, ...] = ()
    """Files in MaxMind's format that map an address to its country, its network, or both."""
    echo: tuple[str, ...] = ()
    """https URLs that answer with the client's address; the first that answers is used."""
    every: int = 12
    """Cycles of one vantage between two checks of its exit, while nothing is wrong."""
    siblings: tuple[tuple[int, ...], ...] = ()
    """Groups of AS numbers of one operator, each of which counts as one network."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[server]` table: who may read the page, the metrics and the API."""

    users: tuple[User, ...] = ()
    """People who may sign in."""
    editors: tuple[str, ...] = ()
    """Names of the users who may act on the page; the others may only view it."""
    tokens: tuple[str, ...] = ()
    """SHA-256 digests of the tokens that programs may sign in with."""
    public: bool = False
    """Whether everybody may read, in no finer detail than a network."""
    public_delay: float = 3600.0
    """Seconds until everybody may read a measurement."""
    public_bucket: float = 300.0
    """Seconds of the buckets into which the times of public measurements are put."""
    proxies: tuple[str, ...] = ("127.0.0.1/32", "::1/128")
    """Addresses and networks of proxies in front, which say where a request comes from."""
    reload: bool = False
    """Whether operators may reload the configuration by `POST /-/reload`."""

    @property
    def guarded(self) -> bool:
        """Whether some readers see less than everything."""
        return bool(self.users or self.tokens or self.public)


class CollectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[collector]` table: the listener for agents, and their limits.

    A limit is that of one process and holds from its start.
    """

    listen: tuple[str, int] = ("", 0)
    """Address and port for agents; without an address agents are not served."""
    certificate: str = ""
    """PEM file of the certificate and its chain; empty: no TLS."""
    certificate_key: str = ""
    """PEM file of its key."""
    behind_proxy: bool = False
    """Whether a proxy in front speaks TLS, so that no certificate is needed."""
    urls: tuple[str, ...] = ()
    """Where agents reach the collectors: origins, `https://` and a host. Invitations name them."""
    batches_per_minute: int = 120
    """Batches of one vantage; also the burst allowed."""
    controls_per_minute: int = 240
    """Requests of one vantage for control measurements; also the burst allowed."""
    hourly_bytes: int = 200_000_000
    """Unpacked bytes of one vantage's batches; also the burst allowed."""
    requests_at_once: int = 64
    """Concurrent requests of all vantages."""
    orders_key: str = ""
    """File of the key that signs answers to agents; empty: next to the database."""
    paused: tuple[str, ...] = ()
    """Vantages that must measure nothing."""
    control_wait: float = -1.0
    """Seconds that a failure waits, from its reception, for a control measurement; negative: two
    intervals."""
    order_wait: float = 10.0
    """Seconds after its end for which a cycle waits for others that ended before it."""


class RetentionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[retention]` table: how long data is kept. Infinite means forever."""

    raw: float = 90 * 86400.0
    """Seconds that measurements, verdicts and the health of vantages are kept in the database."""
    hourly: float = inf
    """Seconds that hourly availability is kept."""


class TimestampSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[timestamps]` table: who proves since when reports and the append-only log exist."""

    authorities: tuple[str, ...] = ()
    """URLs of time authorities (RFC 3161)."""
    calendars: tuple[str, ...] = ()
    """URLs of calendars of OpenTimestamps, without a final slash."""
    roots: tuple[str, ...] = ()
    """PEM files; a reply must lead to one of their certificates. Empty: replies are kept unchecked,
    for readers to check."""
    every: float = 86400.0
    """Seconds between two stamps of the log's head."""


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[source]]`: measurements of others that are followed."""

    kind: SourceKind
    countries: tuple[str, ...]
    """Countries watched through it."""
    platforms: tuple[str, ...] = ()
    """Empty: all that are watched."""
    beside: tuple[str, ...] = ()
    """Countries asked for too, to compare with: what fails there as well is no block."""
    budget: int = 1000
    """Units of the source's quota that may be used in an hour."""
    every: float = 600.0
    """Seconds between two polls."""
    run_link: str = ""
    """Number of the OONI Run link whose measurements alone are followed; empty: everybody's."""
    token: str = ""
    """Token or key of the account that probes are asked with; empty: none."""
    probes: int = 6
    """Probes in a country that are asked at once, at most."""
    url: str = ""
    """Origin of its API, without a final slash; empty: the public one."""

    @property
    def api(self) -> str:
        """Origin of the API that is asked."""
        return self.url or TERMS[self.kind].api


class WithheldSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `[withheld]` table: pages that a platform may withhold in a country."""

    pages: tuple[PublicPage, ...] = ()
    """Posts, accounts and videos that are looked at; empty: none."""
    every: float = 21600.0
    """Seconds between two tests of all of them."""


class AgentSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The `[agent]` table: where an agent sends its measurements, and what it keeps until then."""

    collectors: tuple[str, ...]
    """Origins, `https://` and a host; the agent uses any of them."""
    collector_key: str
    """The collectors' public key, base64 of 32 bytes."""
    sealing_key: str
    """The key that batches are sealed to for the collectors, base64 of 32 bytes."""
    catalog_keys: tuple[str, ...] = ()
    """Fingerprints of offline keys whose catalogues the host trusts: 64 hexadecimal digits each."""
    addresses_of_controls: bool = False
    """Whether what fails is tested too at addresses that only collectors name."""
    key: str = "agent-key.pem"
    """File of the agent's key, relative to the folder of the configuration file."""
    spool: str = "spool.db"
    """File of what no collector has acknowledged yet, relative to the same folder."""
    spool_limit: int = 200_000_000
    """Largest size of the spool in bytes."""
    proxy: str = ""
    """URL of the proxy to send through; empty: none."""
    trust_anchors: tuple[str, ...] = ()
    """PEM files that collectors are trusted by, in place of the system's; empty: the system's."""


LISTEN = ("127.0.0.1", 10100)
"""Where the page is served by default."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One complete, checked configuration."""

    interval: float = 300.0
    """Seconds between the starts of two cycles of one vantage."""
    jitter: float = -1.0
    """Seconds by which a cycle's start varies at random; negative: a tenth of the interval."""
    database: str = "sqlite:///shutwatch.db"
    """SQLAlchemy URL."""
    signing_key: str = ""
    """File of the key that signs reports; empty: next to the database."""
    listen_host: str = LISTEN[0]
    listen_port: int = LISTEN[1]
    public_url: str = ""
    """URL that people reach the page at, without a final slash; empty: none."""
    runbooks_url: str = ""
    """URL that people reach the runbooks at, without a final slash; empty: at the page."""
    probe: ProbeSettings = ProbeSettings()
    throttling: ThrottlingSettings = ThrottlingSettings()
    events: EventSettings = EventSettings()
    vantage_check: VantageCheckSettings = VantageCheckSettings()
    retention: RetentionSettings = RetentionSettings()
    archive: ArchivePlace = NO_ARCHIVE
    """Where raw data goes that `retention` no longer keeps in the database."""
    timestamps: TimestampSettings = TimestampSettings()
    log: LogSettings = LogSettings()
    server: ServerSettings = ServerSettings()
    collector: CollectorSettings = CollectorSettings()
    notify: NotifySettings = NotifySettings()
    sources: tuple[SourceSettings, ...] = ()
    """Whose measurements are followed beside our own."""
    withheld: WithheldSettings = WithheldSettings()
    vantages: tuple[VantagePoint, ...]
    catalog: Catalog
    """Only the platforms and references that this configuration measures."""
    catalog_text: str = ""
    """Text of the operator's own catalogue file, which agents get too."""
    catalog_proof: CatalogProof | None = None
    """Its signatures, from the file beside it; None where there is no such file."""
    fingerprints: tuple[Fingerprint, ...] = msgspec.field(default_factory=shipped_fingerprints)
    """Known block pages and filtering products: the shipped ones, and those in the files that
    `[fingerprints]` names."""
    agent: AgentSetup | None = None
    """None in every file but an agent's."""
    chosen: bool = False
    """Whether the file names the platforms to measure."""
    source: str = ""
    """Path of the file; empty for the built-in settings."""

    @property
    def may_have_controls(self) -> bool:
        """Whether there may be a control vantage; enrolled agents may be controls too."""
        configured = any(one.role is VantageRole.CONTROL for one in self.vantages)
        return configured or bool(self.collector.listen[0])

    @property
    def runbooks_at(self) -> str:
        """URL of the runbooks, without a final slash: that of another place, else of the page, else
        of what this process listens at, as this machine reaches it."""
        host = "127.0.0.1" if self.listen_host in ("0.0.0.0", "::") else self.listen_host  # noqa: S104
        page = self.public_url or f"http://{host_port(host, self.listen_port)}"
        return self.runbooks_url or f"{page}/runbooks"

    @property
    def listened_at(self) -> str:
        """URL of what this process listens at, without a final slash."""
        return f"http://{host_port(self.listen_host, self.listen_port)}"


def host_port(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
