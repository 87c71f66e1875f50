"""The settings that collectors give an agent, applied within what its own file allows.

They are stored next to the spool with their signature, and used again only if it still holds: write
access to the file gives nobody control. Settings older than the current ones are ignored.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from monitor.agent.ordered_catalog import Allowed, Choice, OrdersError, Unused, choose
from monitor.agent.signed_answer import Signed
from monitor.config.catalog import select_platforms
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.wire.answers import AgentSettings
from monitor.wire.signing import is_answer
from storage.values.private_file import write_private

log = logger(__name__)

CATALOG = "catalogue"
"""Name of the whole catalogue among what is not used."""
_LONGEST_INTERVAL = 7 * 86400.0
_FEWEST_BYTES = 1_000_000
"""Bounds of the configuration file."""
_AHEAD = timedelta(days=1)
"""By how much an order may be ahead of the collectors' clock."""


class Orders:
    """The current settings of collectors, and the file they are stored in."""

    def __init__(self, file: Path, public: str) -> None:
        """`public` is the collectors' public key."""
        self._file = file
        self._public = public
        self.current: AgentSettings | None = None

    def knows(self, version: str) -> bool:
        """Whether these are current, or none at all."""
        return not version or (self.current is not None and self.current.version == version)

    @property
    def paused(self) -> bool:
        """Whether collectors paused the agent."""
        return self.current is not None and self.current.paused

    def restore(self) -> None:
        """Load the settings of an earlier process; those without a valid signature are ignored."""
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=Signed)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            log.warning("settings of the collector cannot be read again", reason=str(error))
            return
        with suppress(msgspec.DecodeError):
            if is_answer(self._public, kept.signature, kept.request, kept.body):
                self.current = msgspec.json.decode(kept.body, type=AgentSettings)
                return
        log.warning("settings of the collector are not signed by it, ignored")

    def take(self, new: AgentSettings, now: datetime) -> bool:
        """Make these the current ones; False, and no change, where they are older. `now` is UTC.

        Current ones that are dated in the future are not newer: else orders of a seized collector
        would hold for ever, even after its operator has it back.
        """
        newest = None if self.current is None else self.current.issued_at
        if newest is not None and new.issued_at < newest <= now + _AHEAD:
            return False
        self.current = new
        return True

    def keep(self, signed: Signed) -> None:
        """Store them for the next process. If that fails, it will request them again."""
        try:
            write_private(self._file, msgspec.json.encode(signed))
        except OSError as error:
            log.warning("settings of the collector were not kept", reason=error.strerror)


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of settings that a collector gave."""

    settings: Settings
    """Those to use."""
    unused: tuple[Unused, ...] = ()


def follow(
    own: Settings,
    new: AgentSettings | None,
    allowed: Allowed,
    admit: Callable[[Collection[str]], bool] = lambda _: True,
) -> Followed:
    """The settings to use: those of the agent's own file, with what collectors may change: fewer
    bytes, longer intervals, and a choice of platforms and references (see `choose`).

    A catalogue that cannot be used leaves the rest of the order in force, which only asks for less:
    of the platforms in the agent's own file, those that the order names are measured.
    """
    if new is None:
        return Followed(settings=own)
    daily_bytes = min(own.probe.daily_bytes, max(new.daily_bytes, _FEWEST_BYTES))
    probe = msgspec.structs.replace(own.probe, daily_bytes=daily_bytes)
    interval = max(own.interval, min(new.interval, _LONGEST_INTERVAL))
    try:
        choice = choose(own, new, allowed, admit)
    except OrdersError as error:
        choice = Choice(
            catalog=select_platforms(own.catalog, new.platforms),
            unused=(Unused(name=CATALOG, why=str(error)), *error.unused),
        )
    used = msgspec.structs.replace(
        own,
        interval=interval,
        events=msgspec.structs.replace(own.events, interval=interval),
        probe=probe,
        catalog=choice.catalog,
    )
    return Followed(settings=used, unused=choice.unused)
