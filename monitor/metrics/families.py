"""Prometheus families, built afresh from one snapshot on every scrape.

The tables below are the whole list; docs/metrics.md explains each family and is tested against
them. Nothing here is remembered between scrapes, so a vantage or platform that is gone leaves
no ghost series behind.
"""

import platform as python_platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import accumulate
from math import inf
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from monitor import __version__
from monitor.analysis.events.agreement import WITNESSES
from monitor.analysis.events.event import Event, Scope
from monitor.analysis.verdict import PlatformVerdict, State, VantageState
from monitor.metrics.ingest_counts import IngestCounts
from monitor.metrics.ingest_families import IngestCollector
from monitor.metrics.publisher import Publisher
from monitor.metrics.snapshot import BUCKETS, Snapshot, VantageView
from monitor.wording.local_time import local_text, utc_text
from monitor.wording.methods import method_label
from monitor.wording.plain import visible
from monitor.wording.words import words_in

PREFIX = "shutwatch_"
ANNOTATION_TEXT = 120
"""Characters of an annotation in a label, at most."""

VANTAGE = ("country", "network", "asn", "vantage")
VANTAGE_ROLE = (*VANTAGE, "vantage_role")
PAIR = ("country", "platform")
ONSET = ("onset_earliest", "onset_latest", "onset_local")

Rows = Iterable[tuple[tuple[str, ...], float]]


class Family(NamedTuple):
    """One family: its name without prefix and suffix, its help text, its labels, its samples."""

    name: str
    help: str
    labels: tuple[str, ...]
    rows: Callable[[Snapshot, datetime], Rows]
    everywhere: bool = False
    """Of this process: told whether it judges or not. All others only by the one that does, so that
    nothing is counted twice where there are several."""


def _of(view: VantageView) -> tuple[str, ...]:
    point = view.point
    return point.country, point.network, str(point.asn), point.id


def _with_role(view: VantageView) -> tuple[str, ...]:
    return (*_of(view), str(view.point.role))


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _verdicts(snapshot: Snapshot, at: datetime) -> Iterator[tuple[VantageView, PlatformVerdict]]:
    for view in snapshot.vantages:
        for verdict in view.platforms_at(at):
            yield view, verdict


def _pairs(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], Event | None]]:
    for country in snapshot.countries:
        for platform in snapshot.platforms:
            yield (country, platform), snapshot.events.get((country, platform))


def _events(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], Event]]:
    return ((pair, event) for pair, event in _pairs(snapshot) if event)


def _public_url(snapshot: Snapshot, _: datetime) -> Rows:
    if snapshot.public_url:
        yield (snapshot.public_url,), 1


def _build_info(_: Snapshot, __: datetime) -> Rows:
    yield (__version__, python_platform.python_version()), 1


def _annotations(snapshot: Snapshot, _: datetime) -> Rows:
    for one in snapshot.annotations:
        text = visible(one.text)
        told = text if len(text) <= ANNOTATION_TEXT else f"{text[: ANNOTATION_TEXT - 1]}…"
        yield (one.country, one.platform, one.kind, told, one.id), one.since.timestamp()


def _config_successful(snapshot: Snapshot, _: datetime) -> Rows:
    yield (), not snapshot.config_refused


def _config_used_at(snapshot: Snapshot, _: datetime) -> Rows:
    yield (), _seconds(snapshot.config_used_at)


def _leader(snapshot: Snapshot, _: datetime) -> Rows:
    yield (), snapshot.leading


def _pruned(snapshot: Snapshot, _: datetime) -> Rows:
    yield (), snapshot.pruned_rows


def _prune_done(snapshot: Snapshot, _: datetime) -> Rows:
    yield (), _seconds(snapshot.prune_done_at)


def _interval(snapshot: Snapshot, _: datetime) -> Rows:
    yield (), snapshot.interval


def _platform_state(snapshot: Snapshot, at: datetime) -> Rows:
    for view, verdict in _verdicts(snapshot, at):
        for state in State:
            yield (*_of(view), verdict.platform, state), verdict.state is state


