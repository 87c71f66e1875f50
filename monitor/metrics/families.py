"""Prometheus families, built anew from one snapshot on every scrape.

The tables below are the whole list; docs/metrics.md explains each family and is tested against
them. Nothing is kept between scrapes, so a removed vantage or platform leaves no series behind.
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
    """True for facts about this process. Every collector exposes them; all other families come from
    the leader alone, so that nothing is counted twice."""


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
        short = text if len(text) <= ANNOTATION_TEXT else f"{text[: ANNOTATION_TEXT - 1]}…"
        yield (one.country, one.platform, one.kind, short, one.id), one.since.timestamp()


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
    for pair, (blocked, decided) in snapshot.networks_blocked(at).items():
        yield pair, len(blocked) / decided


def _event_active(snapshot: Snapshot, _: datetime) -> Rows:
    known = {platform.name: platform for platform in snapshot.catalog.platforms}
    for pair, event in _pairs(snapshot):
        platform = known[pair[1]]
        yield (*pair, platform.title, platform.owner), event is not None


def _effect(event: Event) -> str:
    """The effect of an event on people, as one word for messages that must not claim more."""
    if event.methods and all(method.startswith("throttling") for method in event.methods):
        return "throttled"
    return "partial" if event.scope is Scope.PARTIAL else "blocked"


def _event_state(snapshot: Snapshot, _: datetime) -> Rows:
    for pair, event in _events(snapshot):
        confirmed = str(event.confirmed_at is not None).lower()
        earliest = utc_text(event.onset_earliest) if event.onset_earliest else ""
        latest = utc_text(event.onset_latest)
        local = local_text(event.onset_latest, event.country)
        facts = (_effect(event), event.id, confirmed, earliest, latest, local)
        yield (*pair, event.state, *facts), 1


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


def _quarantined(snapshot: Snapshot, _: datetime) -> Rows:
    for view in snapshot.vantages:
        if view.quarantined:
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
        for effort, count in view.cycles.items():
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
        "build", "Versions of shutwatch and of Python.", ("version", "python"), _build_info, True
    ),
    Family(
        "platform_blocked_method",
        "Method by which a platform is blocked, degraded or throttled at a vantage.",
        (*VANTAGE, "platform", "method", "sub_method", "meaning"),
        _blocked_method,
    ),
    Family(
        "vantage",
        "Facts about a configured vantage; always 1.",
        (*VANTAGE_ROLE, "egress", "country_name"),
        _vantage_info,
    ),
    Family("public_url", "Public address of the page.", ("url",), _public_url, True),
)

GAUGES = (
    Family(
        "analysis_leader",
        "1 at the process that judges and detects events, 0 at other collectors.",
        (),
        _leader,
        everywhere=True,
    ),
    Family(
        "notifications_pending",
        "Notifications of a route waiting for delivery.",
        ("route",),
        _notifications_pending,
    ),
    Family(
        "cycle_interval_seconds",
        "Configured time between the starts of two cycles of one vantage, in seconds.",
        (),
        _interval,
    ),
    Family(
        "annotation_since_timestamp_seconds",
        "Start of an annotated fact (election, order, denial, ...), in seconds since 1970.",
        (*PAIR, "kind", "text", "annotation"),
        _annotations,
    ),
    Family(
        "config_last_reload_successful",
        "1 if the last reload of the configuration succeeded, else 0.",
        (),
        _config_successful,
        everywhere=True,
    ),
    Family(
        "config_last_reload_success_timestamp_seconds",
        "Time the current configuration was loaded, in seconds since 1970.",
        (),
        _config_used_at,
        everywhere=True,
    ),
    Family(
        "prune_last_success_timestamp_seconds",
        "Time old rows were last deleted without an error, in seconds since 1970; 0: never.",
        (),
        _prune_done,
    ),
    Family(
        "platform_state",
        "1 for the current state of a platform at a field vantage, 0 for every other state.",
        (*VANTAGE, "platform", "state"),
        _platform_state,
    ),
    Family(
        "role_state",
        "Always 1; the label `state` has the state of one role of a platform at a field vantage.",
        (*VANTAGE, "platform", "role", "state"),
        _role_state,
    ),
    Family(
        "platform_blocked_networks_ratio",
        "Share of a country's networks that block a platform, among those with a decided verdict.",
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
        "Always 1; the labels have the state, id and onset of an active event, for alerts.",
        (*PAIR, "state", "effect", "event", "confirmed", *ONSET),
        _event_state,
    ),
    Family(
        "blocking_event_onset_timestamp_seconds",
        "Latest bound of the onset of an active event, in seconds since 1970.",
        PAIR,
        _event_onset,
    ),
    Family(
        "blocking_event_networks_affected",
        "Number of networks that blocked the platform during an active event.",
        PAIR,
        _event_affected,
    ),
    Family(
        "blocking_event_networks_seen",
        "Number of networks measured during an active event.",
        PAIR,
        _event_seen,
    ),
    Family(
        "circumstance_state",
        "Always 1; an active event other than a block (shutdown, outage, ...) and its state.",
        ("kind", "country", "platform", "vantage", "state"),
        _circumstance_state,
    ),
    Family(
        "vantage_state",
        "1 for the current health state of a vantage, 0 for every other state.",
        (*VANTAGE_ROLE, "state"),
        _vantage_state,
    ),
    Family(
        "vantage_reference_success_ratio",
        "Share of references that worked in a vantage's last cycle.",
        VANTAGE_ROLE,
        _reference_ratio,
    ),
    Family(
        "platform_transfer_ratio",
        "Speed of a platform's transfer at a field vantage, divided by that of another transfer.",
        (*VANTAGE, "platform", "against"),
        _transfer_ratio,
    ),
    Family(
        "vantage_daily_bytes",
        "Bytes a vantage sent and received today (UTC), approximate.",
        VANTAGE_ROLE,
        _daily_bytes,
    ),
    Family(
        "vantage_daily_bytes_limit",
        "Maximum number of bytes a vantage may use in one day (UTC).",
        (),
        _daily_bytes_limit,
    ),
    Family(
        "vantage_clock_skew_seconds",
        "Seconds the clock of a vantage is ahead of servers' clocks; negative: behind.",
        VANTAGE_ROLE,
        _clock_skew,
    ),
    Family(
        "vantage_exit_as_configured",
        "1 if a vantage's exit is in its configured country and network, else 0.",
        VANTAGE_ROLE,
        _exit_match,
    ),
    Family(
        "vantage_outlier_platforms",
        "Number of platforms on which a vantage disagrees with all others of its network.",
        VANTAGE_ROLE,
        _outliers,
    ),
    Family(
        "vantage_quarantined",
        "1 while a vantage is in quarantine, else absent.",
        VANTAGE_ROLE,
        _quarantined,
    ),
    Family(
        "vantage_last_report_timestamp_seconds",
        "Time the last cycle of a vantage finished, in seconds since 1970; 0: never.",
        VANTAGE_ROLE,
        _last_report,
    ),
    Family(
        "cycle_last_success_timestamp_seconds",
        "Time the last stored cycle of a vantage finished, in seconds since 1970; 0: never.",
        VANTAGE,
        _last_success,
    ),
    Family(
        "cycle_duration_seconds",
        "Duration of the last cycle of a vantage, in seconds.",
        VANTAGE,
        _cycle_duration,
    ),
)

COUNTERS = (
    Family(
        "schedule_missed",
        "Scheduled cycles that did not start because the one before was still running.",
        VANTAGE,
        _schedule_missed,
    ),
    Family(
        "cycles",
        "Cycles of a vantage by effort; effort `none`: skipped to save the day's bytes.",
        (*VANTAGE, "effort"),
        _cycles,
    ),
    Family(
        "storage_errors",
        "Failed operations of the store.",
        ("operation",),
        _storage_errors,
        everywhere=True,
    ),
    Family(
        "pruned_rows",
        "Rows deleted because they were older than the configuration keeps.",
        (),
        _pruned,
    ),
    Family(
        "notifications",
        "Notifications delivered to targets of a route.",
        ("route",),
        _notifications,
    ),
    Family(
        "notification_failures",
        "Failed attempts to deliver to a target of a route.",
        ("route",),
        _notification_failures,
    ),
    Family(
        "ping_failures",
        "Requests to `notify.ping_url` without a successful answer.",
        (),
        _ping_failures,
    ),
    Family(
        "vantage_bytes",
        "Bytes a vantage sent and received, estimated from its measurements.",
        VANTAGE_ROLE,
        _bytes,
    ),
    Family(
        "probes",
        "Measurements of endpoints of a platform, or of references.",
        (*VANTAGE, "platform"),
        _probes,
    ),
    Family(
        "probe_failures",
        "Failed observations of a vantage by layer and failure.",
        (*VANTAGE, "layer", "failure"),
        _probe_failures,
    ),
)


def families(snapshot: Snapshot, at: datetime) -> Iterator[Metric]:
    """Every family with its samples at that moment (UTC); without the lead, only the families about
    this process."""
    for family in _exposed(INFOS, snapshot):
        info = InfoMetricFamily(PREFIX + family.name, family.help)
        for labels, _ in family.rows(snapshot, at):
            info.add_metric((), dict(zip(family.labels, labels, strict=True)))
        yield info
    for family in _exposed(GAUGES, snapshot):
        gauge = GaugeMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
        for labels, value in family.rows(snapshot, at):
            gauge.add_metric(labels, float(value))
        yield gauge
    for family in _exposed(COUNTERS, snapshot):
        counter = CounterMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
        for labels, value in family.rows(snapshot, at):
            counter.add_metric(labels, float(value))
        yield counter
    if snapshot.leading:
        yield _durations(snapshot)


def _exposed(families: Iterable[Family], snapshot: Snapshot) -> Iterator[Family]:
    return (family for family in families if snapshot.leading or family.everywhere)


def _durations(snapshot: Snapshot) -> Metric:
    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
    metric = HistogramMetricFamily(
        PREFIX + "probe_duration_seconds",
        "Duration of one layer of a measurement, failed or not, in seconds.",
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
    """A new registry with our families and this process's memory, CPU and descriptors.

    `ingest` counts what agents sent; None where no agents are served.
    """
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(publisher))
    if ingest is not None:
        registry.register(IngestCollector(ingest))
    ProcessCollector(registry=registry)
    return registry
