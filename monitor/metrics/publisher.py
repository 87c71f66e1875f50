"""Merges all vantages into one immutable Snapshot and replaces it on each change.

Only the event loop's thread calls the methods; any thread may read `snapshot`. What a cycle costs
does not depend on the number of vantages: the tuple of all of them is made when somebody reads.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock

import msgspec

from monitor.analysis.events.event import Event, EventKind
from monitor.analysis.events.pace import Pace
from monitor.analysis.second_witness import AnyWitness
from monitor.analysis.verdict import PlatformVerdict, VantageHealth
from monitor.budget.budget import Effort
from monitor.budget.bytes_used import bytes_of
from monitor.metrics.page_look import PageLook
from monitor.metrics.snapshot import (
    MOST_ENDED,
    Histogram,
    RouteView,
    Snapshot,
    VantageView,
    frozen_map,
    silent_after,
)
from monitor.metrics.source_view import SourceView
from monitor.wording.findings import Finding
from probes.catalog.catalog import Catalog
from probes.failure_strings import Failure, failure_class
from probes.measurement import REFERENCE_PLATFORM, Layer, Measurement, layer_of
from probes.vantage import VantagePoint
from storage.values.cycle import Cycle
from storage.values.database_size import DatabaseSize
from storage.values.reviews import Annotation
from storage.values.withheld import Withheld

EXPECTED_FAILURES: Mapping[Layer, tuple[Failure, ...]] = {
    Layer.DNS: (
        Failure.DNS_NXDOMAIN,
        Failure.DNS_REFUSED,
        Failure.DNS_SERVFAIL,
        Failure.DNS_BOGON,
        Failure.GENERIC_TIMEOUT,
    ),
    Layer.TCP: (
        Failure.CONNECTION_REFUSED,
        Failure.GENERIC_TIMEOUT,
        Failure.HOST_UNREACHABLE,
        Failure.NETWORK_UNREACHABLE,
    ),
    Layer.TLS: (
        Failure.CONNECTION_RESET,
        Failure.EOF,
        Failure.GENERIC_TIMEOUT,
        Failure.SSL_FAILED_HANDSHAKE,
        Failure.SSL_INVALID_HOSTNAME,
        Failure.SSL_UNKNOWN_AUTHORITY,
    ),
    Layer.HTTP: (Failure.CONNECTION_RESET, Failure.EOF, Failure.GENERIC_TIMEOUT),
}
"""Failures that blocking usually causes; they count from zero, so a rate includes the first."""

STORAGE_OPERATIONS = ("save", "read", "prune")
"""Operations whose storage errors count from zero."""


class Publisher:
    """Owns the snapshot that all surfaces read."""

    def __init__(
        self,
        vantages: Sequence[VantagePoint],
        catalog: Catalog,
        now: Callable[[], datetime],
        *,
        interval: float = 300.0,
        daily_bytes: int = 300_000_000,
        public_url: str = "",
        runbooks_url: str = "",
        leading: bool = True,
        weaknesses: tuple[Finding, ...] = (),
    ) -> None:
        """`now` returns the current UTC time; `interval` is the seconds between a vantage's cycles.

        `daily_bytes` is the limit shown next to the traffic, `public_url` the public address of
        the page, `runbooks_url` that of the runbooks; `leading` is true when this process judges;
        `weaknesses` is what the configuration leaves open.
        """
        self._now = now
        self._lock = Lock()
        """Between the event loop, which changes, and threads that read."""
        self._views: dict[str, VantageView] = {}
        """By vantage, in the order of the configuration: as they are now."""
        self._read = True
        """Whether the snapshot has all of them as they are now."""
        self._active: tuple[Event, ...] | None = None
        """The events that the snapshot shows, with those that are not configured."""
        self._snapshot = Snapshot(
            at=now(),
            interval=interval,
            daily_bytes=daily_bytes,
            public_url=public_url,
            runbooks_url=runbooks_url,
            catalog=catalog,
            vantages=(),
            events=frozen_map({}),
            storage_errors=frozen_map(dict.fromkeys(STORAGE_OPERATIONS, 0)),
            config_used_at=now(),
            leading=leading,
            weaknesses=weaknesses,
        )
        self._watched = self._watch_all(
            [_silent(point, catalog, interval, now()) for point in vantages]
        )

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot."""
        with self._lock:
            if not self._read:
                self._snapshot = msgspec.structs.replace(
                    self._snapshot, vantages=tuple(self._views.values())
                )
                self._read = True
            return self._snapshot

    def now(self) -> datetime:
        """The current UTC time by the publisher's clock, for reading a snapshot."""
        return self._now()

    def ready(self) -> tuple[bool, str]:
        """Whether cycles are finished, and a sentence that says so."""
        sources = self._snapshot.sources
        if not self._views and sources:
            if any(source.answers(self._now()) for source in sources):
                return True, "ready"
            return False, "not ready: no source has been read lately"
        reported = [view for view in self._views.values() if view.last_report_at is not None]
        if not reported:
            return False, "not ready: no vantage has finished its first cycle yet"
        now = self._now()
        longest = self.snapshot.stalled_after
        if any(view.waited(view.last_report_at, now) <= longest for view in reported):
            return True, "ready"
        return False, "not ready: no vantage has finished a cycle lately"

    def clock_seen(self, steps: int, ahead: float) -> None:
        """Show how often the machine's clock was set, and how many seconds it is ahead of our time
        now."""
        self._swap(clock_steps=steps, clock_ahead=ahead)

    def publish(self, cycle: Cycle, active_events: Sequence[Event], *, stored: bool = True) -> None:
        """Show a finished cycle and the active events, which replace those shown before.

        A cycle that could not be stored (`stored` false) is shown but does not count as a success.
        Control measurements count for the vantage that made them.
        """
        by_vantage: dict[str, list[Measurement]] = {}
        for measurement in cycle.measurements:
            if measurement.cycle != cycle.id:
                continue  # a control measurement shared with another cycle, which counts it
            by_vantage.setdefault(measurement.vantage, []).append(measurement)
        changed = {
            vantage: _counted(self._views[vantage], measurements)
            for vantage, measurements in by_vantage.items()
            if vantage in self._views
        }
        own = changed.get(cycle.vantage) or self._views.get(cycle.vantage)
        if own is not None:
            changed[cycle.vantage] = self._reported(own, cycle, stored)
        self._swap(changed.values(), **self._by_kind(active_events))

    def mark_outliers(
        self, country: str, outliers: Mapping[str, int], quarantined: Callable[[str], bool]
    ) -> None:
        """Show on how many platforms each vantage of a country disagrees with its network, and
        which vantages are in quarantine."""
        for vantage in self._watched.by_country.get(country, ()):
            view, alone, out = self._views[vantage], outliers.get(vantage, 0), quarantined(vantage)
            # A view that stays the same is not replaced: what was made of it still holds.
            if view.outlier_platforms != alone or view.quarantined is not out:
                changes = {"outlier_platforms": alone, "quarantined": out}
                self._swap([msgspec.structs.replace(view, **changes)])

    def mark_quarantined(self, quarantined: Callable[[str], bool]) -> None:
        """Show which vantages are in quarantine."""
        for vantage, view in tuple(self._views.items()):
            if view.quarantined is not (out := quarantined(vantage)):
                self._swap([msgspec.structs.replace(view, quarantined=out)])

    def lead(self, *, leading: bool) -> None:
        """Show from now on whether this process judges."""
        self._swap(leading=leading)

    def show_events(self, active_events: Sequence[Event]) -> None:
        """Show the active events, which replace those shown before."""
        self._swap(**self._by_kind(active_events))

    def show_ended(self, events: Iterable[Event]) -> None:
        """Show closed events among these for a day, beside those shown before. An event that
        goes on again is no longer shown as ended."""
        known = {event.id: event for event in self._snapshot.ended_at(self._now())}
        for event in events:
            known.pop(event.id, None)
            if not event.active and self._is_configured(event):
                known[event.id] = event
        ended = sorted(known.values(), key=lambda event: (event.updated_at, event.id))
        self._swap(ended=tuple(ended[-MOST_ENDED:]))

    def _is_configured(self, event: Event) -> bool:
        """Whether an event is about what is configured; any other could never end."""
        watched = self._watched
        return (
            (not event.platform or event.platform in watched.platforms)
            and (not event.country or event.country in watched.by_country)
            and (not event.vantage or event.vantage in self._views)
        )

    def watch(self, vantages: Sequence[VantagePoint], active_events: Sequence[Event]) -> None:
        """Show these vantages; unchanged ones keep all that is known of them."""
        catalog, interval = self._snapshot.catalog, self._snapshot.interval
        fresh = [_silent(point, catalog, interval, self._now()) for point in vantages]
        self._watched = self._watch_all(
            [_kept(self._views.get(view.point.id), view, interval) for view in fresh]
        )
        self.show_events(active_events)

    def cycle_missed(self, vantage: str) -> None:
        """Count a scheduled cycle that did not run."""
        self._change(vantage, lambda view: {"schedule_missed": view.schedule_missed + 1})

    def cycle_taken(self, vantage: str, effort: Effort, spent: int) -> None:
        """Count a cycle of a vantage and show the bytes it has used today (UTC)."""
        day = self._now().date()
        self._change(
            vantage,
            lambda view: {
                "cycles": frozen_map({**view.cycles, effort: view.cycles[effort] + 1}),
                "day_bytes": (day, spent),
            },
        )

    def storage_error(self, kind: str) -> None:
        """Count a failure of the store; `kind` is one short word for the operation.

        Anything else counts as `other`, so that error texts never become labels.
        """
        word = kind if kind.isidentifier() and len(kind) <= 32 else "other"
        errors = self._snapshot.storage_errors
        self._swap(storage_errors=frozen_map({**errors, word: errors.get(word, 0) + 1}))

    def pruned(self, rows: int) -> None:
        """Count deleted old rows."""
        self._swap(pruned_rows=self._snapshot.pruned_rows + rows)

    def database_sized(self, size: DatabaseSize) -> None:
        """Note how large the database is."""
        self._swap(database=size)

    def prune_done(self) -> None:
        """Note that all rows beyond retention are deleted."""
        self._swap(prune_done_at=self._now())

    def use(
        self,
        vantages: Sequence[VantagePoint],
        catalog: Catalog,
        active_events: Sequence[Event],
        *,
        interval: float,
        daily_bytes: int,
        public_url: str,
        runbooks_url: str,
        weaknesses: tuple[Finding, ...] = (),
    ) -> None:
        """Show the vantages and platforms of a new configuration.

        Unchanged vantages keep all that is known of them; changed ones start from zero. The
        arguments are those of `__init__`.
        """
        self._swap(
            interval=interval,
            daily_bytes=daily_bytes,
            public_url=public_url,
            runbooks_url=runbooks_url,
            catalog=catalog,
            weaknesses=weaknesses,
            config_refused=False,
            config_used_at=self._now(),
        )
        self.watch(vantages, active_events)

    def notified(self, route: str, count: int) -> None:
        """Count events that a target of a route was notified of by one message."""
        self._count_route(route, sent=count)

    def notification_failed(self, route: str) -> None:
        """Count a failed attempt to deliver to a target of a route."""
        self._count_route(route, failures=1)

    def notifications_pending(
        self,
        pending: Mapping[str, Sequence[datetime]],
        given_up: Mapping[str, int] = frozen_map({}),
    ) -> None:
        """Show the notifications of each route that wait, each by the UTC time from which it is
        overdue, and how many were given up in the last day; routes that are not named are
        removed."""
        before = self._snapshot.routes
        routes = {
            route: msgspec.structs.replace(
                before.get(route, RouteView()),
                overdue_from=tuple(times),
                given_up=given_up.get(route, 0),
            )
            for route, times in pending.items()
        }
        if routes != before:
            self._swap(routes=frozen_map(routes))

    def ping_failed(self) -> None:
        """Count a ping without an answer."""
        self._swap(ping_failures=self._snapshot.ping_failures + 1)

    def _count_route(self, route: str, sent: int = 0, failures: int = 0) -> None:
        before = self._snapshot.routes.get(route, RouteView())
        now = msgspec.structs.replace(
            before, sent=before.sent + sent, failures=before.failures + failures
        )
        self._swap(routes=frozen_map({**self._snapshot.routes, route: now}))

    def annotated(self, annotations: Sequence[Annotation]) -> None:
        """Show these annotations instead of those shown before."""
        shown = tuple(annotations)
        if shown != self._snapshot.annotations:
            self._swap(annotations=shown)

    def sources_seen(
        self,
        sources: tuple[SourceView, ...],
        witnesses: Mapping[str, tuple[AnyWitness, ...]] = frozen_map({}),
    ) -> None:
        """Show these sources of others' measurements instead of those shown before, and what they
        have of active events, by id."""
        if (sources, witnesses) != (self._snapshot.sources, self._snapshot.witnesses):
            self._swap(sources=sources, witnesses=frozen_map(witnesses))

    def withheld_seen(self, found: tuple[Withheld, ...], looks: tuple[PageLook, ...]) -> None:
        """Show that platforms withhold these, and what each page said last."""
        if (found, looks) != (self._snapshot.withheld, self._snapshot.page_looks):
            self._swap(withheld=found, page_looks=looks)

    def config_refused(self) -> None:
        """Show that a reloaded configuration could not be used."""
        self._swap(config_refused=True)

    def restore(
        self,
        latest_platforms: Iterable[PlatformVerdict],
        latest_health: Iterable[VantageHealth],
        active_events: Sequence[Event],
        paces: Mapping[str, Pace] = frozen_map({}),
    ) -> None:
        """Show what an earlier process knew, with its original times. `paces` are those of
        vantages, where more is known of them than when each reported last.

        Stale results are kept but not shown as current. Vantages and platforms that are no longer
        configured are dropped, and what a vantage found in another country than it is in now.
        """
        platforms: dict[tuple[str, str], list[PlatformVerdict]] = {}
        for verdict in latest_platforms:
            if verdict.platform in self._snapshot.platforms:
                platforms.setdefault((verdict.vantage, verdict.country), []).append(verdict)
        health = {(one.vantage, one.country): one for one in latest_health}
        self._swap(
            [
                _restored(
                    view,
                    platforms.get((vantage, view.point.country), []),
                    health.get((vantage, view.point.country)),
                    paces.get(vantage),
                    self._snapshot.interval,
                )
                for vantage, view in self._views.items()
            ],
            **self._by_kind(active_events),
        )

    def _reported(self, view: VantageView, cycle: Cycle, stored: bool) -> VantageView:
        watched = self._watched.platforms
        platforms = tuple(v for v in cycle.platforms if v.platform in watched)
        if cycle.hurried:
            seen = {verdict.platform for verdict in platforms}
            return msgspec.structs.replace(
                view,
                health=cycle.health,
                platforms=(*(v for v in view.platforms if v.platform not in seen), *platforms),
            )
        after = msgspec.structs.replace(
            view,
            health=cycle.health,
            platforms=platforms,
            last_report_at=cycle.finished_at,
            last_success_at=cycle.finished_at if stored else view.last_success_at,
            cycle_started_at=cycle.started_at,
            cycle_finished_at=cycle.finished_at,
            # Of each object the newest.
            transfers=tuple(
                {
                    (one.verdict.platform, one.verdict.endpoint): one
                    for one in (*view.transfers, *cycle.transfers)
                }.values()
            ),
        )
        interval = self._snapshot.interval
        return _at_pace(after, view.pace.reported(cycle.finished_at, interval), interval)

    def _by_kind(self, events: Sequence[Event]) -> dict[str, object]:
        """What changes in the snapshot: active blocks by country and platform, those of what is not
        configured, and active events of other kinds."""
        if self._active is not None and tuple(events) == self._active:
            return {}
        self._active = tuple(events)
        active = [event for event in events if event.active]
        blocks = [event for event in active if event.kind is EventKind.BLOCK]
        watched = self._watched
        return {
            "events": frozen_map(
                {
                    (event.country, event.platform): event
                    for event in sorted(blocks, key=lambda event: event.detected_at)
                    if event.country in watched.fields and event.platform in watched.platforms
                }
            ),
            "unwatched": tuple(
                event
                for event in blocks
                if event.country not in watched.fields or event.platform not in watched.platforms
            ),
            "circumstances": tuple(
                e for e in active if e.kind is not EventKind.BLOCK and self._is_configured(e)
            ),
        }

    def _change(self, vantage: str, changes: Callable[[VantageView], dict[str, object]]) -> None:
        """Change one vantage, where it is known."""
        view = self._views.get(vantage)
        if view is not None:
            self._swap([msgspec.structs.replace(view, **changes(view))])

    def _watch_all(self, views: Sequence[VantageView]) -> "_Watched":
        """Show these vantages, and no others. Events are chosen anew afterwards."""
        self._active = None
        with self._lock:
            self._views = {view.point.id: view for view in views}
            self._read = False
        by_country: dict[str, list[str]] = {}
        for view in views:
            by_country.setdefault(view.point.country, []).append(view.point.id)
        return _Watched(
            platforms=frozenset(self._snapshot.platforms),
            by_country=by_country,
            fields=frozenset(view.point.country for view in views if view.is_field),
        )

    def _swap(self, views: Iterable[VantageView] = (), /, **changes: object) -> None:
        """Replace these vantages' views, and anything else of the snapshot."""
        with self._lock:
            for view in views:
                self._views[view.point.id] = view
                self._read = False
            self._snapshot = msgspec.structs.replace(self._snapshot, at=self._now(), **changes)


