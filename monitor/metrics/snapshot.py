"""What is known right now about every vantage, as one immutable value that surfaces read.

A Snapshot never changes: the publisher swaps it for a new one. Whatever depends on the moment
of reading, such as staleness, takes that moment as an argument.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import TypeVar

import msgspec

from monitor.analysis.events.event import Event
from monitor.analysis.throttling.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import PlatformVerdict, State, VantageHealth, VantageState
from monitor.budget.budget import Effort
from probes.catalog.catalog import Catalog
from probes.measurement import Layer
from probes.vantage import VantagePoint, VantageRole
from storage.values.reviews import Annotation

BUCKETS = (0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds in seconds, inclusive; an eighth bucket takes the rest. DNS timeouts (4 s) fall
into the last bounded one, all other timeouts (10 s) beyond it."""

STALE_INTERVALS = 3
"""A vantage that finished no cycle for this many intervals has nothing current to say."""

STALE_FLOOR = 180.0
"""Seconds below which nothing is stale. With a very short interval, one cycle full of timeouts
would otherwise outlast three intervals, and a block would hide itself."""


_REACHED = (State.OK, State.DEGRADED, State.THROTTLED)

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


def frozen_map(entries: Mapping[K, V]) -> Mapping[K, V]:
    """A read-only copy."""
    return MappingProxyType(dict(entries))


class RouteView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the notices of one route; counters start at zero with the process."""

    sent: int = 0
    failures: int = 0
    """Attempts that failed."""
    pending: int = 0
    """Notices that wait, now."""


class VantageView(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one configured vantage; counters start at zero with the process."""

    point: VantagePoint
    health: VantageHealth | None = None
    platforms: tuple[PlatformVerdict, ...] = ()
    """Of the last cycle, however old: read them through `platforms_at`."""
    last_report_at: datetime | None = None
    """UTC; when its last cycle finished, also one before this process started; None: never."""
    last_success_at: datetime | None = None
    """UTC; when its last cycle that was also stored finished."""
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
    """The UTC day of the last turn, and bytes used on it until then; None before the first."""
    turns: Mapping[Effort, int] = msgspec.field(
        default_factory=lambda: frozen_map(dict.fromkeys(Effort, 0))
    )
    """Turns by how closely was looked in them, those left out to save bytes included."""
    transfers: tuple[TransferVerdict, ...] = ()
    """The last speed measured of each object, however long ago."""
    schedule_missed: int = 0
    outlier_platforms: int = 0
    """Platforms on which it stands alone against the others of its network."""
    left_out: bool = False
    """Whether a person has it left out of events."""
    stale_after: float
    """Seconds after which a judgement is no longer current."""

    @property
    def is_field(self) -> bool:
        """True where blocking may happen."""
        return self.point.role is VantageRole.FIELD

    @property
    def network(self) -> tuple[str, int, str]:
        """Country, AS number and name: vantages that share them are one network."""
        return self.point.country, self.point.asn, self.point.network

    def health_at(self, at: datetime) -> VantageHealth | None:
        """Its health, if still current at that moment."""
        return self.health if self.health and self._recent(self.health.at, at) else None

    def platforms_at(self, at: datetime) -> tuple[PlatformVerdict, ...]:
        """What is current at that moment: nothing once stale, and never for a control."""
        if not self.is_field:
            return ()
        return tuple(v for v in self.platforms if self._recent(v.judged_at, at))

    def transfers_at(self, at: datetime) -> tuple[TransferVerdict, ...]:
        """The last speed measured of each object, as long as its platform can be reached."""
        reached = {v.platform for v in self.platforms_at(at) if v.state in _REACHED}
        return tuple(one for one in self.transfers if one.verdict.platform in reached)

    def state_at(self, at: datetime) -> VantageState:
        """Its health at that moment; unknown when silent, for silence is not health."""
        health = self.health_at(at)
        return health.state if health else VantageState.UNKNOWN

    def _recent(self, moment: datetime, at: datetime) -> bool:
        return (at - moment).total_seconds() <= self.stale_after


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All vantages, all active events, at one moment."""

    at: datetime
    """UTC; when it was made."""
    interval: float
    """Seconds between two cycles of one vantage, as configured."""
    daily_bytes: int = 0
    """Bytes a day and vantage from which on no more speed is measured."""
    public_url: str = ""
    """Where people reach the page from outside; empty: nowhere."""
    catalog: Catalog
    vantages: tuple[VantageView, ...]
    """Every configured one, silent ones too, in the order of the configuration."""
    events: Mapping[tuple[str, str], Event]
    """Active blocks by country and platform, of what is configured only."""
    circumstances: tuple[Event, ...] = ()
    """Active events of every other kind (shutdowns, outages, …), oldest first."""
    routes: Mapping[str, RouteView] = frozen_map({})
    """By the name of the `[[notify.route]]`."""
    ping_failures: int = 0
    storage_errors: Mapping[str, int]
    """By what was being done."""
    pruned_rows: int = 0
    """Old rows deleted since the process started."""
    prune_done_at: datetime | None = None
    """UTC; when the last round of deleting ended well; None: none yet in this process."""
    annotations: tuple[Annotation, ...] = ()
    """What people noted of the world around, by when it began; never part of what was detected."""
    config_refused: bool = False
    """Whether the configuration was read again and could not be used."""
    config_used_at: datetime
    """UTC; since when this one is."""
    leading: bool = True
    """Whether this process judges; of several collectors one does, and tells what it concluded."""

    @property
    def countries(self) -> tuple[str, ...]:
        """Countries with a field vantage, sorted: where blocking can be seen."""
        return tuple(sorted({view.point.country for view in self.vantages if view.is_field}))

    @property
    def platforms(self) -> tuple[str, ...]:
        """Names of the platforms watched, in the catalogue's order."""
        return tuple(platform.name for platform in self.catalog.platforms)

    def networks_blocked(
        self, at: datetime
    ) -> Mapping[tuple[str, str], tuple[frozenset[tuple[str, int, str]], int]]:
        """By country and platform: the networks blocking it and how many networks could tell.

        A network that could not tell is in neither, and a pair no network could tell about is
        absent: nothing known must not read as nothing blocked.
        """
        told: dict[tuple[str, str], dict[tuple[str, int, str], bool]] = {}
        for view in self.vantages:
            for verdict in view.platforms_at(at):
                if verdict.state is not State.INSUFFICIENT:
                    networks = told.setdefault((view.point.country, verdict.platform), {})
                    blocked = verdict.state is State.BLOCKED
                    networks[view.network] = networks.get(view.network, False) or blocked
        return {
            pair: (frozenset(n for n, blocked in networks.items() if blocked), len(networks))
            for pair, networks in told.items()
        }
