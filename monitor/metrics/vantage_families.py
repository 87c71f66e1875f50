"""Prometheus families about vantages: their health, cycles, tests and traffic."""

from collections import Counter
from datetime import datetime

from monitor.analysis.events.agreement import WITNESSES
from monitor.analysis.verdict import VantageState
from monitor.metrics.family import (
    ROLE,
    VANTAGE,
    Families,
    Rows,
    of_vantage,
    role_of,
    seconds_of,
)
from monitor.metrics.snapshot import Snapshot, VantageView
from monitor.wording.words import words_in

FAMILIES = Families()


def _with_role(view: VantageView) -> tuple[str, ...]:
    return (*of_vantage(view), *role_of(view))


@FAMILIES.vantage_info(ROLE, "egress", "country_name")
def vantage(view: VantageView, _: datetime) -> Rows:
    """Facts about a configured vantage; always 1."""
    country = words_in().country(view.point.country)
    yield (*role_of(view), view.point.egress.kind, country), 1


@FAMILIES.vantage_gauge(ROLE, "state")
def vantage_state(view: VantageView, at: datetime) -> Rows:
    """1 for the current health state of a vantage, 0 for every other state."""
    now = view.state_at(at)
    for state in VantageState:
        yield (*role_of(view), state), now is state


@FAMILIES.vantage_gauge(ROLE)
def vantage_reference_success_ratio(view: VantageView, at: datetime) -> Rows:
    """Share of references that worked in a vantage's last cycle."""
    health = view.health_at(at)
    if health and health.references_total:
        yield role_of(view), health.references_ok / health.references_total


@FAMILIES.vantage_gauge(ROLE)
def vantage_daily_bytes(view: VantageView, at: datetime) -> Rows:
    """Bytes a vantage sent and received today (UTC), approximate."""
    day, used = view.day_bytes or (None, 0)
    yield role_of(view), used if day == at.date() else 0


@FAMILIES.gauge()
def vantage_daily_limit_bytes(snapshot: Snapshot, _: datetime) -> Rows:
    """Maximum number of bytes a vantage may use in one day (UTC)."""
    yield (), snapshot.daily_bytes


@FAMILIES.vantage_gauge(ROLE)
def vantage_clock_skew_seconds(view: VantageView, at: datetime) -> Rows:
    """Seconds the clock of a vantage is ahead of servers' clocks; negative: behind."""
    health = view.health_at(at)
    if health and health.clock_skew is not None:
        yield role_of(view), health.clock_skew


@FAMILIES.vantage_gauge(ROLE)
def vantage_exit_as_configured(view: VantageView, at: datetime) -> Rows:
    """1 if a vantage's exit is in its configured country and network, else 0."""
    if health := view.health_at(at):
        yield role_of(view), not (health.exit_country or health.exit_asn)


@FAMILIES.gauge(*VANTAGE, ROLE)
def vantage_outlier_platforms(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of platforms on which a vantage disagrees with all others of its network."""
    fields = [view for view in snapshot.vantages if view.is_field]
    sizes = Counter(view.network for view in fields)
    for view in fields:
        if sizes[view.network] > WITNESSES:
            yield _with_role(view), view.outlier_platforms


@FAMILIES.vantage_gauge(ROLE)
def vantage_quarantined(view: VantageView, _: datetime) -> Rows:
    """1 while a vantage is in quarantine, else absent."""
    if view.quarantined:
        yield role_of(view), 1


@FAMILIES.vantage_gauge(ROLE)
def vantage_last_report_timestamp_seconds(view: VantageView, _: datetime) -> Rows:
    """Time the last cycle of a vantage finished, in seconds since 1970; 0: never."""
    yield role_of(view), seconds_of(view.last_report_at)


@FAMILIES.gauge(*VANTAGE, ROLE)
def vantage_report_age_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Seconds without a finished cycle of a vantage, counted by no clock that can be set."""
    return ((_with_role(v), v.waited(v.last_report_at, at)) for v in snapshot.vantages)


@FAMILIES.vantage_gauge(ROLE)
def vantage_silent_after_seconds(view: VantageView, _: datetime) -> Rows:
    """Seconds without a finished cycle after which a vantage is silent."""
    yield role_of(view), view.stale_after


@FAMILIES.gauge(*VANTAGE)
def cycle_success_age_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Seconds without a stored cycle of a vantage, counted by no clock that can be set."""
    return ((of_vantage(v), v.waited(v.last_success_at, at)) for v in snapshot.vantages)


@FAMILIES.vantage_gauge()
def cycle_last_success_timestamp_seconds(view: VantageView, _: datetime) -> Rows:
    """Time the last stored cycle of a vantage finished, in seconds since 1970; 0: never."""
    yield (), seconds_of(view.last_success_at)


@FAMILIES.vantage_gauge()
def cycle_duration_seconds(view: VantageView, _: datetime) -> Rows:
    """Duration of the last cycle of a vantage, in seconds."""
    if view.cycle_started_at and view.cycle_finished_at:
        yield (), (view.cycle_finished_at - view.cycle_started_at).total_seconds()


@FAMILIES.vantage_counter()
def schedule_missed(view: VantageView, _: datetime) -> Rows:
    """Scheduled cycles that did not start: another one still waited for the last to end."""
    yield (), view.schedule_missed


@FAMILIES.vantage_counter("effort")
def cycles(view: VantageView, _: datetime) -> Rows:
    """Cycles of a vantage by effort; effort `none`: skipped to save the day's bytes."""
    for effort, count in view.cycles.items():
        yield (effort,), count


@FAMILIES.vantage_counter(ROLE)
def vantage_bytes(view: VantageView, _: datetime) -> Rows:
    """Bytes a vantage sent and received, estimated from its measurements."""
    yield role_of(view), view.bytes_used


@FAMILIES.vantage_counter("platform")
def probes(view: VantageView, _: datetime) -> Rows:
    """Measurements of endpoints of a platform, or of references."""
    for platform, count in view.probes.items():
        yield (platform,), count


@FAMILIES.vantage_counter("layer", "failure")
def probe_failures(view: VantageView, _: datetime) -> Rows:
    """Failed observations of a vantage by layer and failure."""
    yield from view.failures.items()


@FAMILIES.vantage_histogram("layer")
def probe_duration_seconds(view: VantageView, _: datetime) -> Rows:
    """Duration of one layer of a measurement, failed or not, in seconds."""
    for layer, histogram in view.durations.items():
        yield (layer,), histogram
