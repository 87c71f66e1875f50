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
from collections.abc import Callable, Iterable

import httpx
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.metrics_core import Metric

from monitor.exporter import SnapshotCollector, create_registry
from monitor.publisher import Publisher
from monitor.server.app import create_app
from monitor.server.exposition import exposition
from tests.prometheus import world

PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3"
"""What it sends as Accept."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    publisher = everything_blocked()
    registry = create_registry(publisher)
    samples = sum(len(family.samples) for family in registry.collect())
    print(f"{samples} samples in a scrape")
    ours = median(rounds, lambda: exposition(registry, PROMETHEUS))
    written = median(rounds, lambda: generate_latest(registry))
    gauges = median(rounds, lambda: gauge_objects(families(publisher)))
    print(f"  ours:                              {ours * 1e3:7.1f} ms of CPU")
    print(f"  ours, written by the library:      {written * 1e3:7.1f} ms")
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


def families(publisher: Publisher) -> list[Metric]:
    """What there is to tell, worked out before the clock runs."""
    return list(SnapshotCollector(publisher).collect())


def gauge_objects(told: Iterable[Metric]) -> bytes:
    """The same samples by way of Gauge objects."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for family in told:
        for sample in family.samples:
            if sample.name not in gauges:
                gauges[sample.name] = Gauge(
                    sample.name, family.documentation, list(sample.labels), registry=registry
                )
            gauge = gauges[sample.name]
            child = gauge.labels(*sample.labels.values()) if sample.labels else gauge
            child.set(sample.value)
    return generate_latest(registry)


def median(rounds: int, work: Callable[[], object]) -> float:
    """Seconds of CPU."""
    work()
    spent = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return statistics.median(spent)


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
