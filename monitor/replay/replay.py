"""Folds recorded verdicts into events, by the clock of the data."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from math import exp
from statistics import median

import msgspec

from monitor.analysis.events.detection import CountryPlatformKey, EventBook, Rebuild, Step, advance
from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.events.sequential_test import YEAR
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.verdict import PlatformVerdict, State, VantageHealth
from monitor.replay.broken_versions import BrokenVersions
from monitor.replay.changed_versions import ChangedVersions
from monitor.replay.fails_everywhere import FailsEverywhere
from monitor.replay.imported_row import Row
from monitor.replay.imported_verdicts import ImportedVerdicts
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.sample_groups import SampleRows, sample_groups
from monitor.replay.whole_days import in_whole_days
from probes.vantage import VantageRole

NetworkKey = tuple[str, str, int, str]
"""Country, platform, AS number, name of the network without a number."""

_BLOCKED = (State.BLOCKED, State.DEGRADED, State.PARTIAL, State.THROTTLED)
_MOST_GAP, _LEAST_GAP = timedelta(days=3), timedelta(hours=1)
_APART = timedelta(hours=12)
"""Between two verdicts on a network whose state stands; of counts, what one line counts."""
_SUSPECTS, _CONFIRMS, _ENDS = 8.2, 12.0, 1.8
"""Nats: one *blocked* suspects, two confirm, one *ok* clears."""
FORGET_AFTER = 60 * 86400.0
"""Seconds of silence after which an event is closed: volunteers come back after months."""
_SILENCE = timedelta(days=1)
"""Time without a row that is told."""
_GAPS = 8
"""Usual distances between two samples after which there is no data."""


class Span(msgspec.Struct, frozen=True):
    """A time in which the state of one network is known."""

    start: datetime
    end: datetime
    blocked: bool | None
    """None for data without a decision."""


class NetworkTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """One platform on one network over time. Between spans there is no data."""

    country: str
    platform: str
    asn: int
    network: str
    spans: tuple[Span, ...]
    blocks: tuple[tuple[datetime, datetime | None], ...] = ()
    """When it was blocked, silences included; an end of None: still blocked."""

    @property
    def label(self) -> str:
        number = f"AS{self.asn}" if self.asn else ""
        return " ".join(filter(None, (number, self.network))) or "unknown network"

    @property
    def ever_blocked(self) -> bool:
        return bool(self.blocks)

    @property
    def decided(self) -> bool:
        return any(span.blocked is not None for span in self.spans)


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    events: tuple[Event, ...]
    """By detection."""
    log: tuple[EventLogEntry, ...]
    timelines: tuple[NetworkTimeline, ...]
    verdicts: int

    def about(self, country: str, platform: str) -> "Replayed":
        """What concerns one platform in one country."""
        events = tuple(e for e in self.events if (e.country, e.platform) == (country, platform))
        known = {event.id for event in events}
        return msgspec.structs.replace(
            self,
            events=events,
            log=tuple(entry for entry in self.log if entry.event in known),
            timelines=tuple(
                one for one in self.timelines if (one.country, one.platform) == (country, platform)
            ),
        )

    def timelines_of(self, event: Event) -> list[NetworkTimeline]:
        """The networks of an event's country and platform, blocked ones first."""
        here = [
            timeline
            for timeline in self.timelines
            if (timeline.country, timeline.platform) == (event.country, event.platform)
        ]
        return sorted(
            here, key=lambda timeline: (not timeline.ever_blocked, timeline.asn, timeline.network)
        )

    def silences_of(self, event: Event) -> list[tuple[datetime, datetime]]:
        """The times within an event in which nobody measured on any network that blocked: whether
        it stood then is not known."""
        here = [timeline for timeline in self.timelines_of(event) if timeline.ever_blocked]
        spans = sorted((span.start, span.end) for timeline in here for span in timeline.spans)
        found, known = [], event.onset_latest
        for start, end in spans:
            if event.end_latest is not None and known >= event.end_latest:
                break
            if start - known >= _SILENCE:
                found.append((known, min(start, event.end_latest or start)))
            known = max(known, end)
        return found


