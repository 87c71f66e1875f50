"""The current knowledge about every vantage, as one immutable value that surfaces read.

A Snapshot never changes: the publisher replaces it. Values that depend on the moment of reading,
such as staleness, take that moment as an argument.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from types import MappingProxyType
from typing import TypeVar

import msgspec

from monitor.analysis.coverage import Coverage, Tallies, Tally, cause_of
from monitor.analysis.events.event import Event, EventKind, EventState
from monitor.analysis.events.pace import Pace
from monitor.analysis.second_witness import AnyWitness
from monitor.analysis.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import PlatformVerdict, State, VantageHealth, VantageState
from monitor.budget.budget import Effort
from monitor.metrics.page_look import PageLook
from monitor.metrics.source_view import SourceView
from monitor.wording.findings import Finding
from probes.catalog.catalog import Catalog
from probes.measurement import Layer
from probes.vantage import VantagePoint, VantageRole
from storage.values.database_size import DatabaseSize
from storage.values.reviews import Annotation
from storage.values.withheld import Withheld

BUCKETS = (0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds in seconds, inclusive; an eighth bucket takes the rest. DNS timeouts (4 s) fall
into the last bounded bucket, all other timeouts (10 s) into the eighth."""

_STALE_INTERVALS = 3
"""A vantage without a finished cycle for this many intervals has no current results."""

_STALE_FLOOR = 180.0
"""Seconds before which no result is stale. With a very short interval, one cycle full of timeouts
can take longer than three intervals, and a block would hide itself."""


def silent_after(interval: float) -> float:
    """Seconds without a cycle after which a vantage with this interval (in seconds) is silent."""
    return max(_STALE_INTERVALS * interval, _STALE_FLOOR)


ENDED_SHOWN = timedelta(days=1)
"""How long a closed event stays in the metrics, so that alerts can say when it ended."""

MOST_ENDED = 1_000
"""Closed events shown, the newest."""

_REACHED = (State.OK, State.DEGRADED, State.PARTIAL, State.THROTTLED)

K = TypeVar("K")
V = TypeVar("V")


class Histogram(msgspec.Struct, frozen=True):
    """Durations by bucket: one count for each of BUCKETS and one beyond, not cumulative."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    total: float = 0.0
    """Sum of all durations, seconds."""

    def with_added(self, durations: Iterable[float]) -> "Histogram":
        """A histogram that holds `durations` (seconds) as well."""
        counts, total = list(self.counts), self.total
        for duration in durations:
            counts[bisect_left(BUCKETS, duration)] += 1
            total += duration
        return Histogram(tuple(counts), total)

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper bound and cumulative count of each bucket, as Prometheus wants them."""
        bounds = [*map(str, BUCKETS), "+Inf"]
        return list(zip(bounds, accumulate(map(float, self.counts)), strict=True))


def frozen_map(entries: Mapping[K, V]) -> Mapping[K, V]:
    """A read-only copy."""
    return MappingProxyType(dict(entries))


