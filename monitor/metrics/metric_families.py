"""Prometheus families, built from one snapshot: those of each vantage, and those of all together.

docs/metrics.md explains each family; a test compares it with this file. `monitor.metrics.scrapes`
writes them.
"""

import platform as python_platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from math import inf
from typing import Any, NamedTuple

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from monitor import __version__
from monitor.analysis.coverage import SIGNS
from monitor.analysis.events.agreement import WITNESSES
from monitor.analysis.events.event import Event, EventKind
from monitor.analysis.events.stretches import certain_count, first, newest
from monitor.analysis.second_witness import AnyWitness, OutsideWitness, Witness, grade_of
from monitor.analysis.verdict import State, VantageState
from monitor.metrics.snapshot import Histogram, Snapshot, VantageView
from monitor.wording.events import FULL, PARTIAL, SLOWED, SOME, manner_of
from monitor.wording.failures_and_methods import method_label
from monitor.wording.functions import function_in_words
from monitor.wording.local_time import local_offset
from monitor.wording.sources import drop_in_words, witness_in_words
from monitor.wording.withheld import withheld_sentence
from monitor.wording.words import words_in

PREFIX = "shutwatch_"
UNITS = ("seconds", "bytes", "ratio")
"""Units of families. A name with a unit ends in it, before `_total`."""

VANTAGE = ("country", "network", "asn", "vantage")
ROLE = "vantage_role"
PAIR = ("country", "platform")

EFFECTS = {FULL: "blocked", SOME: "some", PARTIAL: "partial", SLOWED: "throttled"}
"""The effect of an event on people, as one word for messages that must not claim more."""

Rows = Iterable[tuple[tuple[str, ...], float | Histogram]]
"""The values of a family's labels, and the value of the sample."""
Samples = Callable[[Snapshot, datetime], Rows]
VantageSamples = Callable[[VantageView, datetime], Rows]


class Family(NamedTuple):
    """One family: its name and its help text are the name and the docstring of the function that
    gives its samples."""

    kind: type[Any]
    name: str
    text: str
    labels: tuple[str, ...]
    samples: Samples
    everywhere: bool
    """True for facts about this process. Every collector exposes them; all other families come from
    the leader alone, so that nothing is counted twice."""
    of_vantage: VantageSamples | None
    """The samples of one vantage, without the values of `VANTAGE`. They stay as they are until its
    view changes or `VantageView.holds_until`; None where the family is about more than one, or
    always changes."""

    def metric(self, rows: Rows) -> Metric:
        """The family with these samples."""
        if self.kind is InfoMetricFamily:
            info = InfoMetricFamily(self.name, self.text)
            for labels, _ in rows:
                info.add_metric((), dict(zip(self.labels, labels, strict=True)))
            return info
        unit = unit_of(self.name)
        metric: Metric = self.kind(self.name, self.text, labels=self.labels, unit=unit)
        for labels, value in rows:
            if isinstance(value, Histogram):
                metric.add_metric(labels, value.cumulative(), value.total)  # type: ignore[attr-defined]
            else:
                metric.add_metric(labels, float(value))  # type: ignore[attr-defined]
        return metric


def unit_of(name: str) -> str:
    """The unit in the name of a family; empty where it counts something, or is a state."""
    return next((unit for unit in UNITS if name.endswith(f"_{unit}")), "")


def _help(samples: Callable[..., Rows]) -> str:
    """The docstring on one line, as a scrape has it."""
    return " ".join((samples.__doc__ or "").split())


FAMILIES: list[Family] = []


def _family(
    kind: type[Any], *labels: str, everywhere: bool = False
) -> Callable[[Samples], Samples]:
    """The decorated function gives the samples of a family of this kind."""

    def add(samples: Samples) -> Samples:
        name, text = PREFIX + samples.__name__, _help(samples)
        FAMILIES.append(Family(kind, name, text, labels, samples, everywhere, None))
        return samples

    return add


