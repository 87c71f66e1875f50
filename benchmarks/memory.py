"""How the memory of a monitor that runs for days develops: five vantages, thousands of cycles.

    .venv/bin/python benchmarks/memory.py [--cycles 1200] [--interval 300]

What `shutwatch run` does with each cycle, on a scripted network in virtual time: measure, judge,
detect, store in an SQLite file, publish; and a scrape each half minute. Measuring, storing and
showing are the program's own code; sockets and the clock are not. A platform is blocked in every
third hundred of cycles, so that events begin and end. Printed after each hundred cycles of every
vantage: bytes resident, blocks of Python's objects, and what the C library gave out and holds free.
What grows without objects growing is kept by libraries: SQLite's pages, for instance.
"""

import argparse
import asyncio
import ctypes
import gc
import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

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
    allocated: int
    """What the C library gave out and did not get back."""
    free: int
    """What it holds without giving it out."""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1200)
    parser.add_argument("--interval", type=float, default=300.0)
    asked = parser.parse_args()
    print("| cycles of each vantage | resident | objects | allocated | free in the allocator |")
    print("|---|---|---|---|---|")
    for one in run(asked.cycles, asked.interval):
        print(
            f"| {one.cycles:,} | {one.resident / 1e6:.1f} MB | {one.objects:,} "
            f"| {one.allocated / 1e6:.1f} MB | {one.free / 1e6:.1f} MB |",
            flush=True,
        )


def run(cycles: int, interval: float) -> Iterator[Memory]:
    """The memory after each hundred cycles."""
    configure(LogSettings(level="error"))
    seen: list[Memory] = []
    with (
        tempfile.TemporaryDirectory(prefix="shutwatch-bench-") as folder,
        asyncio.Runner(loop_factory=VirtualClockLoop) as runner,
    ):
        runner.run(_live(f"sqlite:///{folder}/memory.db", cycles, interval, seen))
    yield from seen


async def _live(database: str, cycles: int, interval: float, seen: list[Memory]) -> None:
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
            if number % EVERY == 0:
                blocked = number // EVERY % 3 == 2
                for vantage in fields:
                    _platform(networks[vantage.id], blocked=blocked)
            await asyncio.gather(*(cycle(vantage) for vantage in configured.vantages))
            for network in networks.values():
                _forget(network)
            over = START + timedelta(seconds=interval * (number + 1)) - now()
            await asyncio.sleep(max(0.0, over.total_seconds()))
            if (number + 1) % EVERY == 0:
                seen.append(_memory(number + 1))
                print(seen[-1], file=sys.stderr, flush=True)
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


class _Allocator(ctypes.Structure):
    """`struct mallinfo2` of the GNU C library."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _memory(cycles: int) -> Memory:
    gc.collect()
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = _Allocator
    told = library.mallinfo2()
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (line,) = (one for one in lines if one.startswith("VmRSS:"))
    return Memory(
        cycles=cycles,
        resident=int(line.split()[1]) * 1024,
        objects=sys.getallocatedblocks(),
        allocated=told.uordblks + told.hblkhd,
        free=told.fordblks,
    )


if __name__ == "__main__":
    main()
