"""Imported rows → platform verdicts, one network at a time.

rows ─┬─ those of one network within a sitting, or one line of counts ──▶ Sample
      ├─ failures of other owners' platforms there meanwhile ──▶ its excuse
      └─ a platform that fails in most countries since then ──▶ it shows nothing
Sample ─┬─ monitor.replay.two_sided_test, one network ──────────────┬─▶ Call ──▶ PlatformVerdict
        └─ monitor.replay.several_networks, those of a country ─────┘
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from math import exp, log

import msgspec

from monitor.analysis.verdict import Evidence, FunctionVerdict, PlatformVerdict, State
from monitor.replay.fails_everywhere import FailsEverywhere, Subject
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import WEB_TEST, PlatformLookup
from monitor.replay.several_networks import (
    KEPT,
    MOST_TOGETHER,
    Shown,
    common_onset,
    joint_onset,
)
from monitor.replay.two_sided_test import (
    ANY_SHARE,
    LARGE_SHARE,
    Call,
    Decision,
    Model,
    Rate,
    Sample,
    Track,
    accuse_since,
    clear_since,
    gathered,
    last_bad,
    never_open,
    observe,
    repeated,
    unsure_end,
    weigh,
)
from probes.vantage import VantageRole

RULES = "crowd.5"
"""Version of the rules here and in `monitor.replay.two_sided_test`, stored in verdicts."""
SAMPLE_SPAN = timedelta(minutes=15)
"""Rows of one network this close together count as one person's."""
UNRELIABLE = frozenset({"messenger"})
"""Platforms whose test fails in a quarter or more of all measurements without a block: it compares
resolved addresses with networks that its owner announced once. They accuse nobody alone."""

PINNED = frozenset({"signal"})
"""Platforms whose test carries certificates of its own, and fails everywhere once the platform
changes its. They accuse only where the test is passed elsewhere meanwhile."""

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
_STAYS_OUT, _MANY = _NEARBY / 2, 20.0
"""The same for a network that passed the test during that block, and how many rows tell so."""
_SEVERAL, _SHARE = 2, 0.15
"""Networks that blocked lately, after which others are believed more easily though none blocks now;
the share of a country's networks for which `_NEARBY` is meant."""
_REST = Rate(0.1, 0.2)
"""Share of rows that a block of a country still fails beside open lines on which others measure."""
_OWN_NOISE = 0.05
"""Share that may fail of one platform in one country without a block, whatever the rest shows."""
_A_DAY, _LATELY = timedelta(days=1), timedelta(days=28)
"""Time in which other countries, and other owners' platforms, tell how much fails with nothing
blocked."""
_BAD_DAY = 2.0
"""Rows beyond the ceiling that fail on a day which tells nothing of usual ones."""
_EXCUSE_LASTS = timedelta(days=10)
"""Time in which an excuse fades to a third."""
_ENOUGH_NOW, _HARDLY_ANY = 4.0, 0.1
"""Rows of another owner's platforms in an interval that tell how it does; the share that fails at
most while it does well."""
_OVER_TOO = 3.0
"""Added log odds that a block is over on a network, since it is on another one there; each one more
adds its share."""
_NEARBY_LASTS = timedelta(days=7)
"""Time after such a block in which that still holds: blocks come back."""
_SPEAKS_AGAIN = timedelta(hours=12)
"""Time after which a decision that stands is told again."""
_Key = tuple[str, str, int, str]
"""Country, platform, AS number (0: unknown, or all), part."""


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
            unreliable=row.platform in UNRELIABLE,
            rest=_REST if row.nationwide and row.platform not in UNRELIABLE else None,
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
        unreliable=row.platform in UNRELIABLE,
        forget=timedelta(days=4),
    )


class _Begun(msgspec.Struct, frozen=True):
    """The onset of a block of several networks."""

    at: datetime
    dated: bool
    """The network where it was seen first had been found open."""


