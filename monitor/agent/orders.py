"""What collectors tell an agent to do, within what its own file allows.

Kept in a file beside the spool as it was signed, and believed again only with that signature: who
can write the file still cannot order anything. Older orders than those in force are no orders.
"""

from contextlib import suppress
from pathlib import Path

import msgspec

from monitor.agent.collector_client import Signed
from monitor.config.catalog import CatalogError, parse_catalog, shipped_catalog
from monitor.config.load import measured_from
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.wire.answers import AgentSettings
from monitor.wire.signing import is_answer
from probes.catalog.catalog import Catalog

log = logger(__name__)

_LONGEST_INTERVAL = 7 * 86400.0
_FEWEST_BYTES = 1_000_000
"""Bounds of the configuration file."""


class OrdersError(Exception):
    """Orders that cannot be followed; the message says why."""


class Orders:
    """The orders in force, and the file they lie in."""

    def __init__(self, file: Path, public: str) -> None:
        """`public` is the collectors' public key."""
        self._file = file
        self._public = public
        self.told: AgentSettings | None = None
        self._declined = ""

    def knows(self, version: str) -> bool:
        """Whether these are in force, or were found to be of no use."""
        in_force = self.told is not None and self.told.version == version
        return in_force or version == self._declined

    def decline(self, told: AgentSettings) -> None:
        """Do not ask for these again."""
        self._declined = told.version

    @property
    def paused(self) -> bool:
        """Whether the agent is to look at nothing."""
        return self.told is not None and self.told.paused

    def restore(self) -> None:
        """Take up what an earlier process was told; what cannot be believed is left alone."""
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=Signed)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            log.warning("settings of the collector cannot be read again", reason=str(error))
            return
        with suppress(msgspec.DecodeError):
            if is_answer(self._public, kept.signature, kept.request, kept.body):
                self.told = msgspec.json.decode(kept.body, type=AgentSettings)
                return
        log.warning("settings of the collector are not signed by it, and left alone")

    def take(self, told: AgentSettings) -> bool:
        """Whether these are followed from now on: they are not older than those in force."""
        if self.told is not None and told.issued_at < self.told.issued_at:
            return False
        self.told = told
        return True

    def keep(self, signed: Signed) -> None:
        """For the next process. A full disk costs no more than asking again then."""
        partial = self._file.with_name(f"{self._file.name}.partial")
        try:
            partial.write_bytes(msgspec.json.encode(signed))
            partial.chmod(0o600)
            partial.replace(self._file)
        except OSError as error:
            log.warning("settings of the collector were not kept", reason=error.strerror)


def follow(own: Settings, told: AgentSettings | None) -> Settings:
    """The settings to run on: the agent's own file, and what collectors say in so far as it makes
    the agent look less, or at other things. Raises OrdersError."""
    if told is None:
        return own
    daily_bytes = min(own.probe.daily_bytes, max(told.daily_bytes, _FEWEST_BYTES))
    probe = msgspec.structs.replace(own.probe, daily_bytes=daily_bytes)
    interval = max(own.interval, min(told.interval, _LONGEST_INTERVAL))
    return msgspec.structs.replace(
        own,
        interval=interval,
        events=msgspec.structs.replace(own.events, interval=interval),
        probe=probe,
        catalog=_catalog(own, told),
    )


def _catalog(own: Settings, told: AgentSettings) -> Catalog:
    """The platforms that both name, where the agent's own file names any; and these and references
    as the agent's own file has them, where that changes what is shipped."""
    shipped = shipped_catalog()
    try:
        known = parse_catalog(told.catalog, "the collector's catalogue", shipped)
    except CatalogError as error:
        raise OrdersError(f"a catalogue that cannot be read: {error.problems[0]}") from error
    platforms = {platform.name: platform for platform in known.platforms}
    platforms |= {one.name: one for one in own.catalog.platforms if one not in shipped.platforms}
    wanted = dict.fromkeys(name for name in told.platforms if name in platforms)
    allowed = {platform.name for platform in own.catalog.platforms} if own.chosen else wanted
    references = own.catalog.references
    if references == measured_from(own.vantages, shipped).references:
        references = measured_from(own.vantages, known).references
    return Catalog(
        platforms=tuple(platforms[name] for name in wanted if name in allowed),
        references=references,
    )