class RouteView(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries of one route; counters start at zero with the process."""

    sent: int = 0
    failures: int = 0
    """Failed attempts."""
    overdue_from: tuple[datetime, ...] = ()
    """Of each notification that waits now: the UTC time from which it is overdue."""
    given_up: int = 0
    """Notifications that were given up in the last day."""


class VantageView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about one configured vantage; counters start at zero with the process."""

    point: VantagePoint
    health: VantageHealth | None = None
    platforms: tuple[PlatformVerdict, ...] = ()
    """Of the last cycle, however old: read them through `platforms_at`."""
    last_report_at: datetime | None = None
    """UTC; when its last cycle finished, also one before this process started; None: never."""
    last_success_at: datetime | None = None
    """UTC; when its last cycle that was also stored finished."""
    awaited_since: datetime
    """UTC; since when this process waits for its cycles."""
    cycle_started_at: datetime | None = None
    """UTC; of the last cycle in this process."""
    cycle_finished_at: datetime | None = None
    probes: Mapping[str, int]
    """Measurements by platform (`reference` among them)."""
    failures: Mapping[tuple[Layer, str], int]
    """Failed observations by layer and failure class."""
    durations: Mapping[Layer, Histogram]
    """Of every observation, failed or not."""
    bytes_used: int = 0
    """On the wire, both ways, about, since the process started."""
    day_bytes: tuple[date, int] | None = None
    """The UTC day of the last cycle, and bytes used on it until then; None before the first."""
    cycles: Mapping[Effort, int] = msgspec.field(
        default_factory=lambda: frozen_map(dict.fromkeys(Effort, 0))
    )
    """Cycles by effort, including those skipped to save bytes."""
    transfers: tuple[TransferVerdict, ...] = ()
    """The last speed measured of each object, however long ago."""
    schedule_missed: int = 0
    outlier_platforms: int = 0
    """Platforms on which it disagrees with all others of its network."""
    quarantined: bool = False
    """Whether a person put it in quarantine."""
    pace: Pace = Pace()
    """Of its cycles that were not out of turn."""
    stale_after: float
    """Seconds after which a verdict is no longer current, and the vantage is silent."""

    @property
    def is_field(self) -> bool:
        """True for a field vantage, where blocking may happen."""
        return self.point.role is VantageRole.FIELD

    @property
    def network(self) -> tuple[str, int, str]:
        """Country, AS number and name; vantages with equal values are one network."""
        return self.point.country, self.point.asn, self.point.network

    def waited(self, last: datetime | None, at: datetime) -> float:
        """Seconds since `last`, or since this process waits for this vantage; no step of the
        machine's clock moves them."""
        since = max(last or self.awaited_since, self.awaited_since)
        return max(0.0, (at - since).total_seconds())

    def health_at(self, at: datetime) -> VantageHealth | None:
        """Its health if current at that moment, else None."""
        return self.health if self.health and self._recent(self.health.at, at) else None

    def platforms_at(self, at: datetime) -> tuple[PlatformVerdict, ...]:
        """The current verdicts at that moment: none once stale, none for a control."""
        if not self.is_field:
            return ()
        return tuple(v for v in self.platforms if self._recent(v.judged_at, at))

    def counted_at(self, at: datetime) -> tuple[PlatformVerdict, ...]:
        """The same, and none in quarantine: what counts on pages, in metrics and in events."""
        return () if self.quarantined else self.platforms_at(at)

    def holds_until(self, at: datetime) -> datetime:
        """Until when what it shows at that moment (UTC) stays so, if nothing is heard of it: the
        next moment at which something turns stale, or the end of the day."""
        moments = [verdict.judged_at for verdict in self.platforms]
        if self.health is not None:
            moments.append(self.health.at)
        stale = (moment + timedelta(seconds=self.stale_after) for moment in moments)
        day_ends = datetime.combine(at.date(), time.max, at.tzinfo)
        return min([day_ends, *(end for end in stale if end >= at)])

    def transfers_at(self, at: datetime) -> tuple[TransferVerdict, ...]:
        """The last transfer verdict of each object while its platform is reached; none in
        quarantine."""
        reached = {v.platform for v in self.counted_at(at) if v.state in _REACHED}
        return tuple(one for one in self.transfers if one.verdict.platform in reached)

    def state_at(self, at: datetime) -> VantageState:
        """Its health at that moment; unknown once stale, because silence is not health."""
        health = self.health_at(at)
        return health.state if health else VantageState.UNKNOWN

    def _recent(self, moment: datetime, at: datetime) -> bool:
        return (at - moment).total_seconds() <= self.stale_after


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All vantages and all active events at one moment."""

    at: datetime
    """UTC; when it was made."""
    interval: float
    """Seconds between two cycles of one vantage, as configured."""
    daily_bytes: int = 0
    """Bytes a vantage may use in one day."""
    public_url: str = ""
    """Public address of the page; empty: none."""
    runbooks_url: str = ""
    """Address of the runbooks; empty: not known."""
    catalog: Catalog
    vantages: tuple[VantageView, ...]
    """Every configured one, silent ones too, in the order of the configuration."""
    events: Mapping[tuple[str, str], Event]
    """Active blocks by country and platform, of what is configured only."""
    unwatched: tuple[Event, ...] = ()
    """Active blocks of a country or platform that is no longer configured."""
    circumstances: tuple[Event, ...] = ()
    """Active events of every other kind (shutdowns, outages, …), oldest first."""
    ended: tuple[Event, ...] = ()
    """Events of every kind that were closed within `ENDED_SHOWN`, the newest last."""
    routes: Mapping[str, RouteView] = frozen_map({})
    """By the name of the `[[notify.route]]`."""
    ping_failures: int = 0
    storage_errors: Mapping[str, int]
    """By operation."""
    pruned_rows: int = 0
    """Old rows deleted since the process started."""
    database: DatabaseSize | None = None
    """As it was last asked; None: not yet."""
    prune_done_at: datetime | None = None
    """UTC; when the last round of deleting ended well; None: none yet in this process."""
    annotations: tuple[Annotation, ...] = ()
    """Dated facts that people added, by start; never part of detection."""
    sources: tuple[SourceView, ...] = ()
    """Configured sources of measurements that others take, in the order of the configuration."""
    witnesses: Mapping[str, tuple[AnyWitness, ...]] = frozen_map({})
    """Id of an active event → what these sources have of it."""
    withheld: tuple[Withheld, ...] = ()
    """What platforms themselves withhold in a country now; never part of detection."""
    page_looks: tuple[PageLook, ...] = ()
    """What each tested page said last, by country."""
    weaknesses: tuple[Finding, ...] = ()
    """What the configuration leaves open, as `shutwatch check` says it."""
    config_refused: bool = False
    """Whether the last reloaded configuration could not be used."""
    clock_steps: int = 0
    """Times the machine's clock was set since the process started."""
    clock_ahead: float = 0.0
    """Seconds by which it is ahead of the time that this process keeps."""
    config_used_at: datetime
    """UTC; when the current configuration was loaded."""
    leading: bool = True
    """Whether this process judges. Of several collectors exactly one leads and publishes events."""

    def ended_at(self, at: datetime) -> tuple[Event, ...]:
        """Events closed no longer than `ENDED_SHOWN` before this moment (UTC)."""
        return tuple(event for event in self.ended if at - event.updated_at <= ENDED_SHOWN)

    @property
    def blocks(self) -> tuple[Event, ...]:
        """All active blocks."""
        return (*self.events.values(), *self.unwatched)

    @property
    def countries(self) -> tuple[str, ...]:
        """Countries with a field vantage, sorted: where blocking can be seen."""
        return tuple(sorted({view.point.country for view in self.vantages if view.is_field}))

    @property
    def platforms(self) -> tuple[str, ...]:
        """Names of the platforms watched, in the catalogue's order."""
        return tuple(platform.name for platform in self.catalog.platforms)

    @property
    def stalled_after(self) -> float:
        """Seconds without a cycle of any vantage after which the monitor itself has stopped: the
        shortest time after which one is silent. Those that an event says are silent count only
        where all are, or a slow fleet would seem to stand still for a fast vantage that is gone."""
        gone = {
            event.vantage
            for event in self.circumstances
            if event.kind is EventKind.VANTAGE_SILENT and event.state is EventState.CONFIRMED
        }
        known = [(view.point.id in gone, view.stale_after) for view in self.vantages]
        return min(known)[1] if known else silent_after(self.interval)

    @property
    def has_controls(self) -> bool:
        """Whether a control vantage is configured."""
        return not all(view.is_field for view in self.vantages)

    def coverage_at(self, at: datetime, country: str = "") -> Coverage:
        """How much the current verdicts decide, in one country or everywhere. A vantage in
        quarantine makes no event, so it counts for nothing here either."""
        found = [
            coverage
            for pair, coverage in self.coverage_by_pair(at).items()
            if country in ("", pair[0])
        ]
        return Coverage(
            tallies=tuple(tally for coverage in found for tally in coverage.tallies),
            not_measured=sum(coverage.not_measured or 0 for coverage in found),
        )

    def decides_at(self, at: datetime) -> bool:
        """Whether any of the verdicts that `coverage_at` counts is decided."""
        watched = frozenset(self.platforms)
        return any(
            verdict.platform in watched and cause_of(verdict) is None
            for view in self.vantages
            if view.is_field
            for verdict in view.counted_at(at)
        )

    def coverage_by_pair(self, at: datetime) -> Mapping[tuple[str, str], Coverage]:
        """The same for each country and platform."""
        tallies, due = Tallies(), Counter[str]()
        watched = frozenset(self.platforms)
        for view in self.vantages:
            if not view.is_field or view.quarantined:
                continue
            point = view.point
            due[point.country] += 1
            for platform in self.platforms:
                tallies.expect(point.country, platform, point.asn, point.network)
            for verdict in view.platforms_at(at):
                if verdict.platform in watched:
                    tallies.add(verdict)
        by_pair: dict[tuple[str, str], list[Tally]] = {
            (country, platform): [] for country in due for platform in self.platforms
        }
        for one in tallies.made():
            by_pair[one.country, one.platform].append(one)
        return {
            pair: Coverage(
                tallies=tuple(own), not_measured=due[pair[0]] - sum(one.cycles for one in own)
            )
            for pair, own in by_pair.items()
        }

    def networks_blocked(
        self, at: datetime
    ) -> Mapping[tuple[str, str], tuple[frozenset[tuple[str, int, str]], int]]:
        """By country and platform: the blocking networks, and the number of decided networks.

        An undecided network is in neither, nor is a vantage that is left out by hand, and a pair
        without a decided network is absent: "not known" must not read as "not blocked".
        """
        decided: dict[tuple[str, str], dict[tuple[str, int, str], bool]] = {}
        for view in self.vantages:
            for verdict in view.counted_at(at):
                if cause_of(verdict) is None:
                    networks = decided.setdefault((view.point.country, verdict.platform), {})
                    blocked = verdict.state is State.BLOCKED
                    networks[view.network] = networks.get(view.network, False) or blocked
        return {
            pair: (frozenset(n for n, blocked in networks.items() if blocked), len(networks))
            for pair, networks in decided.items()
        }
