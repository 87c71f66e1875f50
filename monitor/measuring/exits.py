"""Where the packets of vantages come out: servers say the address, the operator's files the place.

An address is looked up at once and then dropped; the probes' scrubber alone remembers it. What
stays is the country and the network, and of those only where they differ from the configuration.
Nothing here stores, logs or shows an address.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

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
"""Asks, from a vantage, the server at a URL which address it sees; empty without an answer."""


class _Exit(msgspec.Struct, kw_only=True):
    """What is known of one vantage's exit."""

    cycles: int = 0
    """Cycles begun since a server was last asked."""
    answered: bool = False
    """Whether a server that was asked said an address: the scrubber knows it then."""
    echo: ExitLocation | None = None
    """From the servers that are asked for it, over verified HTTPS."""
    stun: ExitLocation | None = None
    """From STUN servers, which tell it in passing over UDP, in the last scheduled cycle."""
    doubtful: bool = False
    """Whether they named another country or network than `echo`, which is the configured one."""


class Exits:
    """The exits of all vantages. One for each process."""

    def __init__(self, settings: Settings, ask: Ask) -> None:
        self._settings = settings.vantage_check
        self._ask = ask
        self.checked = bool(self._settings.mmdb)
        """Whether there are files to look addresses up in."""
        self._vantages = {vantage.id: vantage for vantage in settings.vantages}
        self._exits = {vantage.id: _Exit() for vantage in settings.vantages}
        self._watched = frozenset(
            v.country for v in settings.vantages if v.role is VantageRole.FIELD
        )

    def of(self, vantage: VantagePoint) -> ExitMismatch:
        """In what its exit differs from the configuration, as far as is known now."""
        known = self._exits[vantage.id]
        return self._differs(vantage, known.echo or known.stun)

    def doubtful(self, vantage: VantagePoint) -> bool:
        """Whether a server over UDP said that its packets come from elsewhere since an echo server,
        which is believed rather, said where they should."""
        return self._exits[vantage.id].doubtful

    async def begin(self, vantage_id: str, *, out_of_turn: bool = False) -> None:
        """A cycle of this vantage begins: ask where its packets come out, if it is time.

        While the exit is not where it should be it is always time, so that its return is noticed. A
        cycle out of turn asks fewer servers: what is known of a wrong exit holds until one answers.
        """
        known = self._exits[vantage_id]
        wrong = self.of(self._vantages[vantage_id]) != AS_CONFIGURED
        known.cycles += 1
        unknown = known.echo is None if self.checked else not known.answered
        if not out_of_turn:
            known.stun, known.doubtful = None, False
            if wrong:
                known.echo = None
        if unknown or wrong or known.cycles >= self._settings.every:
            await self.ask(vantage_id)

    async def ask(self, vantage_id: str) -> None:
        """Ask where this vantage's packets come out. Without an answer nothing is known, but that
        they came from elsewhere in this cycle."""
        if not self._settings.echo:
            return
        known = self._exits[vantage_id]
        before, known.echo, known.doubtful = known.echo, None, False
        known.cycles = 0
        for url in self._settings.echo:
            address = await self._ask(vantage_id, url)
            known.answered = bool(address)
            known.echo = self._place(address)
            if known.echo is not None or (known.answered and not self.checked):
                break
        wrong = self._differs(self._vantages[vantage_id], before) != AS_CONFIGURED
        if wrong and not known.answered:
            known.echo = before

    def heard(self, vantage_id: str, address: str) -> None:
        """A server said in passing that the vantage's packets come from this address."""
        place, known = self._place(address), self._exits[vantage_id]
        if place is not None:
            vantage = self._vantages[vantage_id]
            elsewhere = self._differs(vantage, place) != AS_CONFIGURED
            believed = known.echo is not None and self.of(vantage) == AS_CONFIGURED
            known.doubtful |= elsewhere and believed
            known.stun = place

    def _differs(self, vantage: VantagePoint, place: ExitLocation | None) -> ExitMismatch:
        if place is None:
            return AS_CONFIGURED
        return compare(vantage, place, self._watched, self._settings.siblings)

    def _place(self, address: str) -> ExitLocation | None:
        """Where an address is; None when there is no address, or no file knows it."""
        if not address:
            return None
        country, asn = "", 0
        for record in records_of(self._settings.mmdb, address):
            country, asn = country or _country(record), asn or asn_of(record)
        return ExitLocation(country, asn) if country or asn else None


def records_of(files: Sequence[str], address: str) -> Iterator[Any]:
    """What each file in MaxMind's format has about an address; files that cannot be read have
    nothing."""
    if not files:
        return
    import maxminddb  # most operators have no such file

    for path in files:
        try:
            # Opened each time, which maps it and reads next to nothing: files are replaced.
            with maxminddb.open_database(path) as reader:
                record = reader.get(address)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            # The words of the error may hold the address.
            log.warning("mmdb not read", file=Path(path).name, error=type(error).__name__)
            continue
        yield record


def _country(record: Any) -> str:
    """The country of a record: MaxMind's nested form, or a flat one as other publishers have it."""
    found = _first(record, ("country_code", "country"))
    if isinstance(found, dict):
        found = found.get("iso_code")
    return found.upper() if isinstance(found, str) and len(found) == 2 else ""


def asn_of(record: Any) -> int:
    """The AS number of a record: a number, or text such as `AS64496`."""
    found = _first(record, ("autonomous_system_number", "asn"))
    if isinstance(found, str):
        digits = found.upper().removeprefix("AS")
        return int(digits) if digits.isdecimal() else 0
    return found if isinstance(found, int) else 0


def network_name_of(record: Any) -> str:
    """The name of the network in a record; empty for none."""
    found = _first(record, ("autonomous_system_organization", "as_name", "name"))
    return found if isinstance(found, str) else ""


def _first(record: Any, names: Sequence[str]) -> Any:
    if not isinstance(record, dict):
        return None
    return next((record[name] for name in names if name in record), None)
