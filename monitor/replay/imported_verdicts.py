"""Imported rows → platform verdicts, one network at a time.

rows ─┬─ those of one network within a sitting, or one line of counts ──▶ Sample
      └─ failures of other owners' platforms there meanwhile ──▶ its excuse
Sample ── monitor.replay.two_sided_test ──▶ Call ──▶ PlatformVerdict
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from math import exp, log
from statistics import median_low

import msgspec

from monitor.analysis.verdict import Evidence, FunctionVerdict, PlatformVerdict, State
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import WEB_TEST, PlatformLookup
from monitor.replay.two_sided_test import (
    ANY_SHARE,
    LARGE_SHARE,
    Call,
    Decision,
    Model,
    Rate,
    Sample,
    Track,
    observe,
    reconsider,
)
from probes.vantage import VantageRole

RULES = "crowd.1"
"""Version of the rules here and in `monitor.replay.two_sided_test`, stored in verdicts."""
SAMPLE_SPAN = timedelta(minutes=15)
"""Rows of one network this close together count as one person's."""
UNRELIABLE = frozenset({"messenger"})
"""Platforms whose test fails in a quarter or more of all measurements without a block: it compares
resolved addresses with networks that its owner announced once. They accuse nobody alone."""

_QUIET = {"web_connectivity": 0.03, "messenger": 0.3, "signal": 0.05}
"""Platform or test → share of rows that fail with nothing blocked; 0.02 for the rest."""
_QUIET_OTHERWISE = 0.02
_LISTED_PER_YEAR = 8766.0
"""Samples of a network in a year: one an hour."""
_COUNTED_PER_YEAR = 365.0
_FALSE_CALLS = 0.1
"""False accusations allowed per network and year."""
_FALSE_ENDS = 0.01
"""Chance that one call of *ok* is wrong."""
_NEARBY = log(180.0)
"""Added log odds of a block while the platform is blocked on another network of the country, or
another platform of the same owner there: from about one day in a year to every other time."""
_EXCUSE_LASTS = timedelta(days=10)
"""Time in which an excuse fades to a third."""
_ELSEWHERE_LASTS = timedelta(days=2)
"""The same for other countries: an outage is soon over."""

_NEARBY_LASTS = timedelta(days=7)
"""Time after such a block in which that still holds: blocks come back."""
_ENOUGH_ROWS = 10.0
"""Rows, after fading, that another country needs to count."""

_Key = tuple[str, str, int, str]
"""Country, platform, AS number (0: all), part."""


def model_of(row: Row) -> Model:
    """The assumptions about a stream of such rows before its first one."""
    mean = _QUIET.get(row.platform, _QUIET.get(row.test, _QUIET_OTHERWISE))
    if row.counts:
        return Model(
            quiet=Rate(mean, 0.15),
            prior_weight=50.0,
            blocked=LARGE_SHARE,
            partly=ANY_SHARE,
            trouble=Rate(1 / 7, 1 / 8),
            troubled=0.25,
            memory=0.2,
            accuse=log(_COUNTED_PER_YEAR / _FALSE_CALLS),
            clear=-log(_FALSE_ENDS),
            ceiling=0.5 if row.platform in UNRELIABLE else 0.2,
            most=6.0,
            forget=timedelta(days=21),
        )
    return Model(
        quiet=Rate(mean, 0.3),
        prior_weight=50.0,
        blocked=Rate(0.85, 0.3),
        partly=Rate(0.85, 0.3),
        memory=0.05,
        accuse=log(_LISTED_PER_YEAR / _FALSE_CALLS),
        clear=-log(_FALSE_ENDS),
        ceiling=0.5 if row.platform in UNRELIABLE else 0.15,
        forget=timedelta(days=4),
    )


class SampleRows(msgspec.Struct, frozen=True, kw_only=True):
    key: _Key
    rows: tuple[Row, ...]

    @property
    def until(self) -> datetime:
        """When the last was measured, or the counted interval ended."""
        return max(row.until for row in self.rows)


