"""What agents handed in, as Prometheus reads it."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from monitor.metrics.ingest_counts import IngestCounts, Spool
from monitor.metrics.scrapes import create_registry
from monitor.wire.answers import Reason
from tests.prometheus import world


def registry(counts: IngestCounts | None) -> CollectorRegistry:
    """What is scraped."""
    return create_registry(world.x_blocked_on_two_of_three(), counts)


def test_everything_is_there_from_the_start() -> None:
    """Each reason and each counter begins at 0, so that a rate sees the first one."""
    scraped = registry(IngestCounts())
    for reason in Reason:
        labels = {"reason": str(reason)}
        assert scraped.get_sample_value("shutwatch_ingest_rejected_total", labels) == 0
    for name in (
        "ingest_batches",
        "ingest_measurements",
        "backfilled_measurements",
        "ingest_cut_off",
    ):
        assert scraped.get_sample_value(f"shutwatch_{name}_total") == 0
    assert scraped.get_sample_value("shutwatch_ingest_duration_seconds_count") == 0


def test_what_happened_is_counted() -> None:
    """Batches, measurements, late ones, refusals, how long it took and how spools are."""
    counts = IngestCounts()
    counts.stored(60, 20)
    counts.stored(40, 0)
    counts.refused(Reason.STALE)
    counts.gone()
    for seconds in (0.01, 0.2, 9.0):
        counts.acknowledged("khi-ptcl", Spool(waiting=5, dropped=2), seconds)
    counts.certificate_expires_at = lambda: datetime(2027, 1, 1, tzinfo=UTC)
    counts.catalog_ends_at = lambda: datetime(2027, 2, 1, tzinfo=UTC)
    scraped = registry(counts)
    found = {
        name: scraped.get_sample_value(f"shutwatch_{name}")
        for name in (
            "ingest_batches_total",
            "ingest_measurements_total",
            "backfilled_measurements_total",
            "ingest_cut_off_total",
            "ingest_duration_seconds_count",
            "ingest_certificate_expiry_timestamp_seconds",
            "agent_catalog_expiry_timestamp_seconds",
        )
    }
    expiries = [datetime(2027, month, 1, tzinfo=UTC).timestamp() for month in (1, 2)]
    assert list(found.values()) == [2, 100, 20, 1, 3, *expiries]
    stale = {"reason": "stale"}
    assert scraped.get_sample_value("shutwatch_ingest_rejected_total", stale) == 1
    bucket = {"le": "0.25"}
    assert scraped.get_sample_value("shutwatch_ingest_duration_seconds_bucket", bucket) == 2
    vantage = {"vantage": "khi-ptcl"}
    assert scraped.get_sample_value("shutwatch_agent_spooled_measurements", vantage) == 5
    assert scraped.get_sample_value("shutwatch_agent_dropped_measurements_total", vantage) == 2


def test_a_monitor_of_ones_own_says_nothing_of_agents() -> None:
    """Where agents are not served there is no family about them."""
    names = {family.name for family in registry(None).collect()}
    assert not {name for name in names if "ingest" in name or "agent" in name}
