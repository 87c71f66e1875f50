"""What operators' surfaces cost: a scrape and the page, with ten platforms.

    .venv/bin/python benchmarks/surfaces.py [--rounds 20] [--vantages 20 1000]

All is at its worst: every platform blocked everywhere, an event for each. CPU time is compared,
which is what a busy machine leaves comparable. Ours is what `/metrics` answers, before it is
compressed: with nothing heard since the scrape before, with a tenth of the vantages heard (an
interval of five minutes, scraped every half minute), and with all of them. The peers write the same
samples: `generate_latest` of the same registry, and the usual way, a Gauge object for each family,
set for each sample, in a registry made for this scrape, since one that lives on keeps series of
what is gone.
"""

import argparse
import asyncio
import gzip
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily

from monitor.metrics.all_families import FAMILIES
from monitor.metrics.family import PREFIX, VANTAGE
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import Scrapes, create_registry
from monitor.metrics.snapshot import BUCKETS, Histogram
from monitor.server.app import METRICS_EFFORT, create_app
from probes.sockets.http_client import httpx
from probes.vantage import VantagePoint
from tests.prometheus import world

R = TypeVar("R")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
COUNTRIES = tuple(chr(65 + n) * 2 for n in range(5))
EVENTS = [world.event(country, platform) for country in COUNTRIES for platform in world.TITLES]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--vantages", type=int, nargs="+", default=[20, 1000])
    asked_for = parser.parse_args()
    for number in asked_for.vantages:
        compare(number, asked_for.rounds)
    publisher = everything_blocked(20)
    rounds = asked_for.rounds
    page, size = asyncio.run(asked(publisher, create_registry(publisher), "/", rounds))
    print(f"the page: {page * 1e3:.1f} ms of CPU, {size / 1000:.0f} KB")


def compare(number: int, rounds: int) -> None:
    """Scrapes of so many vantages."""
    publisher = everything_blocked(number)
    registry = create_registry(publisher)
    points = [view.point for view in publisher.snapshot.vantages]
    turns = itertools.cycle(points)

    def ours() -> bytes:
        return registry.scrape(OPENMETRICS)[0]

    def hear(share: float) -> None:
        for point in itertools.islice(turns, round(number * share)):
            report(publisher, point)

    begun = time.process_time()
    text = ours()
    first = time.process_time() - begun
    ways: dict[str, tuple[float, Callable[[], bytes]]] = {
        "ours, nothing heard": (0.0, ours),
        "ours, a tenth heard": (0.1, ours),
        "ours, all heard": (1.0, ours),
        "generate_latest": (0.1, lambda: generate_latest(registry)),
        "Gauge objects": (0.1, lambda: gauge_objects(publisher)),
    }
    spent = dict(
        zip(ways, medians(rounds, hear, list(ways.values())), strict=True),
    )
    samples = text.count(b"\n") - text.count(b"\n# ")
    print(f"{number} vantages: {samples:,} samples, {len(text) / 1e6:.1f} MB")
    print(f"  {'ours, the first':24}{first * 1e3:9.1f} ms of CPU")
    for name, seconds in spent.items():
        ratio = seconds / spent["generate_latest"]
        print(f"  {name:24}{seconds * 1e3:9.1f} ms {ratio:7.2f} x generate_latest")
    packed, seconds = _timed(lambda: gzip.compress(text, METRICS_EFFORT))
    print(f"  {'compressing it':24}{seconds * 1e3:9.1f} ms, {len(packed) / 1e6:.2f} MB")


def everything_blocked(number: int) -> Publisher:
    """Vantages in five countries, each with a cycle in which all of it is blocked."""
    fields = tuple(
        world.vantage(f"v{n}", COUNTRIES[n % 5], 64500 + n % 100, f"Net {n % 100}")
        for n in range(number)
    )
    publisher = world.publisher(vantages=fields)
    for point in fields:
        report(publisher, point)
    return publisher


def report(publisher: Publisher, point: VantagePoint) -> None:
    """One cycle of a vantage in which all is blocked."""
    accusations = dict.fromkeys(world.TITLES, world.TLS_RESET)
    transfers = tuple(world.transfer(point, platform, 0.1) for platform in world.TITLES)
    publisher.publish(world.cycle(point, accusations=accusations, transfers=transfers), EVENTS)


def gauge_objects(publisher: Publisher) -> bytes:
    """The same samples, worked out from the same snapshot, by way of Gauge objects."""
    registry = CollectorRegistry()
    snapshot, at = publisher.snapshot, publisher.now()
    for family in FAMILIES:
        if family.kind is HistogramMetricFamily:
            continue
        gauge = Gauge(family.name, "", family.labels, registry=registry)
        for labels, value in family.samples(snapshot, at):
            assert not isinstance(value, Histogram)
            (gauge.labels(*labels) if labels else gauge).set(float(value))
    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
    names = (*VANTAGE, "layer")
    buckets = Gauge(f"{PREFIX}duration_bucket", "A histogram's.", (*names, "le"), registry=registry)
    sums = Gauge(f"{PREFIX}duration_sum", "Its sum.", names, registry=registry)
    for view in snapshot.vantages:
        point = view.point
        for layer, histogram in view.durations.items():
            labels = (point.country, point.network, str(point.asn), point.id, layer)
            for bound, count in zip(bounds, accumulate(histogram.counts), strict=True):
                buckets.labels(*labels, bound).set(count)
            sums.labels(*labels).set(histogram.total)
    return generate_latest(registry)


def medians(
    rounds: int,
    hear: Callable[[float], None],
    ways: Sequence[tuple[float, Callable[[], object]]],
) -> list[float]:
    """Seconds of CPU of each, in turns, so that whatever else goes on hits all alike. Before each,
    a share of the vantages is heard, which is not counted."""
    spent: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        for (share, way), seconds in zip(ways, spent, strict=True):
            hear(share)
            _, took = _timed(way)
            if number:
                seconds.append(took)
    return list(map(statistics.median, spent))


def _timed(way: Callable[[], R]) -> tuple[R, float]:
    """What it gives, and the seconds of CPU it took."""
    begun = time.process_time()
    made = way()
    return made, time.process_time() - begun


async def asked(
    publisher: Publisher, registry: Scrapes, path: str, rounds: int
) -> tuple[float, int]:
    """Seconds of CPU to answer for a path, and how many bytes come."""
    app = create_app(publisher, registry)
    spent, size = [], 0
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for _ in range(rounds + 1):
            begun = time.process_time()
            answer = await client.get(path)
            spent.append(time.process_time() - begun)
            assert answer.status_code == 200
            size = len(answer.content)
    return statistics.median(spent[1:]), size


if __name__ == "__main__":
    main()