def sample_groups(rows: Iterable[Row]) -> list[SampleRows]:
    """Rows grouped into samples, in the order these were complete; a repeated row counts once."""
    open_now: dict[_Key, list[Row]] = {}
    done: list[SampleRows] = []
    for row in _once(sorted(rows, key=lambda row: (row.at, row.uid))):
        key = (row.country, row.platform, row.asn, row.part)
        here = open_now.setdefault(key, [])
        if here and not _together(here[0], row):
            done.append(SampleRows(key=key, rows=tuple(here)))
            here.clear()
        here.append(row)
    done += [SampleRows(key=key, rows=tuple(here)) for key, here in open_now.items() if here]
    return sorted(done, key=lambda group: (group.until, group.key))


def _once(rows: Iterable[Row]) -> Iterator[Row]:
    seen: set[tuple[str, str, str]] = set()
    for row in rows:
        identity = (row.uid, row.platform, row.part)
        if row.counts or not row.uid or identity not in seen:
            seen.add(identity)
            yield row


def _together(first: Row, row: Row) -> bool:
    if first.counts or row.counts:
        # Counts of several sites of one platform for the same interval.
        return first.counts and row.counts and first.at == row.at
    return row.at - first.at <= SAMPLE_SPAN


class _Share(msgspec.Struct, frozen=True):
    """Recent failures and rows; old ones fade."""

    failed: float = 0.0
    total: float = 0.0
    at: datetime | None = None

    def plus(self, failed: float, total: float, at: datetime, lasts: timedelta) -> "_Share":
        keep = self._kept(at, lasts)
        return _Share(self.failed * keep + failed, self.total * keep + total, at)

    def rate(self, at: datetime, lasts: timedelta) -> tuple[float, float]:
        """Share that failed, and the number of rows behind it."""
        keep = self._kept(at, lasts)
        total = self.total * keep
        return (self.failed / self.total if self.total else 0.0), total

    def _kept(self, at: datetime, lasts: timedelta) -> float:
        if self.at is None:
            return 0.0
        return exp(-max(0.0, (at - self.at) / lasts))