def _role_state(snapshot: Snapshot, at: datetime) -> Rows:
    for view, verdict in _verdicts(snapshot, at):
        for role in verdict.roles:
            yield (*_of(view), verdict.platform, role.role, role.state), 1


def _blocked_method(snapshot: Snapshot, at: datetime) -> Rows:
    for view, verdict in _verdicts(snapshot, at):
        if verdict.state in (State.BLOCKED, State.DEGRADED, State.THROTTLED):
            method, sub_method = verdict.method, verdict.sub_method
            meaning = method_label(method, sub_method)
            yield (*_of(view), verdict.platform, method, sub_method, meaning), 1


def _blocked_networks_ratio(snapshot: Snapshot, at: datetime) -> Rows:
    for pair, (blocked, told) in snapshot.networks_blocked(at).items():
        yield pair, len(blocked) / told


def _event_active(snapshot: Snapshot, _: datetime) -> Rows:
    known = {platform.name: platform for platform in snapshot.catalog.platforms}
    for pair, event in _pairs(snapshot):
        platform = known[pair[1]]
        yield (*pair, platform.title, platform.owner), event is not None


def _effect(event: Event) -> str:
    """What an event does to people: a word for messages, which must not claim more than that."""
    if event.methods and all(method.startswith("throttling") for method in event.methods):
        return "throttled"
    return "partial" if event.scope is Scope.PARTIAL else "blocked"


def _event_state(snapshot: Snapshot, _: datetime) -> Rows:
    for pair, event in _events(snapshot):
        confirmed = str(event.confirmed_at is not None).lower()
        earliest = utc_text(event.onset_earliest) if event.onset_earliest else ""
        latest = utc_text(event.onset_latest)
        local = local_text(event.onset_latest, event.country)
        told = (_effect(event), event.id, confirmed, earliest, latest, local)
        yield (*pair, event.state, *told), 1


def _event_onset(snapshot: Snapshot, _: datetime) -> Rows:
    return ((pair, _seconds(event.onset_latest)) for pair, event in _events(snapshot))


def _event_affected(snapshot: Snapshot, _: datetime) -> Rows:
    return ((pair, len(event.networks_affected)) for pair, event in _events(snapshot))


def _event_seen(snapshot: Snapshot, _: datetime) -> Rows:
    return ((pair, len(event.networks)) for pair, event in _events(snapshot))


def _circumstance_state(snapshot: Snapshot, _: datetime) -> Rows:
    for event in snapshot.circumstances:
        yield (event.kind, event.country, event.platform, event.vantage, event.state), 1


def _vantage_state(snapshot: Snapshot, at: datetime) -> Rows:
    for view in snapshot.vantages:
        for state in VantageState:
            yield (*_with_role(view), state), view.state_at(at) is state


def _reference_ratio(snapshot: Snapshot, at: datetime) -> Rows:
    for view in snapshot.vantages:
        health = view.health_at(at)
        if health and health.references_total:
            yield _with_role(view), health.references_ok / health.references_total


def _clock_skew(snapshot: Snapshot, at: datetime) -> Rows:
    for view in snapshot.vantages:
        health = view.health_at(at)
        if health and health.clock_skew is not None:
            yield _with_role(view), health.clock_skew


def _exit_match(snapshot: Snapshot, at: datetime) -> Rows:
    for view in snapshot.vantages:
        health = view.health_at(at)
        if health:
            yield _with_role(view), not (health.exit_country or health.exit_asn)


def _outliers(snapshot: Snapshot, _: datetime) -> Rows:
    fields = [view for view in snapshot.vantages if view.is_field]
    sizes = Counter(view.network for view in fields)
    for view in fields:
        if sizes[view.network] > WITNESSES:
            yield _with_role(view), view.outlier_platforms


def _left_out(snapshot: Snapshot, _: datetime) -> Rows:
    for view in snapshot.vantages:
        if view.left_out:
            yield _with_role(view), 1


def _last_report(snapshot: Snapshot, _: datetime) -> Rows:
    return ((_with_role(view), _seconds(view.last_report_at)) for view in snapshot.vantages)


