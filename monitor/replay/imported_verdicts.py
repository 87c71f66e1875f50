"""Imported rows → platform verdicts, one network at a time.

rows ─┬─ those of one network within a sitting, or one line of counts ──▶ Sample
      ├─ failures of other owners' platforms there meanwhile ──▶ its excuse
      └─ a platform that fails in most countries since then ──▶ it shows nothing
Sample ─┬─ monitor.replay.two_sided_test, one network ──────────────┬─▶ Call ──▶ PlatformVerdict
        └─ monitor.replay.several_networks, those of a country ─────┘
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import log

import msgspec

from monitor.analysis.verdict import Evidence, FunctionVerdict, PlatformVerdict, State
from monitor.replay.fails_everywhere import FailsEverywhere, Subject
from monitor.replay.hour_bounds import by_hours
from monitor.replay.imported_row import Row
from monitor.replay.other_owners import HARDLY_ANY, OtherOwners, Share
from monitor.replay.platform_of import WEB_TEST, PlatformLookup
from monitor.replay.sample_groups import SampleRows, StreamKey
from monitor.replay.sample_weight import Model, Sample, base_rate, weigh
from monitor.replay.several_networks import (
    KEPT,
    MOST_TOGETHER,
    Shown,
    common_onset,
    joint_onset,
)
from monitor.replay.stream_models import UNRELIABLE, model_of
from monitor.replay.two_sided_test import (
    Call,
    Decision,
    Track,
    accuse_since,
    clear_since,
    gathered,
    last_bad,
    never_open,
    observe,
    repeated,
    unsure_end,
)
from probes.vantage import VantageRole

RULES = "crowd.7"
"""Version of the rules for imported rows, stored in verdicts."""

PINNED = frozenset({"signal"})
"""Platforms whose test carries certificates of its own, and fails everywhere once the platform
changes its. They accuse only where the test is passed elsewhere meanwhile."""

_NEARBY = log(180.0)
"""Added log odds of a block while the platform is blocked on another network of the country, or
another platform of the same owner there: from about one day in a year to every other time."""
_STAYS_OUT, _MANY = _NEARBY / 2, 20.0
"""The same for a network that passed the test during that block, and how many rows tell so."""
_SEVERAL, _SHARE = 2, 0.15
"""Networks that blocked lately, after which others are believed more easily though none blocks now;
the share of a country's networks for which `_NEARBY` is meant."""
_OVER_TOO = 3.0
"""Added log odds that a block is over on a network, since it is on another one there; each one more
adds its share."""
_NEARBY_LASTS = timedelta(days=7)
"""Time after such a block in which that still holds: blocks come back."""
_SPEAKS_AGAIN = timedelta(hours=12)
"""Time after which a decision that stands is told again."""


class _Begun(msgspec.Struct, frozen=True):
    """The onset of a block of several networks."""

    at: datetime
    dated: bool
    """The network where it was seen first had been found open."""