class SampleRows(msgspec.Struct, frozen=True, kw_only=True):
    key: _Key
    rows: tuple[Row, ...]

    @property
    def until(self) -> datetime:
        """When the last was measured, or the counted interval ended."""
        return self.rows[0].until if len(self.rows) == 1 else max(row.until for row in self.rows)


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

    def __init__(self, lookup: PlatformLookup, everywhere: FailsEverywhere) -> None:
        """`everywhere` knows all rows, later ones too."""
        self._lookup = lookup
        self._everywhere = everywhere
        self._tracks: dict[_Key, Track] = {}
        self._here: dict[tuple[str, str], dict[_Key, None]] = {}
        """Country and platform → the streams there."""
        self._shares: dict[tuple[str, int], dict[tuple[str, str], _Share]] = {}
        """Country and AS number → platform and part → what failed there lately."""
        self._last: dict[_Key, Row] = {}
        self._blocked: dict[_Key, datetime] = {}
        self._ever_blocked: set[tuple[str, str]] = set()
        """Country and platform of every stream in `_blocked`."""
        self._told: dict[_Key, datetime] = {}
        self._shown: dict[tuple[str, Subject], deque[Shown]] = {}
        self._everything: dict[str, deque[tuple[Subject, Shown]]] = {}
        """Country → the same of all that was not known to be blocked there."""
        self._begun: dict[tuple[str, Subject], _Begun] = {}
        self._noises: dict[tuple[str, str], tuple[datetime, float]] = {}
        """Country and owner → a day, and what of other owners' platforms fails there by then."""
        self._beside: dict[_Key, _Share] = {}
        """Rows of a network since a block of several began; `at` is that onset."""
        self._alone: set[_Key] = set()
        self._serial = 0

    def take(self, group: SampleRows) -> list[PlatformVerdict]:
        """The verdicts that a group of rows decided; mostly none."""
        first = group.rows[0]
        key = group.key
        model = model_of(first)
        sample = self._sample(group)
        before = self._tracks.get(key, Track())
        nats, passing = weigh(before, sample, model) if sample.total else (0.0, 0.0)
        track, calls = observe(before, sample, model, (nats, passing))
        self._tracks[key] = track
        self._here.setdefault(key[:2], {})[key] = None
        self._last[key] = first
        shares = self._shares.setdefault((key[0], key[2]), {})
        share = shares.get((key[1], key[3]), _Share())
        shares[key[1], key[3]] = share.plus(
            sample.failed, sample.total, sample.until, _EXCUSE_LASTS
        )
        if sample.silent or not sample.total:
            return []
        self._note_beside(key, sample)
        if not calls and (calls := self._standing(key, sample, passing, model)):
            self._tracks[key] = track = repeated(track, calls[0].sample)
        verdicts = self._called(key, calls)
        if track.decision is Decision.BLOCKED:
            self._noted_blocked(key, group.until)
            if before.decision is not Decision.BLOCKED:
                if sample.lone:
                    self._alone.add(key)
                elif key[2]:
                    self._alone.discard(key)
                    verdicts += self._reconsidered(key, group.until)
        if before.decision is Decision.BLOCKED and track.decision is Decision.OPEN:
            verdicts += self._over_elsewhere(key, group.until)
        elif track.decision is Decision.BLOCKED and passing < 0:
            verdicts += self._over_too(key, group.until)
        return verdicts + self._together(group, sample, nats, before)

    def _note_beside(self, key: _Key, sample: Sample) -> None:
        begun = self._begun.get(_place(key))
        if begun is not None and sample.at >= begun.at:
            seen = self._beside.get(key, _Share())
            seen = seen if seen.at == begun.at else _Share()
            self._beside[key] = _Share(
                seen.failed + sample.failed, seen.total + sample.total, begun.at
            )

    def _noted_blocked(self, key: _Key, at: datetime) -> None:
        self._blocked[key] = at
        self._ever_blocked.add(key[:2])

    def _over_elsewhere(self, cause: _Key, now: datetime) -> list[PlatformVerdict]:
        """Verdicts on other networks that began to pass, where a block was just found over."""
        found: list[PlatformVerdict] = []
        for key in self._here[cause[:2]]:
            model = model_of(self._last[key])
            after, calls = clear_since(self._tracks[key], model, _OVER_TOO, now)
            self._tracks[key] = after
            found += self._called(key, calls)
        return found

    def _over_too(self, key: _Key, now: datetime) -> list[PlatformVerdict]:
        """The verdict on a network that passes, and did not fail since the block was found over on
        others there."""
        track = self._tracks[key]
        failed = track.last_bad.until if track.last_bad is not None else None
        others = (self._tracks[one] for one in self._here[key[:2]] if one in self._blocked)
        opened = [one.opened for one in others if one.decision is Decision.OPEN]
        over = sum(at is not None and (failed is None or at > failed) for at in opened)
        if not over:
            return []
        odds = _OVER_TOO + log(over)
        after, calls = clear_since(track, model_of(self._last[key]), odds, now)
        self._tracks[key] = after
        return self._called(key, calls)

    def _called(self, key: _Key, calls: Iterable[Call]) -> list[PlatformVerdict]:
        found = []
        for call in calls:
            # A decision is of now, whatever it dates: it is as fresh as what decided it.
            at = call.called_at if call.decides or call.stands else call.sample.until
            told = self._told.get(key)
            if told is None or at > told:
                self._told[key] = at
                found.append(self._verdict(self._last[key], call, at))
        return found

    def _standing(
        self, key: _Key, sample: Sample, passing: float, model: Model
    ) -> tuple[Call, ...]:
        """A decision that stands, told again now and then while samples agree with it: what is told
        no longer is not observed."""
        track, told = self._tracks[key], self._told.get(key)
        if told is None or sample.at - told < _SPEAKS_AGAIN:
            return ()
        if track.decision is Decision.BLOCKED:
            last = last_bad(track)
            if last is not None:
                return self._repeated(last, sample, 0.0, blocked=True)
            # What passes has not ended it yet.
            waits = passing < 0 and (unsure_end(track, model) or sample.joined == sample.until)
            if waits and track.named is not None:
                return self._repeated(track.named, sample, 0.0, blocked=True, stands=True)
            return ()
        if track.decision is Decision.OPEN and not track.up:
            return self._repeated(sample, sample, passing, blocked=False) if passing < 0 else ()
        return ()

    @staticmethod
    def _repeated(
        sample: Sample, now: Sample, llr: float, *, blocked: bool, stands: bool = False
    ) -> tuple[Call, ...]:
        return (
            Call(
                blocked=blocked,
                sample=sample,
                called_at=now.until,
                llr=llr,
                decides=False,
                stands=stands,
                methods=sample.methods if blocked else (),
            ),
        )

    def _together(
        self, group: SampleRows, sample: Sample, nats: float, before: Track
    ) -> list[PlatformVerdict]:
        """The verdict on the network where a block of several networks began, if this sample
        completes the evidence for one. `before` is the network's track before it."""
        key, place = group.key, _place(group.key)
        if not group.key[2] or not sample.corroborated or key[1] in UNRELIABLE:
            return []
        shown = self._shown.setdefault(place, deque())
        shown.append(Shown(at=sample.at, asn=key[2], nats=nats))
        while sample.at - shown[0].at > KEPT:
            shown.popleft()
        everything = self._everything.setdefault(key[0], deque(maxlen=MOST_TOGETHER))
        if sample.since is None and before.decision is not Decision.BLOCKED:
            everything.append((place[1], shown[-1]))
        while everything and sample.at - everything[0][1].at > KEPT:
            everything.popleft()
        if nats <= 0 or sample.since is not None:
            return []
        # What failed before a block ended begins no other one.
        ends = {asn: self._tracks[(*key[:2], asn, key[3])].ended for asn in {s.asn for s in shown}}
        since = [s for s in shown if (end := ends[s.asn]) is None or s.at >= end]
        if found := common_onset(since):
            return self._begun_together(place, found, group.until)
        together = joint_onset(everything, self._lookup.owner)
        return [
            verdict
            for (platform, part), firsts in together.items()
            for verdict in self._begun_together((key[0], (platform, part)), firsts, group.until)
        ]

    def _begun_together(
        self, place: tuple[str, Subject], firsts: Sequence[Shown], now: datetime
    ) -> list[PlatformVerdict]:
        """Verdicts on the network where a block of several, with these first failures, began."""
        country, (platform, part) = place
        networks = {(country, platform, one.asn, part): one for one in firsts}
        self._alone -= networks.keys()
        since = min(one.at for one in networks.values())

        def worst(key: _Key) -> tuple[bool, float]:
            # One that was never found open cannot tell when it began; one row may fail by chance.
            return never_open(self._tracks[key]), -gathered(self._tracks[key], since)

        for first in sorted(networks, key=worst):
            self._begun[place] = _Begun(since, dated=not never_open(self._tracks[first]))
            after, calls = accuse_since(self._tracks[first], since, now)
            if calls:
                self._tracks[first] = after
                self._noted_blocked(first, now)
                return self._called(first, calls) + self._reconsidered(first, now)
        return []

    def _reconsidered(self, cause: _Key, now: datetime) -> list[PlatformVerdict]:
        """Verdicts on the other networks of a country where a block was just called, from what
        they showed since it began."""
        found: list[PlatformVerdict] = []
        begun = self._begun.get(_place(cause))
        if begun is None:
            return []
        for key in self._here[cause[:2]]:
            track = self._tracks[key]
            if key[2:] == cause[2:] or key[1] in UNRELIABLE:
                continue
            model = model_of(self._last[key])
            if track.last is None or now - track.last > model.forget:
                continue
            if gathered(track, begun.at) < model.accuse - self._nearby(key, now):
                continue
            if begun.dated and never_open(track):
                continue  # Its next failure is called, as of then.
            after, calls = accuse_since(track, begun.at, now)
            self._tracks[key] = after
            if calls:
                self._noted_blocked(key, now)
            found += self._called(key, calls)
        return found

    def _sample(self, group: SampleRows) -> Sample:
        rows, silent = self._telling(group)
        failed = [row for row in rows if row.failed > 0]
        platform = group.key[1]
        nearby = self._nearby(group.key, group.until)
        unreliable = platform in UNRELIABLE
        related = self._related(group.key, group.until) if unreliable else None
        works = platform not in PINNED or self._everywhere.works_elsewhere(rows[0])
        begun = self._begun.get(_place(group.key)) if nearby else None
        since = begun.at if begun else related
        excuse, meanwhile = self._excuse(group), self._meanwhile(group)
        return Sample(
            at=rows[0].at,
            until=group.until,
            total=sum(row.total for row in rows),
            failed=sum(row.failed for row in rows),
            confirmed=sum(row.confirmed for row in rows),
            excuse=excuse,
            usual=self._usual(group, min(excuse, meanwhile)),
            contrast=meanwhile <= _HARDLY_ANY,
            corroborated=works and (not unreliable or related is not None),
            silent=silent,
            odds=nearby if related is None else _NEARBY,
            since=since,
            dated=begun is not None and begun.dated,
            lone=not rows[0].nationwide and not nearby,
            joined=self._joined(group) if unreliable else None,
            measurement=(failed or rows)[0].uid,
            methods=tuple(dict.fromkeys(m for row in failed for m in row.methods if m)),
        )

    def _telling(self, group: SampleRows) -> tuple[tuple[Row, ...], bool]:
        """The rows that show something; all of them, and True, where none does."""
        telling = tuple(row for row in group.rows if not self._everywhere.silent(row))
        return telling or group.rows, not telling

    def _nearby(self, key: _Key, now: datetime) -> float:
        """Added log odds of a block, since other networks there block the platform: the more of
        them, the more, and less for one that stays out. One network that was called alone adds
        nothing."""
        if key[:2] not in self._ever_blocked:
            return 0.0
        lately: set[_Key] = set()
        blocked = open_now = 0
        for other in self._here.get(key[:2], ()):
            track = self._tracks[other]
            if other[2:] == key[2:]:
                continue
            blocked += track.decision is Decision.BLOCKED
            fresh = track.last is not None and now - track.last <= KEPT
            open_now += fresh and track.decision is Decision.OPEN
            at = self._blocked.get(other)
            if at is not None and now - at < _NEARBY_LASTS:
                lately.add(other)
        several = len(lately) >= _SEVERAL
        if not several and not (blocked and lately - self._alone):
            return 0.0
        blocked = blocked or len(lately)
        share = blocked / (blocked + open_now)
        odds = max(0.0, _NEARBY + log(min(1.0, share / _SHARE)))
        return min(odds, _STAYS_OUT) if self._stays_out(key) else odds

    def _stays_out(self, key: _Key) -> bool:
        """Whether a network was measured often since a block of others began, and mostly passed."""
        begun, seen = self._begun.get(_place(key)), self._beside.get(key)
        if begun is None or seen is None or seen.at != begun.at or seen.total < _MANY:
            return False
        accused = self._tracks[key].accused
        joined = accused is not None and accused >= begun.at
        return not joined and seen.failed < model_of(self._last[key]).ceiling * seen.total

    def _related(self, key: _Key, now: datetime) -> datetime | None:
        """Since when another platform of the same owner is blocked there."""
        owner = self._lookup.owner(key[1])
        begun = (
            self._tracks[other].begun
            for other, at in self._blocked.items()
            if other[0] == key[0]
            and other[1] != key[1]
            and other[1] not in UNRELIABLE
            and self._lookup.owner(other[1]) == owner
            and (self._tracks[other].decision is Decision.BLOCKED or now - at < _NEARBY_LASTS)
        )
        return min((at for at in begun if at is not None), default=None)

    def _excuse(self, group: SampleRows) -> float:
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

    def _meanwhile(self, group: SampleRows) -> float:
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

    def _usual(self, group: SampleRows, here: float) -> float | None:
        """What fails without a block, where that decides about an end: in half of the other
        countries, or here of another owner. None where that hides what is left of a block."""
        row, until = group.rows[0], group.until
        track = self._tracks.get(group.key, Track())
        if here > _HARDLY_ANY or not unsure_end(track, model_of(row)):
            return None
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

    def _joined(self, group: SampleRows) -> datetime | None:
        """Until when the block of another platform of the owner, which this one is part of, stood
        on the same network: the last of them that began before it. None where that is not known."""
        key, owner = group.key, self._lookup.owner(group.key[1])
        begun = self._tracks.get(key, Track()).begun
        if begun is None:
            return None
        others = [
            track
            for other in self._blocked
            if (other[0], other[2]) == (key[0], key[2])
            and other[1] not in UNRELIABLE
            and self._lookup.owner(other[1]) == owner
            and (track := self._tracks[other]).begun is not None
            and track.begun <= begun + _NEARBY_LASTS
        ]
        if not others:
            return None
        block = max(others, key=lambda track: track.begun or begun)
        if block.decision is not Decision.BLOCKED:
            return block.ended
        row = group.rows[0]
        measured = block.last is not None and row.at - block.last <= model_of(row).forget
        return group.until if measured else None

    def _verdict(self, row: Row, call: Call, at: datetime) -> PlatformVerdict:
        self._serial += 1
        method, _, sub_method = (call.methods[0] if call.methods else "").partition(".")
        if not call.blocked:
            method = sub_method = ""
        elif not method:
            method, sub_method = ("app" if row.test != WEB_TEST else "http"), "failure"
        evidence = Evidence.CONCLUSIVE if call.confirmed else Evidence.STRONG
        if not call.decides:
            evidence = Evidence.WEAK
        blocked = State.DEGRADED if row.part else State.BLOCKED
        function = FunctionVerdict(
            function=row.part or "web",
            core=not row.part,
            state=State.BLOCKED if call.blocked else State.OK,
            method=method,
            sub_method=sub_method,
            evidence=evidence if call.blocked else Evidence.NONE,
        )
        network = "all" if row.nationwide else f"AS{row.asn}"
        return PlatformVerdict(
            cycle=f"{self._serial:012d}",
            vantage="/".join(filter(None, (f"ooni-{row.country}-{network}", row.part))),
            country=row.country,
            asn=row.asn,
            network=row.network or row.network_without_number,
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
            started_at=at,
            judged_at=call.called_at,
            rules_version=RULES,
            measured_at=call.sample.at,
            measured_until=call.sample.until,
        )


def _rates(shares: Mapping[str, Sequence[tuple[float, float]]], least: float) -> Iterator[float]:
    """The share of each owner's rows that failed, of those with `least` rows or more."""
    for several in shares.values():
        total = sum(one[1] for one in several)
        if total >= least:
            yield sum(one[0] for one in several) / (total + 2.0)


def _place(key: _Key) -> tuple[str, Subject]:
    return key[0], (key[1], key[3])