class _Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured, for asking."""

    platforms: frozenset[str]
    by_country: Mapping[str, Sequence[str]]
    """The ids of the vantages of each country, controls' too."""
    fields: frozenset[str]
    """Countries with a field vantage."""


def _at_pace(view: VantageView, pace: Pace, interval: float) -> VantageView:
    """The view of a vantage that reports at this pace, where the collector's interval is so many
    seconds. Its own may be longer, and its last cycle too."""
    length = 0.0
    if view.cycle_started_at is not None and view.cycle_finished_at is not None:
        length = (view.cycle_finished_at - view.cycle_started_at).total_seconds()
    # One long pause is no interval.
    own = pace.usual if len(pace.pauses) > 1 else 0
    stale_after = silent_after(max(interval, length, own))
    return msgspec.structs.replace(view, pace=pace, stale_after=stale_after)


def _silent(point: VantagePoint, catalog: Catalog, interval: float, now: datetime) -> VantageView:
    names = (*(platform.name for platform in catalog.platforms), REFERENCE_PLATFORM)
    return VantageView(
        point=point,
        probes=frozen_map(dict.fromkeys(names, 0)),
        failures=frozen_map(
            {(layer, str(f)): 0 for layer, several in EXPECTED_FAILURES.items() for f in several}
        ),
        durations=frozen_map(dict.fromkeys(EXPECTED_FAILURES, Histogram())),
        cycles=frozen_map(dict.fromkeys(Effort, 0)),
        stale_after=silent_after(interval),
        awaited_since=now,
    )


