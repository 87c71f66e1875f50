"""How the memory of a program that runs for days develops: five vantages, thousands of cycles.

    .venv/bin/python benchmarks/memory.py [--cycles 1200] [--interval 300] [--collector]

What `shutwatch run` does with each cycle, on a scripted network in virtual time: measure, judge,
detect, store in an SQLite file, publish; and a scrape each half minute. Measuring, storing and
showing are the program's own code; sockets and the clock are not. With `--collector` it is what
`shutwatch collector` does with the batches of five agents. A platform is blocked in every third
hundred of cycles, so that events begin and end. Printed after each hundred cycles of every vantage:
bytes resident, blocks of Python's objects, and what SQLite holds, mostly pages of the database.
"""

import _sqlite3
import argparse
import asyncio
import ctypes
import gc
import random
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec

from benchmarks import memory_collector
from monitor.app.cycle_job import measure_and_judge
from monitor.app.run_until_stopped import spare_searches
from monitor.config.settings import Settings
from monitor.logs import LogSettings, configure
from monitor.measuring.controls import LocalControls
from monitor.measuring.cycle import CycleRunner
from monitor.measuring.probers import Probers
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.recording.recorder import Recorder
from probes.settings import ProbeSettings
from probes.testing import DnsReply, Peer, ScriptedNetwork, VirtualClockLoop, reset_by_peer
from probes.vantage import VantagePoint
from storage.open_store import open_store
from tests.unit.monitor.measuring.test_cycle import (
    ADDRESS,
    CONTROL,
    FIELD,
    OPEN,
    POOL,
    RESOLVER,
    SITES,
    catalogue,
    now,
    page,
)
from tests.worlds.build import START

VANTAGES = 5
EVERY = 100
SCRAPE_EVERY = 30.0


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """At one moment, in bytes."""

    cycles: int
    """Of each vantage, until then."""
    resident: int
    objects: int
    """Blocks that Python's objects take; a number, not bytes."""
    sqlite: int
    """Held by SQLite."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1200)
    parser.add_argument("--interval", type=float, default=300.0)
    parser.add_argument("--collector", action="store_true")
    asked = parser.parse_args()
    print("| cycles of each vantage | resident | objects | held by SQLite |\n|---|---|---|---|")
    run(asked.cycles, asked.interval, _tell, collector=asked.collector)


def _tell(one: Memory) -> None:
    print(
        f"| {one.cycles:,} | {one.resident / 1e6:.1f} MB | {one.objects:,} "
        f"| {one.sqlite / 1e6:.1f} MB |",
        flush=True,
    )


def run(
    cycles: int, interval: float, tell: Callable[[Memory], None], *, collector: bool = False
) -> None:
    """Run, and tell the memory after each hundred cycles."""
    configure(LogSettings(level="error"))

    def done(number: int) -> bool:
        if number % EVERY == 0:
            tell(_memory(number))
        return number // EVERY % 3 == 2

    with (
        tempfile.TemporaryDirectory(prefix="shutwatch-bench-") as folder,
        asyncio.Runner(loop_factory=VirtualClockLoop) as runner,
    ):
        database = f"sqlite:///{folder}/memory.db"
        lived = (
            memory_collector.live(database, cycles, interval, now, done, SCRAPE_EVERY)
            if collector
            else _live(database, cycles, interval, done)
        )
        runner.run(lived)


async def _live(database: str, cycles: int, interval: float, done: Callable[[int], bool]) -> None:
    fields = [
        msgspec.structs.replace(FIELD, id=f"v{n}", asn=64512 + n, network=f"Net {n}")
        for n in range(VANTAGES)
    ]
    networks = {one.id: _network() for one in (*fields, CONTROL)}
    configured = Settings(
        interval=interval,
        database=database,
        vantages=(*fields, CONTROL),
        catalog=catalogue(),
        probe=ProbeSettings(
            rate=10_000,
            bogon_allow=("203.0.113.0/24", "192.0.2.0/24"),
            open_resolvers=(OPEN,),
            doh_resolvers=(),
            quic_share=0.0,
        ),
    )
    store = open_store(database)
    await store.open()
    publisher = Publisher(configured.vantages, configured.catalog, now, interval=interval)
    registry = create_registry(publisher)
    recorder = Recorder(configured, store, publisher, now=now)
    await recorder.restore()
    rng = random.Random(1)
    spare_searches()

    async def scrape() -> None:
        while True:
            registry.scrape("")
            await asyncio.sleep(SCRAPE_EVERY)

    probers = Probers(configured, now=now, make_network=lambda v: networks[v.id])
    async with probers:
        made = CycleRunner(configured, probers, LocalControls(probers, [CONTROL]), rng)

        async def cycle(vantage: VantagePoint) -> None:
            await recorder.record(await measure_and_judge(made, vantage.id))

        scraping = asyncio.create_task(scrape())
        for number in range(cycles):
            await asyncio.gather(*(cycle(vantage) for vantage in configured.vantages))
            for network in networks.values():
                _forget(network)
            over = START + timedelta(seconds=interval * (number + 1)) - now()
            await asyncio.sleep(max(0.0, over.total_seconds()))
            blocked = done(number + 1)
            for vantage in fields:
                _platform(networks[vantage.id], blocked=blocked)
        scraping.cancel()
    await store.close()


def _network() -> ScriptedNetwork:
    network = ScriptedNetwork(families=("ipv4",))
    names = network.resolver(RESOLVER)
    network.resolver(OPEN)
    for host, address in ADDRESS.items():
        names.answers(host, "A", DnsReply(addresses=(address,)))
        network.peer(address, 443, page())
        network.peer(address, 80, page())
    for address in POOL:
        network.peer(address, 443, Peer())
    return network


def _forget(network: ScriptedNetwork) -> None:
    """Drop what a scripted network remembers of what it was asked: it is not the program's."""
    network.connects.clear()
    network.streams.clear()
    network.segments.clear()
    for server in (RESOLVER, OPEN):
        network.resolver(server).queries.clear()
        network.resolver(server).tcp_queries.clear()


def _platform(network: ScriptedNetwork, *, blocked: bool) -> None:
    reset = Peer(tls=reset_by_peer(), chain=())
    for host in SITES[:2]:
        network.peer(ADDRESS[host], 443, reset if blocked else page())


def _memory(cycles: int) -> Memory:
    gc.collect()
    used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    used.restype = ctypes.c_int64
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (line,) = (one for one in lines if one.startswith("VmRSS:"))
    return Memory(
        cycles=cycles,
        resident=int(line.split()[1]) * 1024,
        objects=sys.getallocatedblocks(),
        sqlite=used(),
    )


if __name__ == "__main__":
    main()