def _vantage_family(kind: type[Any], *labels: str) -> Callable[[VantageSamples], VantageSamples]:
    """The decorated function gives the samples of one vantage; `labels` follow those of `VANTAGE`,
    whose values it leaves out."""

    def add(own: VantageSamples) -> VantageSamples:
        def samples(snapshot: Snapshot, at: datetime) -> Rows:
            for view in snapshot.vantages:
                of = of_vantage(view)
                for rest, value in own(view, at):
                    yield (*of, *rest), value

        name, text = PREFIX + own.__name__, _help(own)
        FAMILIES.append(Family(kind, name, text, (*VANTAGE, *labels), samples, False, own))
        return own

    return add


info = partial(_family, InfoMetricFamily)
gauge = partial(_family, GaugeMetricFamily)
counter = partial(_family, CounterMetricFamily)
vantage_info = partial(_vantage_family, InfoMetricFamily)
vantage_gauge = partial(_vantage_family, GaugeMetricFamily)
vantage_counter = partial(_vantage_family, CounterMetricFamily)
vantage_histogram = partial(_vantage_family, HistogramMetricFamily)


def of_vantage(view: VantageView) -> tuple[str, ...]:
    """The values of `VANTAGE`."""
    point = view.point
    return point.country, point.network, str(point.asn), point.id


def _role(view: VantageView) -> tuple[str, ...]:
    return (str(view.point.role),)


def _with_role(view: VantageView) -> tuple[str, ...]:
    return (*of_vantage(view), *_role(view))


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _pairs(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], Event | None]]:
    for country in snapshot.countries:
        for platform in snapshot.platforms:
            yield (country, platform), snapshot.events.get((country, platform))


OF_EVENT = (*PAIR, "event")
_EVENT = (*OF_EVENT, "state", "effect", "confirmed")
ANY_EVENT = ("kind", "country", "platform", "vantage", "event")


def _of(event: Event) -> tuple[str, ...]:
    """The values of `OF_EVENT`."""
    return event.country, event.platform, event.id


def _facts(event: Event) -> tuple[str, ...]:
    """The values of `_EVENT`."""
    confirmed = str(event.sure).lower()
    return (*_of(event), event.state, EFFECTS[manner_of(event)], confirmed)


def _any(event: Event) -> tuple[str, ...]:
    """The values of `ANY_EVENT`."""
    return event.kind, event.country, event.platform, event.vantage, event.id


def _ended(snapshot: Snapshot, at: datetime, *, blocks: bool) -> Iterator[tuple[Event, float]]:
    """Closed events, each with the later bound of its end, or else when it was closed."""
    for event in snapshot.ended_at(at):
        if (event.kind is EventKind.BLOCK) is blocks:
            yield event, _seconds(event.end_latest or event.end_earliest or event.updated_at)


def _events(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], Event]]:
    return ((pair, event) for pair, event in _pairs(snapshot) if event)


@info("version", "python", everywhere=True)
def build(_: Snapshot, __: datetime) -> Rows:
    """Versions of shutwatch and of Python."""
    yield (__version__, python_platform.python_version()), 1


@vantage_info("platform", "method", "sub_method", "meaning", "meaning_past")
def platform_blocked_method(view: VantageView, at: datetime) -> Rows:
    """Method by which a platform is blocked, partial, degraded or throttled at a vantage."""
    for verdict in view.platforms_at(at):
        if verdict.state in SIGNS:
            method, sub_method = verdict.method, verdict.sub_method
            meaning = method_label(method, sub_method)
            past = method_label(method, sub_method, past=True)
            yield (verdict.platform, method, sub_method, meaning, past), 1


@vantage_info(ROLE, "egress", "country_name")
def vantage(view: VantageView, _: datetime) -> Rows:
    """Facts about a configured vantage; always 1."""
    country = words_in().country(view.point.country)
    yield (*_role(view), view.point.egress.kind, country), 1


@info("url", everywhere=True)
def public_url(snapshot: Snapshot, _: datetime) -> Rows:
    """Public address of the page."""
    if snapshot.public_url:
        yield (snapshot.public_url,), 1


@info("url", everywhere=True)
def runbooks_url(snapshot: Snapshot, _: datetime) -> Rows:
    """Address of the runbooks that alerts link to."""
    if snapshot.runbooks_url:
        yield (snapshot.runbooks_url,), 1


@gauge(everywhere=True)
def analysis_leader(snapshot: Snapshot, _: datetime) -> Rows:
    """1 at the process that judges and detects events, 0 at other collectors."""
    yield (), snapshot.leading


