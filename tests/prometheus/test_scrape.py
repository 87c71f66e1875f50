"""A full scrape, checked by the tools of Prometheus."""

import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tests.docs.test_metrics_docs import full_scrape


class _Everything(Collector):
    """Every family that there is, with samples."""

    def collect(self) -> Iterator[Metric]:
        """Those of events, vantages, sources, agents and the process."""
        return full_scrape()


@pytest.mark.prometheus
def test_promtool_finds_nothing_to_complain_about() -> None:
    """`promtool check metrics` accepts every family that there is without a word."""
    registry = CollectorRegistry()
    registry.register(_Everything())
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=generate_latest(registry).decode(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
