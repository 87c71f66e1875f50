"""Prometheus families about this process: its configuration, clock, database and messages."""

import platform as python_platform
from datetime import datetime

from monitor import __version__
from monitor.metrics.family import Families, Rows, seconds_of
from monitor.metrics.snapshot import Snapshot

FAMILIES = Families()


@FAMILIES.info("version", "python", everywhere=True)
def build(_: Snapshot, __: datetime) -> Rows:
    """Versions of shutwatch and of Python."""
    yield (__version__, python_platform.python_version()), 1


@FAMILIES.info("url", everywhere=True)
def public_url(snapshot: Snapshot, _: datetime) -> Rows:
    """Public address of the page."""
    if snapshot.public_url:
        yield (snapshot.public_url,), 1


@FAMILIES.info("url", everywhere=True)
def runbooks_url(snapshot: Snapshot, _: datetime) -> Rows:
    """Address of the runbooks that alerts link to."""
    if snapshot.runbooks_url:
        yield (snapshot.runbooks_url,), 1


@FAMILIES.gauge(everywhere=True)
def analysis_leader(snapshot: Snapshot, _: datetime) -> Rows:
    """1 at the process that judges and detects events, 0 at other collectors."""
    yield (), snapshot.leading


@FAMILIES.gauge("route")
def notifications_pending(snapshot: Snapshot, _: datetime) -> Rows:
    """Notifications of a route waiting for delivery."""
    return (((name,), len(route.overdue_from)) for name, route in snapshot.routes.items())


@FAMILIES.gauge("route")
def notifications_overdue(snapshot: Snapshot, now: datetime) -> Rows:
    """Notifications of a route that failed, are past their time, or were given up in the last
    day."""
    for name, route in snapshot.routes.items():
        yield (name,), sum(time < now for time in route.overdue_from) + route.given_up


@FAMILIES.gauge()
def cycle_interval_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Configured time between the starts of two cycles of one vantage, in seconds."""
    yield (), snapshot.interval


@FAMILIES.gauge()
def cycle_stalled_after_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Seconds without a stored cycle of any vantage after which the monitor completes none."""
    yield (), snapshot.stalled_after


@FAMILIES.gauge(everywhere=True)
def config_last_reload_successful(snapshot: Snapshot, _: datetime) -> Rows:
    """1 if the last reload of the configuration succeeded, else 0."""
    yield (), not snapshot.config_refused


@FAMILIES.gauge(everywhere=True)
def config_last_reload_success_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Time the current configuration was loaded, in seconds since 1970."""
    yield (), seconds_of(snapshot.config_used_at)


@FAMILIES.gauge(everywhere=True)
def clock_ahead_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Seconds the machine's clock is ahead of the time that this process keeps."""
    yield (), snapshot.clock_ahead


@FAMILIES.counter(everywhere=True)
def clock_steps_total(snapshot: Snapshot, _: datetime) -> Rows:
    """Times the machine's clock was set since the process started."""
    yield (), snapshot.clock_steps


@FAMILIES.gauge()
def database_size_bytes(snapshot: Snapshot, _: datetime) -> Rows:
    """Bytes of the database that hold something, without room of deleted rows."""
    if snapshot.database:
        yield (), snapshot.database.used


@FAMILIES.gauge()
def database_free_bytes(snapshot: Snapshot, _: datetime) -> Rows:
    """Bytes the database may still grow by on its disk; no sample where that is not known."""
    if snapshot.database and snapshot.database.free is not None:
        yield (), snapshot.database.free


@FAMILIES.gauge()
def prune_last_success_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Time old rows were last deleted without an error, in seconds since 1970; 0: never."""
    yield (), seconds_of(snapshot.prune_done_at)


@FAMILIES.counter("operation", everywhere=True)
def storage_errors(snapshot: Snapshot, _: datetime) -> Rows:
    """Failed operations of the store."""
    return (((operation,), count) for operation, count in snapshot.storage_errors.items())


@FAMILIES.counter()
def pruned_rows(snapshot: Snapshot, _: datetime) -> Rows:
    """Rows deleted because they were older than the configuration keeps."""
    yield (), snapshot.pruned_rows


@FAMILIES.counter("route")
def notifications(snapshot: Snapshot, _: datetime) -> Rows:
    """Notifications delivered to targets of a route."""
    return (((name,), route.sent) for name, route in snapshot.routes.items())


@FAMILIES.counter("route")
def notification_failures(snapshot: Snapshot, _: datetime) -> Rows:
    """Failed attempts to deliver to a target of a route."""
    return (((name,), route.failures) for name, route in snapshot.routes.items())


@FAMILIES.counter()
def ping_failures(snapshot: Snapshot, _: datetime) -> Rows:
    """Requests to `notify.ping_url` without a successful answer."""
    yield (), snapshot.ping_failures