@gauge("route")
def notifications_pending(snapshot: Snapshot, _: datetime) -> Rows:
    """Notifications of a route waiting for delivery."""
    return (((name,), len(route.overdue_from)) for name, route in snapshot.routes.items())


@gauge("route")
def notifications_overdue(snapshot: Snapshot, now: datetime) -> Rows:
    """Notifications of a route that failed and wait for another attempt, or are past their time."""
    for name, route in snapshot.routes.items():
        yield (name,), sum(time < now for time in route.overdue_from)


@gauge()
def cycle_interval_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Configured time between the starts of two cycles of one vantage, in seconds."""
    yield (), snapshot.interval


@gauge(*PAIR, "kind", "annotation")
def annotation_since_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Start of an annotated fact (election, order, denial, ...), in seconds since 1970."""
    for one in snapshot.annotations:
        yield (one.country, one.platform, one.kind, one.id), one.since.timestamp()


@gauge(everywhere=True)
def config_last_reload_successful(snapshot: Snapshot, _: datetime) -> Rows:
    """1 if the last reload of the configuration succeeded, else 0."""
    yield (), not snapshot.config_refused


@gauge(everywhere=True)
def config_last_reload_success_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Time the current configuration was loaded, in seconds since 1970."""
    yield (), _seconds(snapshot.config_used_at)


@gauge(everywhere=True)
def clock_ahead_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Seconds the machine's clock is ahead of the time that this process keeps."""
    yield (), snapshot.clock_ahead


@counter(everywhere=True)
def clock_steps_total(snapshot: Snapshot, _: datetime) -> Rows:
    """Times the machine's clock was set since the process started."""
    yield (), snapshot.clock_steps


@gauge()
def database_size_bytes(snapshot: Snapshot, _: datetime) -> Rows:
    """Bytes of the database that hold something, without room of deleted rows."""
    if snapshot.database:
        yield (), snapshot.database.used


@gauge()
def database_free_bytes(snapshot: Snapshot, _: datetime) -> Rows:
    """Bytes the database may still grow by on its disk; no sample where that is not known."""
    if snapshot.database and snapshot.database.free is not None:
        yield (), snapshot.database.free


@gauge()
def prune_last_success_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Time old rows were last deleted without an error, in seconds since 1970; 0: never."""
    yield (), _seconds(snapshot.prune_done_at)


@vantage_gauge("platform", "state")
def platform_state(view: VantageView, at: datetime) -> Rows:
    """1 for the current state of a platform at a field vantage, 0 for every other state."""
    for verdict in view.platforms_at(at):
        for state in State:
            yield (verdict.platform, state), verdict.state is state


@vantage_gauge("platform", "function", "state")
def function_state(view: VantageView, at: datetime) -> Rows:
    """Always 1; the label `state` has the state of a function of a platform at a field vantage."""
    for verdict in view.platforms_at(at):
        for function in verdict.functions:
            yield (verdict.platform, function.function, function.state), 1


@vantage_gauge("platform")
def platform_partial_ratio(view: VantageView, at: datetime) -> Rows:
    """Share (0 to 1) of the connections, or of the addresses, of a platform that fails at a field
    vantage where its state is partial; no sample where it was not counted."""
    for verdict in view.platforms_at(at):
        if verdict.share is not None:
            yield (verdict.platform,), verdict.share


@vantage_gauge("platform", "function", "group")
def function_group_blocked(view: VantageView, at: datetime) -> Rows:
    """Always 1; the label `group` has a group, such as a data centre, that is blocked, partly
    blocked or slow at a field vantage while others of its function work."""
    for verdict in view.platforms_at(at):
        for function in verdict.functions:
            for group in function.groups:
                yield (verdict.platform, function.function, group), 1


@vantage_gauge("platform", "function")
def function_blocked_endpoints(view: VantageView, at: datetime) -> Rows:
    """Blocked or slow endpoints of a function at a field vantage, even if it works without them;
    8 at most, and no sample for none."""
    for verdict in view.platforms_at(at):
        for function in (function for function in verdict.functions if function.accused):
            yield (verdict.platform, function.function), len(function.accused)


@gauge(*PAIR)
def platform_blocked_networks_ratio(snapshot: Snapshot, at: datetime) -> Rows:
    """Share of a country's networks that block a platform, among those with a decided verdict."""
    for pair, (blocked, decided) in snapshot.networks_blocked(at).items():
        yield pair, len(blocked) / decided


