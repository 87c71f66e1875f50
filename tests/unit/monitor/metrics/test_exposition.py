"""A scrape is written as prometheus_client would write it, byte for byte."""

import re
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.metrics.exposition import exposition
from monitor.metrics.families import create_registry
from tests.prometheus import world

FORMS = [
    "",
    "text/plain;version=0.0.4",
    "text/plain;version=1.0.0;escaping=allow-utf-8",
    "application/openmetrics-text",
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
]
_OWN_USE = re.compile(rb"^process_.*$", re.MULTILINE)
"""Differs from one look to the next."""


def same(registry: CollectorRegistry, accept: str) -> bytes:
    """The scrape, once it is sure that it is the library's."""
    encode, content_type = choose_encoder(accept)
    body, told = exposition(registry, accept)
    assert told == content_type
    assert _OWN_USE.sub(b"", body) == _OWN_USE.sub(b"", encode(registry))
    return body


@pytest.mark.parametrize("accept", FORMS)
def test_a_scrape_is_the_librarys(accept: str) -> None:
    """All our families in every form there is, twice, since labels are remembered."""
    registry = create_registry(world.x_blocked_on_two_of_three())
    for _ in range(2):
        assert b"shutwatch_platform_state{" in same(registry, accept)


class Odd(Collector):
    """Everything that has to be escaped, and every kind of number."""

    def collect(self) -> Iterator[Metric]:
        """Three families."""
        gauge = GaugeMetricFamily("odd", 'a "word"\\ and\na line', labels=("z", "a"), unit="x")
        values = [0.0, -0.0, 1.0, 1e21, 123456789.5, -1e7, 1e-9, float("inf"), float("nan"), 0.1]
        for number, value in enumerate(values):
            gauge.add_metric((f'"{number}\\\n', "ایکس"), value)
        yield gauge
        yield GaugeMetricFamily("empty", "no sample at all", labels=("a",))
        info = InfoMetricFamily("thing", "what it is")
        info.add_metric((), {"b": "2", "a": "1"})
        yield info


@pytest.mark.parametrize("accept", FORMS)
def test_odd_text_and_numbers_are_the_librarys(accept: str) -> None:
    """Quotes, line ends, backslashes; infinities and exponents."""
    registry = CollectorRegistry()
    registry.register(Odd())
    same(registry, accept)


@pytest.mark.parametrize("accept", FORMS)
def test_what_is_not_known_here_is_left_to_the_library(accept: str) -> None:
    """Exemplars, and moments at which something was created."""
    registry = CollectorRegistry()
    Gauge("plain", "a gauge", registry=registry).set(3)
    times = Histogram("took_seconds", "a histogram", registry=registry)
    times.observe(0.3, {"trace": "abc"})
    assert b"took_seconds_created" in same(registry, accept)
