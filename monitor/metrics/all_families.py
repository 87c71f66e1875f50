"""Every Prometheus family but those of batches, and which of them this process exposes.

docs/metrics.md explains each; a test compares it with them. `monitor.metrics.scrapes` writes them.
"""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.metrics_core import Metric

from monitor.metrics import (
    event_families,
    platform_families,
    program_families,
    source_families,
    vantage_families,
)
from monitor.metrics.family import Family
from monitor.metrics.snapshot import Snapshot

FAMILIES: tuple[Family, ...] = (
    *program_families.FAMILIES,
    *platform_families.FAMILIES,
    *event_families.FAMILIES,
    *vantage_families.FAMILIES,
    *source_families.FAMILIES,
)


def shown_families(snapshot: Snapshot) -> Iterator[Family]:
    """Those that this process exposes; without the lead, only those about the process."""
    return (family for family in FAMILIES if snapshot.leading or family.everywhere)


def families(snapshot: Snapshot, at: datetime) -> Iterator[Metric]:
    """Every family that this process exposes, with its samples at that moment (UTC)."""
    for family in shown_families(snapshot):
        yield family.metric(family.samples(snapshot, at))