class Replay:
    """Folds verdicts cycle by cycle and collects the results."""

    def __init__(self, settings: EventSettings) -> None:
        self._settings = settings
        self._book = EventBook()
        self._events: dict[str, Event] = {}
        self._log: list[EventLogEntry] = []
        self._timelines: dict[NetworkKey, _TimelineNotes] = {}
        self._verdicts = 0

    def take(
        self, verdicts: Sequence[PlatformVerdict], health: VantageHealth | None = None
    ) -> tuple[CountryPlatformKey, ...]:
        """Fold the platform verdicts of one finished cycle, and the health of its vantage.

        Returns the keys with a verdict that came too late: `again` must follow for each.
        """
        step = advance(self._book, verdicts, self._settings, health=health)
        self._keep(step)
        for verdict in verdicts:
            if verdict.vantage_role == VantageRole.FIELD:
                self._verdicts += 1
                self._notes(verdict).decided(verdict)
        return step.late

    @contextmanager
    def again(self, place: CountryPlatformKey) -> Iterator[Rebuild]:
        """Fold one country and platform anew: its whole history goes into the rebuild, in order."""
        known = [e for e in self._events.values() if (e.country, e.platform) == place]
        rebuild = Rebuild(self._book, place, known, self._settings)
        yield rebuild
        self._keep(rebuild.step())

    def _keep(self, step: Step) -> None:
        self._book = step.book
        self._events.update((event.id, event) for event in step.changed)
        self._log += step.log

    def seen(self, group: SampleRows) -> None:
        """Record data, whether or not it decided anything."""
        first = group.rows[0]
        key = (first.country, first.platform, first.asn, first.network_without_number)
        notes = self._timelines.setdefault(key, _TimelineNotes(network=first.network))
        notes.network = first.network or notes.network
        notes.data.append((first.at, group.until))

    def finish(self) -> Replayed:
        return Replayed(
            events=tuple(sorted(self._events.values(), key=lambda e: (e.detected_at, e.id))),
            log=tuple(self._log),
            timelines=tuple(
                NetworkTimeline(
                    country=key[0],
                    platform=key[1],
                    asn=key[2],
                    network=notes.network or key[3],
                    spans=notes.spans(),
                    blocks=notes.blocks(),
                )
                for key, notes in sorted(self._timelines.items())
            ),
            verdicts=self._verdicts,
        )

    def _notes(self, verdict: PlatformVerdict) -> "_TimelineNotes":
        name = "" if verdict.asn else verdict.network or verdict.vantage
        key = (verdict.country, verdict.platform, verdict.asn, name)
        return self._timelines.setdefault(key, _TimelineNotes(network=verdict.network))


class _TimelineNotes(msgspec.Struct):
    network: str
    data: list[tuple[datetime, datetime]] = []
    decisions: list[tuple[datetime, str, bool]] = []
    """Time, vantage, blocked or not."""

    def decided(self, verdict: PlatformVerdict) -> None:
        if verdict.state in (*_BLOCKED, State.OK):
            blocked = verdict.state in _BLOCKED
            self.decisions.append((verdict.since, verdict.vantage, blocked))
            self.data.append((verdict.since, verdict.since))

    def spans(self) -> tuple[Span, ...]:
        data = sorted(set(self.data))
        changes = self._changes()
        spans: list[Span] = []
        limit = _gap_limit(data)
        position, blocked = 0, None
        followers: list[datetime | None] = [*(start for start, _ in data[1:]), None]
        for (start, end), following in zip(data, followers, strict=True):
            while position < len(changes) and changes[position][0] <= start:
                blocked = changes[position][1]
                position += 1
            if following is not None and following - end <= limit:
                until = following
            else:
                until = max(end, start + min(limit, _LEAST_GAP))
            before = spans[-1] if spans else None
            if before is not None and before.end >= start and before.blocked is blocked:
                spans[-1] = Span(before.start, max(until, before.end), blocked)
            else:
                spans.append(Span(start, until, blocked))
        return tuple(spans)

    def blocks(self) -> tuple[tuple[datetime, datetime | None], ...]:
        changes = self._changes()
        ends: list[datetime | None] = [*(at for at, _ in changes[1:]), None][: len(changes)]
        return tuple((at, end) for (at, blocked), end in zip(changes, ends, strict=True) if blocked)

    def _changes(self) -> list[tuple[datetime, bool]]:
        """When the network became blocked, at any of its vantages, and when open again."""
        accusing: set[str] = set()
        changes: list[tuple[datetime, bool]] = []
        for at, vantage, blocked in sorted(self.decisions):
            (accusing.add if blocked else accusing.discard)(vantage)
            if not changes or changes[-1][1] is not bool(accusing):
                changes.append((at, bool(accusing)))
        return changes


