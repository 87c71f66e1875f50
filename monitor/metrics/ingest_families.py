"""Prometheus families about batches from agents, exposed by collectors that serve agents."""

from collections.abc import Iterator

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from monitor.metrics.ingest_counts import IngestCounts

PREFIX = "shutwatch_"


class IngestCollector(Collector):
    """Reads the counts once per scrape."""

    def __init__(self, counts: IngestCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """All families about agents."""
        counts = self._counts
        for name, text, value in (
            ("ingest_batches", "Stored batches of agents.", counts.batches),
            ("ingest_measurements", "Stored measurements of agents.", counts.measurements),
            (
                "backfilled_measurements",
                "Stored measurements of agents that arrived long after they were made.",
                counts.backfilled,
            ),
            (
                "ingest_cut_off",
                "Requests of agents that ended before their body was complete.",
                counts.cut_off,
            ),
        ):
            yield CounterMetricFamily(PREFIX + name, text, value=float(value))
        rejected = CounterMetricFamily(
            PREFIX + "ingest_rejected", "Refused requests of agents.", labels=("reason",)
        )
        for reason, number in counts.rejected.items():
            rejected.add_metric((str(reason),), float(number))
        yield rejected
        yield HistogramMetricFamily(
            PREFIX + "ingest_duration_seconds",
            "Time from a batch's headers to its acknowledgement, in seconds.",
            unit="seconds",
            buckets=counts.seconds.cumulative(),
            sum_value=counts.seconds.total,
        )
        waiting = GaugeMetricFamily(
            PREFIX + "agent_spooled_measurements",
            "Measurements waiting at an agent, as the agent reports.",
            labels=("vantage",),
        )
        dropped = CounterMetricFamily(
            PREFIX + "agent_dropped_measurements",
            "Measurements an agent dropped because its spool was full, as the agent reports.",
            labels=("vantage",),
        )
        for vantage, spool in counts.spools.items():
            waiting.add_metric((vantage,), float(spool.waiting))
            dropped.add_metric((vantage,), float(spool.dropped))
        yield waiting
        yield dropped
        expires_at = counts.certificate_expires_at()
        if expires_at is not None:
            yield GaugeMetricFamily(
                PREFIX + "ingest_certificate_expiry_timestamp_seconds",
                "Expiry of the certificate that agents see, in seconds since 1970.",
                unit="seconds",
                value=expires_at.timestamp(),
            )
        catalog_ends_at = counts.catalog_ends_at()
        if catalog_ends_at is not None:
            yield GaugeMetricFamily(
                PREFIX + "agent_catalog_expiry_timestamp_seconds",
                "End of the signing key of the catalogue that agents get, in seconds since 1970.",
                unit="seconds",
                value=catalog_ends_at.timestamp(),
            )