def _vantage_info(snapshot: Snapshot, _: datetime) -> Rows:
    for view in snapshot.vantages:
        country = words_in().country(view.point.country)
        yield (*_with_role(view), view.point.egress.kind, country), 1


def _last_success(snapshot: Snapshot, _: datetime) -> Rows:
    return ((_of(view), _seconds(view.last_success_at)) for view in snapshot.vantages)


def _cycle_duration(snapshot: Snapshot, _: datetime) -> Rows:
    for view in snapshot.vantages:
        if view.cycle_started_at and view.cycle_finished_at:
            yield _of(view), (view.cycle_finished_at - view.cycle_started_at).total_seconds()


def _schedule_missed(snapshot: Snapshot, _: datetime) -> Rows:
    return ((_of(view), view.schedule_missed) for view in snapshot.vantages)


def _storage_errors(snapshot: Snapshot, _: datetime) -> Rows:
    return (((operation,), count) for operation, count in snapshot.storage_errors.items())


def _notifications(snapshot: Snapshot, _: datetime) -> Rows:
    return (((name,), route.sent) for name, route in snapshot.routes.items())


def _notification_failures(snapshot: Snapshot, _: datetime) -> Rows:
    return (((name,), route.failures) for name, route in snapshot.routes.items())


def _notifications_pending(snapshot: Snapshot, _: datetime) -> Rows:
    return (((name,), route.pending) for name, route in snapshot.routes.items())


def _ping_failures(snapshot: Snapshot, _: datetime) -> Rows:
    yield (), snapshot.ping_failures


def _bytes(snapshot: Snapshot, _: datetime) -> Rows:
    return ((_with_role(view), view.bytes_used) for view in snapshot.vantages)


def _daily_bytes(snapshot: Snapshot, at: datetime) -> Rows:
    for view in snapshot.vantages:
        day, used = view.day_bytes or (None, 0)
        yield _with_role(view), used if day == at.date() else 0


def _cycles(snapshot: Snapshot, _: datetime) -> Rows:
    for view in snapshot.vantages:
        for effort, count in view.turns.items():
            yield (*_of(view), effort), count


def _daily_bytes_limit(snapshot: Snapshot, _: datetime) -> Rows:
    yield (), snapshot.daily_bytes


def _transfer_ratio(snapshot: Snapshot, at: datetime) -> Rows:
    for view in snapshot.vantages:
        lowest: dict[tuple[str, str], float] = {}
        for transfer in view.transfers_at(at):
            if transfer.ratio is not None:
                key = (transfer.verdict.platform, transfer.ratio[0])
                lowest[key] = min(transfer.ratio[1].median, lowest.get(key, inf))
        for (platform, against), ratio in lowest.items():
            yield (*_of(view), platform, against), ratio


def _probes(snapshot: Snapshot, _: datetime) -> Rows:
    for view in snapshot.vantages:
        for platform, count in view.probes.items():
            yield (*_of(view), platform), count


def _probe_failures(snapshot: Snapshot, _: datetime) -> Rows:
    for view in snapshot.vantages:
        for (layer, failure), count in view.failures.items():
            yield (*_of(view), layer, failure), count


INFOS = (
    Family(
        "build", "Version of shutwatch and of Python.", ("version", "python"), _build_info, True
    ),
    Family(
        "platform_blocked_method",
        "How a platform that is blocked, degraded or throttled at a vantage is interfered with.",
        (*VANTAGE, "platform", "method", "sub_method", "meaning"),
        _blocked_method,
    ),
    Family(
        "vantage",
        "Facts about a configured vantage.",
        (*VANTAGE_ROLE, "egress", "country_name"),
        _vantage_info,
    ),
    Family("public_url", "Where people reach the page from outside.", ("url",), _public_url, True),
)

