"""What operators' surfaces cost: a scrape and the page, with twenty vantages and ten platforms.

    .venv/bin/python benchmarks/surfaces.py [--rounds 20]

All is at its worst: every platform blocked everywhere, an event for each. CPU time is compared,
which is what a busy machine leaves comparable. The other scrape is the usual one: a Gauge object
for each family, set for each sample, in a registry made for this scrape, since a registry that
lives on keeps series of what is gone.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from monitor.metrics.families_with_values import FAMILIES, PREFIX, VANTAGE, create_registry
from monitor.metrics.published_state import BUCKETS
from monitor.metrics.publisher import Publisher
from monitor.server.app import create_app
from probes.sockets.http_client import httpx
from tests.prometheus import world


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    publisher = everything_blocked()
    registry = create_registry(publisher)
    samples = sum(len(family.samples) for family in registry.collect())
    print(f"{samples} samples in a scrape")
    ours, gauges = medians(
        rounds,
        lambda: generate_latest(registry),
        lambda: gauge_objects(publisher),
    )
    print(f"  ours:                              {ours * 1e3:7.1f} ms of CPU")
    print(f"  Gauge objects:                     {gauges * 1e3:7.1f} ms")
    print(f"  ours over Gauge objects:           {ours / gauges:7.2f}")
    page, size = asyncio.run(asked(publisher, registry, "/", rounds))
    print(f"the page: {page * 1e3:.1f} ms of CPU, {size / 1000:.0f} KB")


def everything_blocked() -> Publisher:
    """Twenty vantages in five countries, each with a cycle in which all of it is blocked."""
    fields = tuple(
        world.vantage(f"v{n}", chr(65 + n % 5) * 2, 64500 + n, f"Net {n}") for n in range(20)
    )
    publisher = world.publisher(vantages=fields)
    events = [
        world.event(country, platform)
        for country in sorted({point.country for point in fields})
        for platform in world.TITLES
    ]
    for point in fields:
        accusations = dict.fromkeys(world.TITLES, world.TLS_RESET)
        transfers = tuple(world.transfer(point, platform, 0.1) for platform in world.TITLES)
        publisher.publish(world.cycle(point, accusations=accusations, transfers=transfers), events)
    return publisher


def gauge_objects(publisher: Publisher) -> bytes:
    """The same samples, worked out from the same snapshot, by way of Gauge objects."""
    registry = CollectorRegistry()
    snapshot, at = publisher.snapshot, publisher.now()
    for family in FAMILIES:
        gauge = Gauge(PREFIX + family.samples.__name__, "", family.labels, registry=registry)
        for labels, value in family.samples(snapshot, at):
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


def medians(rounds: int, *ways: Callable[[], object]) -> list[float]:
    """Seconds of CPU of each, in turns, so that whatever else goes on hits all alike."""
    spent: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        for way, seconds in zip(ways, spent, strict=True):
            begun = time.process_time()
            way()
            if number:
                seconds.append(time.process_time() - begun)
    return list(map(statistics.median, spent))


async def asked(
    publisher: Publisher, registry: CollectorRegistry, path: str, rounds: int
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