@gauge(*PAIR, "cause")
def platform_undecided_verdicts(snapshot: Snapshot, at: datetime) -> Rows:
    """Field vantages that cannot tell now whether a platform is blocked, by cause."""
    for (country, platform), coverage in snapshot.coverage_by_pair(at).items():
        for cause, number in coverage.undecided.items():
            yield (country, platform, cause), number
        if coverage.not_measured:
            yield (country, platform, "not_measured"), coverage.not_measured


@gauge(*PAIR, "title", "owner")
def blocking_event_active(snapshot: Snapshot, _: datetime) -> Rows:
    """1 while an event (a detected block of a platform in a country) is active, else 0."""
    known = {platform.name: platform for platform in snapshot.catalog.platforms}
    for pair, event in _pairs(snapshot):
        platform = known[pair[1]]
        yield (*pair, platform.title, platform.owner), event is not None


@gauge(*_EVENT)
def blocking_event_state(snapshot: Snapshot, _: datetime) -> Rows:
    """Always 1; the labels have the state, effect and id of an active event."""
    return ((_facts(event), 1) for _pair, event in _events(snapshot))


@info(*OF_EVENT, "function", "meaning")
def blocking_event_function(snapshot: Snapshot, _: datetime) -> Rows:
    """Function of a platform that an active event was seen to affect, also in words."""
    words = words_in()
    for _pair, event in _events(snapshot):
        for function in event.functions:
            yield (*_of(event), function, function_in_words(words, function)), 1


@gauge(*_EVENT)
def blocking_event_ended_timestamp_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """End of a block whose event was closed within a day, in seconds since 1970; where nobody saw
    it, the last time it was seen."""
    return ((_facts(event), seconds) for event, seconds in _ended(snapshot, at, blocks=True))


@gauge(*OF_EVENT)
def blocking_event_onset_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Latest bound of the onset of the stretch that goes on, in seconds since 1970."""
    return ((_of(event), _seconds(newest(event).onset_latest)) for _, event in _events(snapshot))


@gauge(*OF_EVENT)
def blocking_event_onset_earliest_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Earliest bound of the onset of the stretch that goes on, in seconds since 1970; no sample
    where a network was never found open before."""
    for _pair, event in _events(snapshot):
        if earliest := newest(event).onset_earliest:
            yield _of(event), _seconds(earliest)


@gauge(*OF_EVENT, "zone")
def blocking_event_onset_utc_offset_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Seconds the country's clocks are ahead of UTC at the onset; `zone` where clocks differ."""
    for _pair, event in _events(snapshot):
        if local := local_offset(newest(event).onset_latest, event.country):
            yield (*_of(event), local.zone), local.ahead.total_seconds()


@gauge(*OF_EVENT)
def blocking_event_first_onset_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Latest bound of the first onset of an active event, in seconds since 1970."""
    return ((_of(event), _seconds(first(event).onset_latest)) for _, event in _events(snapshot))


@gauge(*PAIR)
def blocking_event_stretches(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of blocked stretches of an active event that are certainly apart, the one that goes on
    included."""
    return ((pair, certain_count(event)) for pair, event in _events(snapshot))