def _kept(known: VantageView | None, fresh: VantageView, interval: float) -> VantageView:
    """What is known of a vantage, fitted to a new configuration."""
    if known is None or known.point != fresh.point:
        return fresh
    kept = msgspec.structs.replace(
        known,
        platforms=tuple(v for v in known.platforms if v.platform in fresh.probes),
        transfers=tuple(t for t in known.transfers if t.verdict.platform in fresh.probes),
        probes=frozen_map({name: known.probes.get(name, 0) for name in fresh.probes}),
    )
    return _at_pace(kept, known.pace, interval)


def _counted(view: VantageView, measurements: Sequence[Measurement]) -> VantageView:
    """`view` with these measurements counted; observations of follow-ups do not count."""
    if not measurements:
        return view
    probes = Counter(m.platform for m in measurements if m.platform in view.probes)
    failures: Counter[tuple[Layer, str]] = Counter()
    durations: dict[Layer, list[float]] = {}
    for observation in (o for m in measurements for o in m.observations if not o.reason):
        layer = layer_of(observation)
        durations.setdefault(layer, []).append(observation.duration)
        if observation.failure is not None:
            failures[layer, failure_class(observation.failure)] += 1
    return msgspec.structs.replace(
        view,
        bytes_used=view.bytes_used + sum(map(bytes_of, measurements)),
        probes=frozen_map({name: n + probes[name] for name, n in view.probes.items()}),
        failures=frozen_map(
            {
                pair: view.failures.get(pair, 0) + failures[pair]
                for pair in {**view.failures, **failures}
            }
        ),
        durations=frozen_map(
            {
                **view.durations,
                **{
                    layer: view.durations.get(layer, Histogram()).with_added(seconds)
                    for layer, seconds in durations.items()
                },
            }
        ),
    )


def _restored(
    view: VantageView,
    platforms: Sequence[PlatformVerdict],
    health: VantageHealth | None,
    pace: Pace | None,
    interval: float,
) -> VantageView:
    times = [verdict.judged_at for verdict in platforms] + ([health.at] if health else [])
    if not times:
        return view
    restored = msgspec.structs.replace(
        view,
        health=health,
        platforms=tuple(platforms),
        last_report_at=max(times),
        last_success_at=max(times),
    )
    return _at_pace(restored, pace or view.pace.reported(max(times), interval), interval)
