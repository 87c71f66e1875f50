"""Quarantined vantages: a person decided that their results do not count in events.

Their measurements and verdicts are stored and shown all the same.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from monitor.analysis.events.detection import EventBook, Step, advance
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import PlatformVerdict, VantageHealth
from storage.values.cycle import Cycle, StoredCycle
from storage.values.fleet import Quarantine


class Quarantined:
    """All quarantines. A platform verdict is `in` it when it does not count in events."""

    def __init__(
        self, quarantines: Iterable[Quarantine], tested: Iterable[tuple[str, str]] = ()
    ) -> None:
        """`tested` has vantages, each with a country where it ever tested: a quarantine names the
        last one alone, and concerns all."""
        self._by_vantage = {one.vantage: one for one in quarantines}
        self._places = {(one.vantage, one.country) for one in self._by_vantage.values()}
        self._places |= {place for place in tested if place[0] in self._by_vantage}

    def __contains__(self, verdict: PlatformVerdict) -> bool:
        return self.covers(verdict.vantage, verdict.started_at)

    def covers(self, vantage: str, at: datetime) -> bool:
        """Whether the vantage was quarantined at that moment (UTC)."""
        one = self._by_vantage.get(vantage)
        return one is not None and one.covers(at)

    def advance(
        self,
        book: EventBook,
        cycle: Cycle | StoredCycle,
        platforms: Iterable[PlatformVerdict],
        health: VantageHealth,
        settings: EventSettings,
    ) -> Step:
        """Detect events in one more cycle, without what does not count; `platforms` are its
        verdicts."""
        counted = [verdict for verdict in platforms if verdict not in self]
        ignored = self.covers(cycle.vantage, cycle.started_at)
        return advance(book, counted, settings, health=None if ignored else health)

    @property
    def vantages(self) -> frozenset[str]:
        """Ids of all vantages with a quarantine."""
        return frozenset(self._by_vantage)

    def digest(self, country: str) -> str:
        """Differs whenever the quarantines of a country do; empty where there are none."""
        bounds = self._bounds(country)
        return hashlib.sha256(repr(bounds).encode()).hexdigest()[:12] if bounds else ""

    def differing(self, other: "Quarantined") -> frozenset[str]:
        """Countries whose quarantines differ."""
        countries = {country for _, country in self._places | other._places}
        return frozenset(one for one in countries if self._bounds(one) != other._bounds(one))

    def _bounds(self, country: str) -> list[tuple[str, str, str]]:
        held = [self._by_vantage[vantage] for vantage, where in self._places if where == country]
        return sorted((one.vantage, str(one.since), str(one.until)) for one in held)


NOBODY = Quarantined(())