GAUGES = (
    Family(
        "analysis_leader",
        "1 where what was seen is judged and events are concluded, 0 at other collectors.",
        (),
        _leader,
        everywhere=True,
    ),
    Family(
        "notifications_pending",
        "Notices of a route that wait to be delivered.",
        ("route",),
        _notifications_pending,
    ),
    Family(
        "cycle_interval_seconds",
        "Configured time between the starts of two cycles of one vantage.",
        (),
        _interval,
    ),
    Family(
        "annotation_since_timestamp_seconds",
        "When something began that people noted: an election, an order, a denial, ...",
        (*PAIR, "kind", "text", "annotation"),
        _annotations,
    ),
    Family(
        "config_last_reload_successful",
        "0 when the configuration was read again and could not be used, else 1.",
        (),
        _config_successful,
        everywhere=True,
    ),
    Family(
        "config_last_reload_success_timestamp_seconds",
        "Since when the configuration in use is.",
        (),
        _config_used_at,
        everywhere=True,
    ),
    Family(
        "prune_last_success_timestamp_seconds",
        "When old rows were last deleted without an error; 0 before the first time.",
        (),
        _prune_done,
    ),
    Family(
        "platform_state",
        "1 for the state a platform is in at a field vantage, 0 for every other state.",
        (*VANTAGE, "platform", "state"),
        _platform_state,
    ),
    Family(
        "role_state",
        "Always 1; its label tells the state one role of a platform is in at a field vantage.",
        (*VANTAGE, "platform", "role", "state"),
        _role_state,
    ),
    Family(
        "platform_blocked_networks_ratio",
        "Networks of a country blocking a platform, out of those that could tell.",
        PAIR,
        _blocked_networks_ratio,
    ),
    Family(
        "blocking_event_active",
        "1 while an event (a detected block of a platform in a country) is active, else 0.",
        (*PAIR, "title", "owner"),
        _event_active,
    ),
    Family(
        "blocking_event_state",
        "Always 1; its labels tell an active event's state, id and onset, for messages.",
        (*PAIR, "state", "effect", "event", "confirmed", *ONSET),
        _event_state,
    ),
    Family(
        "blocking_event_onset_timestamp_seconds",
        "First moment at which the platform of an active event is known to have been blocked.",
        PAIR,
        _event_onset,
    ),
    Family(
        "blocking_event_networks_affected",
        "Networks that blocked at any time during an active event.",
        PAIR,
        _event_affected,
    ),
    Family(
        "blocking_event_networks_seen",
        "Networks of the country looked from during an active event.",
        PAIR,
        _event_seen,
    ),
    Family(
        "circumstance_state",
        "Always 1; an active event that is no block (shutdown, outage, ...) and its state.",
        ("kind", "country", "platform", "vantage", "state"),
        _circumstance_state,
    ),
    Family(
        "vantage_state",
        "1 for the health a vantage is in, 0 for every other.",
        (*VANTAGE_ROLE, "state"),
        _vantage_state,
    ),
    Family(
        "vantage_reference_success_ratio",
        "References that worked in a vantage's last cycle, out of all looked at.",
        VANTAGE_ROLE,
        _reference_ratio,
    ),
    Family(
        "platform_transfer_ratio",
        "Speed of a platform's object at a field vantage, divided by that of something else.",
        (*VANTAGE, "platform", "against"),
        _transfer_ratio,
    ),
    Family(
        "vantage_daily_bytes",
        "Bytes a vantage has used today, UTC, both ways, about.",
        VANTAGE_ROLE,
        _daily_bytes,
    ),
    Family(
        "vantage_daily_bytes_limit",
        "Bytes that a vantage uses at most in one day, UTC.",
        (),
        _daily_bytes_limit,
    ),
    Family(
        "vantage_clock_skew_seconds",
        "Seconds by which a vantage's clock is ahead of what servers say; negative: behind.",
        VANTAGE_ROLE,
        _clock_skew,
    ),
    Family(
        "vantage_exit_as_configured",
        "0 when a vantage's packets come out of another country or network than its own, else 1.",
        VANTAGE_ROLE,
        _exit_match,
    ),
    Family(
        "vantage_outlier_platforms",
        "Platforms on which a vantage stands alone against the others of its network.",
        VANTAGE_ROLE,
        _outliers,
    ),
    Family(
        "vantage_quarantined",
        "1 while a person has a vantage left out of events, else absent.",
        VANTAGE_ROLE,
        _left_out,
    ),
    Family(
        "vantage_last_report_timestamp_seconds",
        "When a vantage's last cycle finished; 0 when none ever has.",
        VANTAGE_ROLE,
        _last_report,
    ),
    Family(
        "cycle_last_success_timestamp_seconds",
        "When a vantage's last cycle that was also stored finished; 0 when none ever has.",
        VANTAGE,
        _last_success,
    ),
    Family(
        "cycle_duration_seconds",
        "How long a vantage's last cycle took.",
        VANTAGE,
        _cycle_duration,
    ),
)