class ImportedVerdicts:
    """Turns groups of rows, in order, into verdicts. Holds one `Track` for each stream."""

    def __init__(self, lookup: PlatformLookup, everywhere: FailsEverywhere) -> None:
        """`everywhere` knows all rows, later ones too."""
        self._lookup = lookup
        self._everywhere = everywhere
        self._others = OtherOwners(lookup, everywhere)
        self._tracks: dict[StreamKey, Track] = {}
        self._here: dict[tuple[str, str], dict[StreamKey, None]] = {}
        """Country and platform → the streams there."""
        self._last: dict[StreamKey, Row] = {}
        self._blocked: dict[StreamKey, datetime] = {}
        self._ever_blocked: set[tuple[str, str]] = set()
        """Country and platform of every stream in `_blocked`."""
        self._told: dict[StreamKey, datetime] = {}
        self._shown: dict[tuple[str, Subject], deque[Shown]] = {}
        self._everything: dict[str, deque[tuple[Subject, Shown]]] = {}
        """Country → the same of all that was not known to be blocked there."""
        self._begun: dict[tuple[str, Subject], _Begun] = {}
        self._beside: dict[StreamKey, Share] = {}
        """Rows of a network since a block of several began; `at` is that onset."""
        self._alone: set[StreamKey] = set()
        self._hours: dict[StreamKey, list[Row]] = {}
        """The counts of hours that show something, oldest first."""
        self._serial = 0

    def take(self, group: SampleRows) -> list[PlatformVerdict]:
        """The verdicts that a group of rows decided; mostly none."""
        first = group.rows[0]
        key = group.key
        model = model_of(first)
        sample = self._sample(group)
        before = self._tracks.get(key, Track())
        nats, passing = weigh(before.history, sample, model) if sample.total else (0.0, 0.0)
        track, calls = observe(before, sample, model, (nats, passing))
        self._tracks[key] = track
        self._here.setdefault(key[:2], {})[key] = None
        self._last[key] = first
        self._others.note(group, sample.failed, sample.total)
        if sample.silent or not sample.total:
            return []
        self._note_beside(key, sample)
        calls = self._dated(group, before, model, calls)
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

    def _dated(
        self, group: SampleRows, before: Track, model: Model, calls: tuple[Call, ...]
    ) -> tuple[Call, ...]:
        """The calls after `before`, dated by hours where the counts of a country have them. A
        network that is called first may have failed by chance, hours before the others."""
        hours = [hour for row in group.rows if row.nationwide for hour in row.hours]
        known = self._hours.setdefault(group.key, [])
        known += sorted(hours, key=lambda hour: hour.at)
        if not known or unsure_end(before, model):
            return calls
        named = before.named if before.decision is Decision.BLOCKED else None
        return by_hours(calls, named, known, base_rate(before.history, model))

    def _note_beside(self, key: StreamKey, sample: Sample) -> None:
        begun = self._begun.get(_place(key))
        if begun is not None and sample.at >= begun.at:
            seen = self._beside.get(key, Share())
            seen = seen if seen.at == begun.at else Share()
            self._beside[key] = Share(
                seen.failed + sample.failed, seen.total + sample.total, begun.at
            )

    def _noted_blocked(self, key: StreamKey, at: datetime) -> None:
        self._blocked[key] = at
        self._ever_blocked.add(key[:2])

    def _over_elsewhere(self, cause: StreamKey, now: datetime) -> list[PlatformVerdict]:
        """Verdicts on other networks that began to pass, where a block was just found over."""
        found: list[PlatformVerdict] = []
        for key in self._here[cause[:2]]:
            model = model_of(self._last[key])
            after, calls = clear_since(self._tracks[key], model, _OVER_TOO, now)
            self._tracks[key] = after
            found += self._called(key, calls)
        return found

    def _over_too(self, key: StreamKey, now: datetime) -> list[PlatformVerdict]:
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

    def _called(self, key: StreamKey, calls: Iterable[Call]) -> list[PlatformVerdict]:
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
        self, key: StreamKey, sample: Sample, passing: float, model: Model
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

        def worst(key: StreamKey) -> tuple[bool, float]:
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

    def _reconsidered(self, cause: StreamKey, now: datetime) -> list[PlatformVerdict]:
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
        excuse, meanwhile = self._others.excuse(group), self._others.meanwhile(group)
        track = self._tracks.get(group.key, Track())
        decides = unsure_end(track, model_of(rows[0])) and min(excuse, meanwhile) <= HARDLY_ANY
        return Sample(
            at=rows[0].at,
            until=group.until,
            total=sum(row.total for row in rows),
            failed=sum(row.failed for row in rows),
            confirmed=sum(row.confirmed for row in rows),
            excuse=excuse,
            usual=self._others.usual(group) if decides else None,
            contrast=meanwhile <= HARDLY_ANY,
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

    def _nearby(self, key: StreamKey, now: datetime) -> float:
        """Added log odds of a block, since other networks there block the platform: the more of
        them, the more, and less for one that stays out. One network that was called alone adds
        nothing."""
        if key[:2] not in self._ever_blocked:
            return 0.0
        lately: set[StreamKey] = set()
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

    def _stays_out(self, key: StreamKey) -> bool:
        """Whether a network was measured often since a block of others began, and mostly passed."""
        begun, seen = self._begun.get(_place(key)), self._beside.get(key)
        if begun is None or seen is None or seen.at != begun.at or seen.total < _MANY:
            return False
        accused = self._tracks[key].accused
        joined = accused is not None and accused >= begun.at
        return not joined and seen.failed < model_of(self._last[key]).ceiling * seen.total

    def _related(self, key: StreamKey, now: datetime) -> datetime | None:
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


def _place(key: StreamKey) -> tuple[str, Subject]:
    return key[0], (key[1], key[3])