def _gap_limit(data: Sequence[tuple[datetime, datetime]]) -> timedelta:
    gaps = [(later[0] - earlier[0]).total_seconds() for earlier, later in pairwise(data)]
    usual = timedelta(seconds=median(gaps)) if gaps else _LEAST_GAP
    longest = max((end - start for start, end in data), default=timedelta(0))
    return max(min(max(usual * _GAPS, _LEAST_GAP), _MOST_GAP), longest)


def imported_settings(settings: EventSettings, apart: timedelta = _APART) -> EventSettings:
    """The settings for verdicts that are decisions already, at irregular times.

    One *blocked* suspects, two confirm, one *ok* clears: `monitor.replay.imported_verdicts` limits
    the errors of each. `apart` is how often a decision that stands is told again.
    """
    a_year = YEAR / apart.total_seconds()
    return msgspec.structs.replace(
        settings,
        interval=apart.total_seconds(),
        false_suspected=a_year * exp(-_SUSPECTS),
        false_confirmed=a_year * exp(-_CONFIRMS),
        false_ends=a_year * exp(-_ENDS),
        forget_after=FORGET_AFTER,
        decided=True,
    )


def replay_rows(rows: Iterable[Row], lookup: PlatformLookup, settings: EventSettings) -> Replayed:
    telling, settings = _telling(list(rows), settings)
    return _folded(telling, lookup, FailsEverywhere(telling), settings)


def events_by_country(
    rows: Sequence[Row], lookup: PlatformLookup, settings: EventSettings, countries: Collection[str]
) -> list[Event]:
    """The events of these countries in all these rows, folded country after country: what is made
    for one is gone before the next."""
    telling, settings = _telling(rows, settings)
    everywhere = FailsEverywhere(telling)
    by_country: dict[str, list[Row]] = {country: [] for country in countries}
    for row in telling:
        if row.country in by_country:
            by_country[row.country].append(row)
    del telling
    return [
        event
        for country in countries
        for event in _folded(by_country.pop(country), lookup, everywhere, settings).events
    ]


def _telling(rows: Sequence[Row], settings: EventSettings) -> tuple[list[Row], EventSettings]:
    """The rows that show something, and the settings to fold them by."""
    rows = in_whole_days(rows)
    broken, changed = BrokenVersions(rows), ChangedVersions(rows)
    counted = max((row.until - row.at for row in rows), default=_APART)
    apart = imported_settings(settings, max(counted, _APART))
    return [row for row in rows if not broken.made(row) and not changed.made(row)], apart


def _folded(
    telling: Iterable[Row],
    lookup: PlatformLookup,
    everywhere: FailsEverywhere,
    settings: EventSettings,
) -> Replayed:
    imported, replay = ImportedVerdicts(lookup, everywhere), Replay(settings)
    for group in sample_groups(telling):
        replay.seen(group)
        verdicts = imported.take(group)
        # A bound and its decision are two earlier measurements, not one cycle.
        for verdict in verdicts:
            replay.take([verdict])
    return replay.finish()