@gauge(*PAIR)
def blocking_event_networks_affected(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of networks that blocked the platform during an active event."""
    return ((pair, len(event.networks_affected)) for pair, event in _events(snapshot))


@gauge(*PAIR)
def blocking_event_networks_seen(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of networks measured during an active event."""
    return ((pair, len(event.networks)) for pair, event in _events(snapshot))


@gauge(*ANY_EVENT, "state")
def circumstance_state(snapshot: Snapshot, _: datetime) -> Rows:
    """Always 1; an active event other than a block (shutdown, outage, ...) and its state."""
    return (((*_any(event), event.state), 1) for event in snapshot.circumstances)


@gauge(*ANY_EVENT, "state")
def circumstance_ended_timestamp_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """End of an event other than a block that was closed within a day, in seconds since 1970; where
    nobody saw it, the last time it was seen."""
    for event, seconds in _ended(snapshot, at, blocks=False):
        yield (*_any(event), event.state), seconds


@gauge(*ANY_EVENT)
def event_end_earliest_timestamp_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Earliest bound of the end of an event closed within a day, in seconds since 1970."""
    for event in snapshot.ended_at(at):
        if event.end_earliest:
            yield _any(event), _seconds(event.end_earliest)


@gauge(*ANY_EVENT)
def event_end_latest_timestamp_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Latest bound of the end of an event closed within a day, in seconds since 1970; no sample
    where nobody saw the end."""
    for event in snapshot.ended_at(at):
        if event.end_latest:
            yield _any(event), _seconds(event.end_latest)


@gauge(*ANY_EVENT, "zone")
def event_end_utc_offset_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Seconds the country's clocks are ahead of UTC at the end; `zone` where clocks differ."""
    for event in snapshot.ended_at(at):
        known = event.end_latest or event.end_earliest
        if known and (local := local_offset(known, event.country)):
            yield (*_any(event), local.zone), local.ahead.total_seconds()


@vantage_gauge(ROLE, "state")
def vantage_state(view: VantageView, at: datetime) -> Rows:
    """1 for the current health state of a vantage, 0 for every other state."""
    now = view.state_at(at)
    for state in VantageState:
        yield (*_role(view), state), now is state


@vantage_gauge(ROLE)
def vantage_reference_success_ratio(view: VantageView, at: datetime) -> Rows:
    """Share of references that worked in a vantage's last cycle."""
    health = view.health_at(at)
    if health and health.references_total:
        yield _role(view), health.references_ok / health.references_total


@vantage_gauge("platform", "against")
def platform_transfer_ratio(view: VantageView, at: datetime) -> Rows:
    """Speed of a platform's transfer at a field vantage, divided by that of another transfer."""
    lowest: dict[tuple[str, str], float] = {}
    for transfer in view.transfers_at(at):
        if transfer.ratio is not None:
            key = (transfer.verdict.platform, transfer.ratio[0])
            lowest[key] = min(transfer.ratio[1].median, lowest.get(key, inf))
    yield from lowest.items()


@vantage_gauge(ROLE)
def vantage_daily_bytes(view: VantageView, at: datetime) -> Rows:
    """Bytes a vantage sent and received today (UTC), approximate."""
    day, used = view.day_bytes or (None, 0)
    yield _role(view), used if day == at.date() else 0


@gauge()
def vantage_daily_limit_bytes(snapshot: Snapshot, _: datetime) -> Rows:
    """Maximum number of bytes a vantage may use in one day (UTC)."""
    yield (), snapshot.daily_bytes


@vantage_gauge(ROLE)
def vantage_clock_skew_seconds(view: VantageView, at: datetime) -> Rows:
    """Seconds the clock of a vantage is ahead of servers' clocks; negative: behind."""
    health = view.health_at(at)
    if health and health.clock_skew is not None:
        yield _role(view), health.clock_skew


@vantage_gauge(ROLE)
def vantage_exit_as_configured(view: VantageView, at: datetime) -> Rows:
    """1 if a vantage's exit is in its configured country and network, else 0."""
    if health := view.health_at(at):
        yield _role(view), not (health.exit_country or health.exit_asn)


@gauge(*VANTAGE, ROLE)
def vantage_outlier_platforms(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of platforms on which a vantage disagrees with all others of its network."""
    fields = [view for view in snapshot.vantages if view.is_field]
    sizes = Counter(view.network for view in fields)
    for view in fields:
        if sizes[view.network] > WITNESSES:
            yield _with_role(view), view.outlier_platforms


@vantage_gauge(ROLE)
def vantage_quarantined(view: VantageView, _: datetime) -> Rows:
    """1 while a vantage is in quarantine, else absent."""
    if view.quarantined:
        yield _role(view), 1


@vantage_gauge(ROLE)
def vantage_last_report_timestamp_seconds(view: VantageView, _: datetime) -> Rows:
    """Time the last cycle of a vantage finished, in seconds since 1970; 0: never."""
    yield _role(view), _seconds(view.last_report_at)


@gauge(*VANTAGE, ROLE)
def vantage_report_age_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Seconds without a finished cycle of a vantage, counted by no clock that can be set."""
    return ((_with_role(v), v.waited(v.last_report_at, at)) for v in snapshot.vantages)


@gauge(*VANTAGE)
def cycle_success_age_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Seconds without a stored cycle of a vantage, counted by no clock that can be set."""
    return ((of_vantage(v), v.waited(v.last_success_at, at)) for v in snapshot.vantages)


@vantage_gauge()
def cycle_last_success_timestamp_seconds(view: VantageView, _: datetime) -> Rows:
    """Time the last stored cycle of a vantage finished, in seconds since 1970; 0: never."""
    yield (), _seconds(view.last_success_at)


@vantage_gauge()
def cycle_duration_seconds(view: VantageView, _: datetime) -> Rows:
    """Duration of the last cycle of a vantage, in seconds."""
    if view.cycle_started_at and view.cycle_finished_at:
        yield (), (view.cycle_finished_at - view.cycle_started_at).total_seconds()


@vantage_counter()
def schedule_missed(view: VantageView, _: datetime) -> Rows:
    """Scheduled cycles that did not start because the one before was still running."""
    yield (), view.schedule_missed


@vantage_counter("effort")
def cycles(view: VantageView, _: datetime) -> Rows:
    """Cycles of a vantage by effort; effort `none`: skipped to save the day's bytes."""
    for effort, count in view.cycles.items():
        yield (effort,), count


@counter("operation", everywhere=True)
def storage_errors(snapshot: Snapshot, _: datetime) -> Rows:
    """Failed operations of the store."""
    return (((operation,), count) for operation, count in snapshot.storage_errors.items())


@counter()
def pruned_rows(snapshot: Snapshot, _: datetime) -> Rows:
    """Rows deleted because they were older than the configuration keeps."""
    yield (), snapshot.pruned_rows


@counter("route")
def notifications(snapshot: Snapshot, _: datetime) -> Rows:
    """Notifications delivered to targets of a route."""
    return (((name,), route.sent) for name, route in snapshot.routes.items())


@counter("route")
def notification_failures(snapshot: Snapshot, _: datetime) -> Rows:
    """Failed attempts to deliver to a target of a route."""
    return (((name,), route.failures) for name, route in snapshot.routes.items())


@counter()
def ping_failures(snapshot: Snapshot, _: datetime) -> Rows:
    """Requests to `notify.ping_url` without a successful answer."""
    yield (), snapshot.ping_failures


@vantage_counter(ROLE)
def vantage_bytes(view: VantageView, _: datetime) -> Rows:
    """Bytes a vantage sent and received, estimated from its measurements."""
    yield _role(view), view.bytes_used


@vantage_counter("platform")
def probes(view: VantageView, _: datetime) -> Rows:
    """Measurements of endpoints of a platform, or of references."""
    for platform, count in view.probes.items():
        yield (platform,), count


@vantage_counter("layer", "failure")
def probe_failures(view: VantageView, _: datetime) -> Rows:
    """Failed observations of a vantage by layer and failure."""
    yield from view.failures.items()


@vantage_histogram("layer")
def probe_duration_seconds(view: VantageView, _: datetime) -> Rows:
    """Duration of one layer of a measurement, failed or not, in seconds."""
    for layer, histogram in view.durations.items():
        yield (layer,), histogram


@gauge("source")
def source_up(snapshot: Snapshot, at: datetime) -> Rows:
    """1 if a source of others' measurements was read as a whole lately, else 0."""
    return (((one.kind,), one.answers(at)) for one in snapshot.sources)


@gauge("source", "problem")
def source_problem(snapshot: Snapshot, _: datetime) -> Rows:
    """1 while the last attempt to read a source failed, by why it did."""
    for one in snapshot.sources:
        if one.state.problem:
            yield (one.kind, one.state.problem), 1


@gauge("source")
def source_last_answer_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Time a source was last read as a whole, in seconds since 1970; 0: never."""
    return (((one.kind,), _seconds(one.state.answered_at)) for one in snapshot.sources)


@gauge("source")
def source_newest_row_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Time the newest measurement of a source was taken, in seconds since 1970; 0: none."""
    return (((one.kind,), _seconds(one.state.newest_at)) for one in snapshot.sources)


@gauge("source")
def source_budget_used_ratio(snapshot: Snapshot, at: datetime) -> Rows:
    """Share of a source's budget that was used in this hour."""
    for one in snapshot.sources:
        now = at.replace(minute=0, second=0, microsecond=0)
        yield (one.kind,), one.state.units / one.budget if one.state.hour == now else 0.0


@counter("source")
def source_requests(snapshot: Snapshot, _: datetime) -> Rows:
    """Requests to a source."""
    return (((one.kind,), one.state.requests) for one in snapshot.sources)


@counter("source")
def source_rows(snapshot: Snapshot, _: datetime) -> Rows:
    """Measurements of a source that were new."""
    return (((one.kind,), one.state.rows) for one in snapshot.sources)


@counter("source")
def source_malformed_rows(snapshot: Snapshot, _: datetime) -> Rows:
    """Measurements of a source that could not be read."""
    return (((one.kind,), one.state.malformed) for one in snapshot.sources)


@counter("source")
def source_judged_rows(snapshot: Snapshot, _: datetime) -> Rows:
    """Measurements of a source that our rules judged."""
    return (((one.kind,), one.state.judged) for one in snapshot.sources)


@gauge("source", *PAIR, "state")
def source_event_state(snapshot: Snapshot, _: datetime) -> Rows:
    """1 for an active event that measurements of a source show, by its state."""
    for one in snapshot.sources:
        for found in one.events:
            if found.active:
                yield (one.kind, found.country, found.platform, found.event.state), 1


def _witnessed(snapshot: Snapshot) -> Iterator[tuple[Event, AnyWitness]]:
    for event in (*snapshot.events.values(), *snapshot.circumstances):
        for one in snapshot.witnesses.get(event.id, ()):
            yield event, one


@info(*PAIR, "kind", "event", "source", "position", "evidence", "meaning", "credit")
def second_witness(snapshot: Snapshot, _: datetime) -> Rows:
    """How a source of others' measurements stands to an active event, also in words."""
    words = words_in()
    for event, one in _witnessed(snapshot):
        what = (event.country, event.platform, event.kind, event.id)
        told = witness_in_words(words, one)
        yield (*what, one.source, one.position, grade_of(one), told.stands, told.credit), 1


@gauge("event", "source")
def second_witness_tests(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of tests that a source has of an active event."""
    for event, one in _witnessed(snapshot):
        if isinstance(one, Witness):
            yield (event.id, one.source), one.total


@gauge("event", "source")
def second_witness_failed_tests(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of these tests that failed."""
    for event, one in _witnessed(snapshot):
        if isinstance(one, Witness):
            yield (event.id, one.source), one.failed


@gauge("event", "source")
def second_witness_networks(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of networks that these tests were made on."""
    for event, one in _witnessed(snapshot):
        if isinstance(one, Witness):
            yield (event.id, one.source), len(one.networks)


@gauge("event", "source", "datasource", "meaning")
def second_witness_lost_ratio(snapshot: Snapshot, _: datetime) -> Rows:
    """Share of a country that a source outside saw lost at worst during an active event, by way of
    looking; the way is also in words."""
    words = words_in()
    for event, one in _witnessed(snapshot):
        if isinstance(one, OutsideWitness):
            for name, share in one.drops:
                yield (event.id, one.source, name, drop_in_words(words, name)), share


@info(*PAIR, "kind", "url", "text")
def withheld(snapshot: Snapshot, _: datetime) -> Rows:
    """A post, account or video that its platform withholds in a country, also in words."""
    words = words_in()
    for one in snapshot.withheld:
        text = withheld_sentence(words, one)
        yield (one.country, one.platform, one.kind, one.url, text), 1


@gauge("country", "said")
def withheld_pages(snapshot: Snapshot, _: datetime) -> Rows:
    """Pages tested for what platforms withhold, by what they said last."""
    yield from Counter((one.country, one.said) for one in snapshot.page_looks).items()


def shown_families(snapshot: Snapshot) -> Iterator[Family]:
    """Those that this process exposes; without the lead, only those about the process."""
    return (family for family in FAMILIES if snapshot.leading or family.everywhere)


def families(snapshot: Snapshot, at: datetime) -> Iterator[Metric]:
    """Every family that this process exposes, with its samples at that moment (UTC)."""
    for family in shown_families(snapshot):
        yield family.metric(family.samples(snapshot, at))
