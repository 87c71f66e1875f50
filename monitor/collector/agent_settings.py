"""The settings that agents get: the part of the collector's configuration that concerns them."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from monitor.config.settings import Settings
from monitor.wire.answers import AgentSettings

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder(order="deterministic").encode


class SettingsForAgents:
    """Settings for agents, made of the settings in use."""

    def __init__(self, settings: Callable[[], Settings], now: Callable[[], datetime]) -> None:
        """`settings` gives those in use, `now` the time (UTC)."""
        self._settings = settings
        self._now = now
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


def _version_of(made: AgentSettings) -> str:
    """Digest of everything that an agent acts on, except the time."""
    timeless = msgspec.structs.replace(made, version="", issued_at=_NEVER)
    return hashlib.sha256(_encode(timeless)).hexdigest()[:32]