COUNTERS = (
    Family(
        "schedule_missed",
        "Scheduled cycles that did not run.",
        VANTAGE,
        _schedule_missed,
    ),
    Family(
        "cycles",
        "Turns of a vantage by how closely was looked; none: left out, to make bytes last.",
        (*VANTAGE, "effort"),
        _cycles,
    ),
    Family(
        "storage_errors",
        "Operations the store failed at.",
        ("operation",),
        _storage_errors,
        everywhere=True,
    ),
    Family(
        "pruned_rows",
        "Old rows deleted, as the configuration wants.",
        (),
        _pruned,
    ),
    Family(
        "notifications",
        "Notices delivered to targets of a route.",
        ("route",),
        _notifications,
    ),
    Family(
        "notification_failures",
        "Attempts to deliver to a target of a route that failed.",
        ("route",),
        _notification_failures,
    ),
    Family(
        "ping_failures",
        "Pings of `notify.ping_url` that were not answered.",
        (),
        _ping_failures,
    ),
    Family(
        "vantage_bytes",
        "Bytes a vantage has used, both ways, as far as what was seen tells.",
        VANTAGE_ROLE,
        _bytes,
    ),
    Family(
        "probes",
        "Looks made at an endpoint of a platform, or at a reference.",
        (*VANTAGE, "platform"),
        _probes,
    ),
    Family(
        "probe_failures",
        "Layers of looks that failed.",
        (*VANTAGE, "layer", "failure"),
        _probe_failures,
    ),
)


def families(snapshot: Snapshot, at: datetime) -> Iterator[Metric]:
    """Every family with its samples as they stand at that moment (UTC); where others judge, only
    those of this process."""
    for family in _told(INFOS, snapshot):
        info = InfoMetricFamily(PREFIX + family.name, family.help)
        for labels, _ in family.rows(snapshot, at):
            info.add_metric((), dict(zip(family.labels, labels, strict=True)))
        yield info
    for family in _told(GAUGES, snapshot):
        gauge = GaugeMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
        for labels, value in family.rows(snapshot, at):
            gauge.add_metric(labels, float(value))
        yield gauge
    for family in _told(COUNTERS, snapshot):
        counter = CounterMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
        for labels, value in family.rows(snapshot, at):
            counter.add_metric(labels, float(value))
        yield counter
    if snapshot.leading:
        yield _durations(snapshot)


def _told(families: Iterable[Family], snapshot: Snapshot) -> Iterator[Family]:
    return (family for family in families if snapshot.leading or family.everywhere)


def _durations(snapshot: Snapshot) -> Metric:
    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
    metric = HistogramMetricFamily(
        PREFIX + "probe_duration_seconds",
        "Time one layer of a look took, failed or not.",
        labels=(*VANTAGE, "layer"),
    )
    for view in snapshot.vantages:
        for layer, histogram in view.durations.items():
            buckets = list(zip(bounds, accumulate(map(float, histogram.counts)), strict=True))
            metric.add_metric((*_of(view), layer), buckets, histogram.total)
    return metric


class SnapshotCollector(Collector):
    """Reads the publisher's newest snapshot once per scrape."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def collect(self) -> Iterator[Metric]:
        """All families, from one snapshot at one moment."""
        return families(self._publisher.snapshot, self._publisher.now())


def create_registry(publisher: Publisher, ingest: IngestCounts | None = None) -> CollectorRegistry:
    """A registry of its own: our families, and this process's memory, CPU and descriptors.

    `ingest` is what agents handed in, where agents are served.
    """
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(publisher))
    if ingest is not None:
        registry.register(IngestCollector(ingest))
    ProcessCollector(registry=registry)
    return registry
