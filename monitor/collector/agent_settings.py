"""The settings that agents get: the part of the collector's configuration that concerns them."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.config.settings import Settings
from monitor.export.public_view import earlier
from monitor.wire.answers import AgentSettings
from probes.measurement import DnsObservation, Measurement
from storage.store import FleetStore

KNOWN_FOR = 10.0
"""Seconds for which the newest measurements of controls are not read again."""
LOOK_BACK = timedelta(hours=1)
"""Measurements of controls older than this, and than four intervals, say nothing about now."""
_INTERVALS = 4
_BUCKET = 300.0
"""Seconds."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder(order="deterministic").encode


class SettingsForAgents:
    """Settings for agents, made of the settings in use."""

    def __init__(
        self,
        store: FleetStore,
        settings: Callable[[], Settings],
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        """`settings` gives those in use, `now` the time (UTC), `clock` seconds."""
        self._store = store
        self._settings = settings
        self._now = now
        self._clock = clock
        self._known: Sequence[Measurement] = ()
        self._known_at = -KNOWN_FOR
        self._made_of: Settings | None = None
        self._versions: dict[bool, str] = {}

    def version(self, vantage: str) -> str:
        """The version of what `for_agent` gives."""
        settings = self._settings()
        if settings is not self._made_of:
            self._made_of, self._versions = settings, {}
        paused = vantage in settings.collector.paused
        if paused not in self._versions:
            self._versions[paused] = _version_of(self._made(settings, vantage))
        return self._versions[paused]

    def for_agent(self, vantage: str) -> AgentSettings:
        """The settings for the agent of that vantage."""
        made = self._made(self._settings(), vantage)
        return msgspec.structs.replace(made, version=self.version(vantage))

    def _made(self, settings: Settings, vantage: str) -> AgentSettings:
        return AgentSettings(
            version="",
            issued_at=self._now(),
            interval=settings.interval,
            platforms=tuple(platform.name for platform in settings.catalog.platforms),
            catalog=settings.catalog_text,
            catalog_proof=settings.catalog_proof,
            daily_bytes=settings.probe.daily_bytes,
            paused=vantage in settings.collector.paused,
        )

    async def known(self) -> Sequence[Measurement]:
        """The newest measurements of controls, without who made them. Raises StorageError."""
        if self._clock() - self._known_at >= KNOWN_FOR:
            back = max(LOOK_BACK, timedelta(seconds=_INTERVALS * self._settings().interval))
            found = await self._store.latest_control_measurements(self._now() - back)
            self._known = tuple(map(without_host, found))
            self._known_at = self._clock()
        return self._known


def without_host(made: Measurement) -> Measurement:
    """A measurement without what tells which host made it, and when exactly. A control may be
    another host's agent, and whoever holds a key reads this."""
    return msgspec.structs.replace(
        made,
        id="",
        cycle="",
        vantage="",
        country="",
        asn=0,
        network="",
        started_at=earlier(made.started_at, _BUCKET),
        observations=tuple(
            msgspec.structs.replace(one, resolver="") if isinstance(one, DnsObservation) else one
            for one in made.observations
        ),
    )


def _version_of(made: AgentSettings) -> str:
    """Digest of everything that an agent acts on, except the time."""
    timeless = msgspec.structs.replace(made, version="", issued_at=_NEVER)
    return hashlib.sha256(_encode(timeless)).hexdigest()[:32]