class ImportedVerdicts:
    """Turns groups of rows, in order, into verdicts. Holds one `Track` for each stream."""

    def __init__(self, lookup: PlatformLookup) -> None:
        self._lookup = lookup
        self._tracks: dict[_Key, Track] = {}
        self._shares: dict[_Key, _Share] = {}
        self._recent: dict[_Key, _Share] = {}
        self._last: dict[_Key, Row] = {}
        self._blocked: dict[_Key, datetime] = {}
        self._serial = 0

    def take(self, group: SampleRows) -> list[PlatformVerdict]:
        """The verdicts that a group of rows decided; mostly none."""
        first = group.rows[0]
        key = group.key
        sample = self._sample(group)
        before = self._tracks.get(key, Track())
        track, calls = observe(before, sample, model_of(first))
        self._tracks[key] = track
        self._last[key] = first
        if track.decision is Decision.BLOCKED:
            self._blocked[key] = group.until
        share = self._shares.get(key, _Share())
        counts = (sample.failed, sample.total, sample.until)
        self._shares[key] = share.plus(*counts, _EXCUSE_LASTS)
        recent = self._recent.get(key, _Share())
        self._recent[key] = recent.plus(*counts, _ELSEWHERE_LASTS)
        verdicts = [self._verdict(first, call) for call in calls]
        if track.decision is Decision.BLOCKED and before.decision is not Decision.BLOCKED:
            verdicts += self._reconsidered(group)
        return verdicts

    def _reconsidered(self, cause: SampleRows) -> Iterator[PlatformVerdict]:
        """Verdicts on the other networks of a country where a block was just called."""
        for key, track in list(self._tracks.items()):
            if key[:2] != cause.key[:2] or key[2] == cause.key[2] or key[1] in UNRELIABLE:
                continue
            row = self._last[key]
            after, calls = reconsider(track, model_of(row), _NEARBY, cause.until)
            self._tracks[key] = after
            for call in calls:
                self._blocked[key] = cause.until
                yield self._verdict(row, call)

    def _sample(self, group: SampleRows) -> Sample:
        rows = group.rows
        failed = [row for row in rows if row.failed > 0]
        country, platform, asn, _ = group.key
        nearby, related = self._nearby(country, platform, asn, group.until)
        unreliable = platform in UNRELIABLE
        return Sample(
            at=rows[0].at,
            until=group.until,
            total=sum(row.total for row in rows),
            failed=sum(row.failed for row in rows),
            confirmed=sum(row.confirmed for row in rows),
            excuse=self._excuse(group),
            elsewhere=self._elsewhere(group),
            corroborated=not unreliable or related,
            odds=_NEARBY if nearby or (unreliable and related) else 0.0,
            measurement=(failed or rows)[0].uid,
            methods=tuple(dict.fromkeys(m for row in failed for m in row.methods if m)),
        )

    def _nearby(self, country: str, platform: str, asn: int, now: datetime) -> tuple[bool, bool]:
        """Whether the platform is blocked on another network there; whether a platform of the same
        owner is."""
        owner = self._lookup.owner(platform)
        nearby = related = False
        for other, at in self._blocked.items():
            still_blocked = self._tracks[other].decision is Decision.BLOCKED
            if other[0] != country or not (still_blocked or now - at < _NEARBY_LASTS):
                continue
            nearby = nearby or (other[1] == platform and other[2] != asn)
            related = related or (
                other[1] != platform
                and other[1] not in UNRELIABLE
                and self._lookup.owner(other[1]) == owner
            )
        return nearby, related

    def _excuse(self, group: SampleRows) -> float:
        """The lowest recent failure share of any other owner in the same country and network."""
        country, platform, asn, _ = group.key
        owner = self._lookup.owner(platform)
        shares: dict[str, list[tuple[float, float]]] = {}
        for (where, other, network, _), share in self._shares.items():
            if where != country or network != asn or self._lookup.owner(other) == owner:
                continue
            if other in UNRELIABLE:
                continue
            rate, total = share.rate(group.until, _EXCUSE_LASTS)
            shares.setdefault(self._lookup.owner(other), []).append((rate * total, total))
        rates = []
        for several in shares.values():
            total = sum(one[1] for one in several)
            if total >= 1.0:
                rates.append(sum(one[0] for one in several) / (total + 2.0))
        return min(rates, default=0.0)

    def _elsewhere(self, group: SampleRows) -> float:
        """The median failure share of the platform in other countries."""
        country, platform, _, part = group.key
        counts: dict[str, tuple[float, float]] = {}
        for (where, other, _, piece), share in self._recent.items():
            if where != country and other == platform and piece == part:
                rate, total = share.rate(group.until, _ELSEWHERE_LASTS)
                failed, rows = counts.get(where, (0.0, 0.0))
                counts[where] = (failed + rate * total, rows + total)
        rates = [failed / (rows + 2.0) for failed, rows in counts.values() if rows >= _ENOUGH_ROWS]
        return median_low(rates) if rates else 0.0

    def _verdict(self, row: Row, call: Call) -> PlatformVerdict:
        self._serial += 1
        method, _, sub_method = (call.methods[0] if call.methods else "").partition(".")
        if not call.blocked:
            method = sub_method = ""
        elif not method:
            method, sub_method = ("app" if row.test != WEB_TEST else "http"), "failure"
        evidence = Evidence.CONCLUSIVE if call.confirmed else Evidence.STRONG
        blocked = State.DEGRADED if row.part else State.BLOCKED
        function = FunctionVerdict(
            function=row.part or "web",
            core=not row.part,
            state=State.BLOCKED if call.blocked else State.OK,
            method=method,
            sub_method=sub_method,
            evidence=evidence if call.blocked else Evidence.NONE,
        )
        network = f"AS{row.asn}" if row.asn else "all"
        return PlatformVerdict(
            cycle=f"{self._serial:012d}",
            vantage="/".join(filter(None, (f"ooni-{row.country}-{network}", row.part))),
            country=row.country,
            asn=row.asn,
            network=row.network or ("" if row.asn else "all networks"),
            vantage_role=VantageRole.FIELD,
            platform=row.platform,
            state=blocked if call.blocked else State.OK,
            method=method,
            sub_method=sub_method,
            rule_id="crowd.blocked" if call.blocked else "crowd.ok",
            evidence=function.evidence,
            llr=call.llr,
            functions=(function,),
            measurement=call.sample.measurement,
            started_at=call.at,
            judged_at=call.called_at,
            rules_version=RULES,
            measured_at=call.sample.at,
            measured_until=call.sample.until,
        )
