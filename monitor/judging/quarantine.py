"""Whose results are left out of events because a person decided so: quarantined vantages.

Their measurements and verdicts are kept and shown; they only speak for nothing.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from monitor.analysis.verdict import PlatformVerdict
from storage.values.fleet import Quarantine


class Quarantined:
    """What to conclude without. A platform verdict is `in` it when it is to be left out."""

    def __init__(self, quarantines: Iterable[Quarantine]) -> None:
        self._by_vantage = {one.vantage: one for one in quarantines}

    def __contains__(self, verdict: PlatformVerdict) -> bool:
        return self.stands(verdict.vantage, verdict.started_at)

    def stands(self, vantage: str, at: datetime) -> bool:
        """Whether what the vantage saw at that moment (UTC) is left out."""
        one = self._by_vantage.get(vantage)
        if one is None:
            return False
        return (one.since is None or at >= one.since) and (one.until is None or at < one.until)

    @property
    def vantages(self) -> frozenset[str]:
        """Ids of those that any of this is about."""
        return frozenset(self._by_vantage)

    def digest(self, country: str) -> str:
        """Differs whenever something else is left out in a country; empty for nothing."""
        bounds = self._bounds(country)
        return hashlib.sha256(repr(bounds).encode()).hexdigest()[:12] if bounds else ""

    def differing(self, other: "Quarantined") -> frozenset[str]:
        """Countries in which something else is left out."""
        both = (*self._by_vantage.values(), *other._by_vantage.values())
        return frozenset(
            one.country for one in both if self._bounds(one.country) != other._bounds(one.country)
        )

    def _bounds(self, country: str) -> list[tuple[str, str, str]]:
        return sorted(
            (one.vantage, str(one.since), str(one.until))
            for one in self._by_vantage.values()
            if one.country == country
        )


NOBODY = Quarantined(())
