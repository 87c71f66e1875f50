"""Where vantages come out, learnt from servers that say so, looked up in the operator's files.

An address lives from the moment a server tells it to the end of the look-up, which is at once: what
is kept is the country and the network, and of those only in what they differ from the
configuration. Nothing here stores, logs or shows an address.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import maxminddb
import msgspec

from monitor.analysis.vantage.exit_location import (
    AS_CONFIGURED,
    ExitLocation,
    ExitMismatch,
    compare,
)
from monitor.config.settings import Settings
from monitor.logs import logger
from probes.vantage import VantagePoint, VantageRole

log = logger(__name__)

Ask = Callable[[str, str], Awaitable[str]]
"""Asks, from a vantage, the server at a URL which address it sees; empty when it does not tell."""


class _Told(msgspec.Struct, kw_only=True):
    """What is known of one vantage's exit."""

    cycles: int = 0
    """Begun since the last time a server was asked."""
    echo: ExitLocation | None = None
    """As the servers that are asked for it tell, over verified HTTPS."""
    stun: ExitLocation | None = None
    """As servers for calls tell in passing, over UDP, in this cycle."""


class Exits:
    """The exits of all vantages. One for each process."""

    def __init__(self, settings: Settings, ask: Ask) -> None:
        self._settings = settings.vantage_check
        self._ask = ask
        self._vantages = {vantage.id: vantage for vantage in settings.vantages}
        self._told = {vantage.id: _Told() for vantage in settings.vantages}
        self._watched = frozenset(
            v.country for v in settings.vantages if v.role is VantageRole.FIELD
        )

    @property
    def checked(self) -> bool:
        """Whether there are files to look addresses up in."""
        return bool(self._settings.mmdb)

    def of(self, vantage: VantagePoint) -> ExitMismatch:
        """In what its exit differs from the configuration, as far as is known now."""
        told = self._told[vantage.id]
        place = told.echo or told.stun
        if place is None:
            return AS_CONFIGURED
        return compare(vantage, place, self._watched, self._settings.siblings)

    async def begin(self, vantage_id: str) -> None:
        """A cycle of this vantage begins: ask where it comes out, if it is time.

        It is, too, as long as the exit is not where it should be, so that its return is noticed.
        """
        told = self._told[vantage_id]
        told.stun = None
        told.cycles += 1
        wrong = self.of(self._vantages[vantage_id]) != AS_CONFIGURED
        if told.echo is None or wrong or told.cycles >= self._settings.every:
            await self.look(vantage_id)

    async def look(self, vantage_id: str) -> None:
        """Ask where this vantage comes out, at once; without an answer nothing is known."""
        if not self.checked or not self._settings.echo:
            return
        told = self._told[vantage_id]
        told.cycles = 0
        told.echo = None
        for url in self._settings.echo:
            told.echo = self._place(await self._ask(vantage_id, url))
            if told.echo is not None:
                break

    def heard(self, vantage_id: str, address: str) -> None:
        """A server said in passing that this is where the vantage comes out."""
        place = self._place(address)
        if place is not None:
            self._told[vantage_id].stun = place

    def _place(self, address: str) -> ExitLocation | None:
        """Where an address is; None when there is no address, or no file knows it."""
        if not address:
            return None
        country, asn = "", 0
        for path in self._settings.mmdb:
            try:
                # Opened each time, which maps it and reads next to nothing: files are replaced.
                with maxminddb.open_database(path) as reader:
                    record = reader.get(address)
            except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
                # The words of the error may hold the address.
                log.warning("mmdb not read", file=Path(path).name, error=type(error).__name__)
                continue
            country, asn = country or _country(record), asn or _asn(record)
        return ExitLocation(country, asn) if country or asn else None


def _country(record: Any) -> str:
    """The country of a record: MaxMind's nested form, or a flat one as other publishers have it."""
    found = _first(record, ("country_code", "country"))
    if isinstance(found, dict):
        found = found.get("iso_code")
    return found.upper() if isinstance(found, str) and len(found) == 2 else ""


def _asn(record: Any) -> int:
    """The AS number of a record: a number, or text such as `AS64496`."""
    found = _first(record, ("autonomous_system_number", "asn"))
    if isinstance(found, str):
        digits = found.upper().removeprefix("AS")
        return int(digits) if digits.isdecimal() else 0
    return found if isinstance(found, int) else 0


def _first(record: Any, names: Sequence[str]) -> Any:
    if not isinstance(record, dict):
        return None
    return next((record[name] for name in names if name in record), None)
