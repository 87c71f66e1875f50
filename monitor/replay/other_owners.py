"""How other owners' platforms do in the same place and time: what fails with nothing blocked.

It may excuse a failure, and it tells what is left once a block of a country is over.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import exp

import msgspec

from monitor.replay.fails_everywhere import FailsEverywhere
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.sample_groups import SampleRows
from monitor.replay.stream_models import UNRELIABLE, model_of

_OWN_NOISE = 0.05
"""Share that may fail of one platform in one country without a block, whatever the rest shows."""
_A_DAY, _LATELY = timedelta(days=1), timedelta(days=28)
"""Time in which other countries, and other owners' platforms, tell how much fails with nothing
blocked."""
_BAD_DAY = 2.0
"""Rows beyond the ceiling that fail on a day which tells nothing of usual ones."""
_EXCUSE_LASTS = timedelta(days=10)
"""Time in which an excuse fades to a third."""
_ENOUGH_NOW, HARDLY_ANY = 4.0, 0.1
"""Rows of another owner's platforms in an interval that tell how it does; the share that fails at
most while it does well."""


class Share(msgspec.Struct, frozen=True):
    """Recent failures and rows; old ones fade."""

    failed: float = 0.0
    total: float = 0.0
    at: datetime | None = None

    def plus(self, failed: float, total: float, at: datetime, lasts: timedelta) -> "Share":
        keep = self._kept(at, lasts)
        return Share(self.failed * keep + failed, self.total * keep + total, at)

    def rate(self, at: datetime, lasts: timedelta) -> tuple[float, float]:
        """Share that failed, and the number of rows behind it."""
        keep = self._kept(at, lasts)
        total = self.total * keep
        return (self.failed / self.total if self.total else 0.0), total

    def _kept(self, at: datetime, lasts: timedelta) -> float:
        if self.at is None:
            return 0.0
        return exp(-max(0.0, (at - self.at) / lasts))


class OtherOwners:
    """Remembers what failed lately."""

    def __init__(self, lookup: PlatformLookup, everywhere: FailsEverywhere) -> None:
        """`everywhere` knows all rows, later ones too."""
        self._lookup = lookup
        self._everywhere = everywhere
        self._shares: dict[tuple[str, int], dict[tuple[str, str], Share]] = {}
        """Country and AS number → platform and part → what failed there lately."""
        self._noises: dict[tuple[str, str], tuple[datetime, float]] = {}
        """Country and owner → a day, and what of other owners' platforms fails there by then."""

    def note(self, group: SampleRows, failed: float, total: float) -> None:
        """Remember the rows of a group that show something."""
        country, platform, asn, part = group.key
        shares = self._shares.setdefault((country, asn), {})
        share = shares.get((platform, part), Share())
        shares[platform, part] = share.plus(failed, total, group.until, _EXCUSE_LASTS)

    def excuse(self, group: SampleRows) -> float:
        """The lowest recent failure share of any other owner in the same country and network."""
        country, platform, asn, _ = group.key
        owner = self._lookup.owner(platform)
        shares: dict[str, list[tuple[float, float]]] = {}
        for (other, _), share in self._shares.get((country, asn), {}).items():
            if other in UNRELIABLE or self._lookup.owner(other) == owner:
                continue
            rate, total = share.rate(group.until, _EXCUSE_LASTS)
            shares.setdefault(self._lookup.owner(other), []).append((rate * total, total))
        return min(_rates(shares, 1.0), default=0.0)

    def meanwhile(self, group: SampleRows) -> float:
        """The lowest failure share of any other owner in the very interval of a country's counts;
        1 where too little tells."""
        if not group.rows[0].nationwide:
            return 1.0
        others = self._others(group, group.rows[0].at, group.until)
        return min(_rates(others, _ENOUGH_NOW), default=1.0)

    def _others(
        self, group: SampleRows, since: datetime, until: datetime
    ) -> dict[str, list[tuple[float, float]]]:
        """Other owners → of each of their platforms, the rows in a country in this time that
        failed, and all."""
        country, owner = group.key[0], self._lookup.owner(group.key[1])
        found: dict[str, list[tuple[float, float]]] = {}
        for (other, _), failed, total in self._everywhere.meanwhile(country, since, until):
            if other not in UNRELIABLE and (whose := self._lookup.owner(other)) != owner:
                found.setdefault(whose, []).append((failed, total))
        return found

    def usual(self, group: SampleRows) -> float:
        """The share (0–1) that fails without a block: in half of the other countries, or here of
        another owner."""
        row, until = group.rows[0], group.until
        elsewhere = self._everywhere.usual_elsewhere(row, until - _LATELY, until)
        return max(self._noise(group), elsewhere, _OWN_NOISE)

    def _noise(self, group: SampleRows) -> float:
        """The lowest failure share of any other owner in a country lately, bad days aside."""
        place = (group.key[0], self._lookup.owner(group.key[1]))
        today = group.until.replace(hour=0, minute=0, second=0, microsecond=0)
        at, noise = self._noises.get(place, (None, 0.0))
        if at == today:
            return noise
        ceiling = model_of(group.rows[0]).ceiling
        lately: dict[str, list[tuple[float, float]]] = {}
        for days in range(_LATELY.days):
            end = today - timedelta(days=days)
            for whose, several in self._others(group, end - _A_DAY, end).items():
                failed, total = (sum(counts) for counts in zip(*several, strict=True))
                if failed <= ceiling * total + _BAD_DAY:
                    lately.setdefault(whose, []).append((failed, total))
        noise = min(_rates(lately, _ENOUGH_NOW), default=0.0)
        self._noises[place] = (today, noise)
        return noise


def _rates(shares: Mapping[str, Sequence[tuple[float, float]]], least: float) -> Iterator[float]:
    """The share of each owner's rows that failed, of those with `least` rows or more."""
    for several in shares.values():
        total = sum(one[1] for one in several)
        if total >= least:
            yield sum(one[0] for one in several) / (total + 2.0)
