"""Prometheus families about what agents hand in; there where agents are served."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from monitor.metrics.ingest_counts import IngestCounts
from monitor.metrics.snapshot import BUCKETS

PREFIX = "shutwatch_"


class IngestCollector(Collector):
    """Reads the counts once per scrape."""

    def __init__(self, counts: IngestCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """All families about agents."""
        counts = self._counts
        yield _counter("ingest_batches", "Batches of agents stored.", counts.batches)
        yield _counter("ingest_measurements", "Measurements of agents stored.", counts.measurements)
        yield _counter(
            "backfilled_measurements",
            "Measurements of agents that came long after they were made; part of all stored.",
            counts.backfilled,
        )
        rejected = CounterMetricFamily(
            PREFIX + "ingest_rejected", "Requests of agents refused.", labels=("reason",)
        )
        for reason, number in counts.rejected.items():
            rejected.add_metric((str(reason),), float(number))
        yield rejected
        yield _counter(
            "ingest_cut_off", "Requests of agents that ended in the middle.", counts.cut_off
        )
        yield self._seconds()
        waiting = GaugeMetricFamily(
            PREFIX + "agent_spooled_measurements",
            "Measurements that wait at an agent, by its own word.",
            labels=("vantage",),
        )
        dropped = CounterMetricFamily(
            PREFIX + "agent_dropped_measurements",
            "Measurements that an agent gave up because its spool was full, by its own word.",
            labels=("vantage",),
        )
        for vantage, spool in counts.spools.items():
            waiting.add_metric((vantage,), float(spool.waiting))
            dropped.add_metric((vantage,), float(spool.dropped))
        yield waiting
        yield dropped
        expires_at = counts.certificate_expires_at()
        if expires_at is not None:
            expiry = GaugeMetricFamily(
                PREFIX + "ingest_certificate_expiry_timestamp_seconds",
                "When the certificate that agents see ends.",
            )
            expiry.add_metric((), expires_at.timestamp())
            yield expiry

    def _seconds(self) -> Metric:
        histogram = self._counts.seconds
        bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
        metric = HistogramMetricFamily(
            PREFIX + "ingest_seconds",
            "Time from a batch's headers to the answer that it is on disk.",
        )
        buckets = list(zip(bounds, accumulate(map(float, histogram.counts)), strict=True))
        metric.add_metric((), buckets, histogram.total)
        return metric


def _counter(name: str, told: str, value: int) -> Metric:
    metric = CounterMetricFamily(PREFIX + name, told)
    metric.add_metric((), float(value))
    return metric
