"""What taking in costs: signed batches over HTTP until they are on disk.

    .venv/bin/python benchmarks/ingest.py [--batches 1500] [--connections 8] [--database URL]

A collector is pinned to one core. Agents, a process on the other, send batches that were made and
signed before over a few connections, each the next one as soon as the last was acknowledged.
Batches hold a cycle of 60 looks with all layers, as `store.py` fills databases with. Stored are the
batch as it was sent, its measurements with their observations, what is latest, the counts by the
hour, and that the cycle waits for judgement, durably. Without `--database` it is an SQLite file in
a temporary folder; with a PostgreSQL URL the server is that one's, wherever it is pinned to.

Time is told as it passed and as CPU time of the collector, by thread, since a busy machine leaves
only that comparable: what one core could take in is what it took divided by its CPU seconds.
"""

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.ingest_rows import agents, batches
from benchmarks.signed_batches import Agent, Sent

SERVER = Path(__file__).with_name("ingest_server.py")
WARM_UP = 0.1
"""Part of the batches that is sent before anything is measured."""


def main() -> None:
    """Make, send, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=1500)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--database", default="")
    parser.add_argument("--core", type=int, default=1)
    asked = parser.parse_args()
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {asked.core} or {asked.core})
    with tempfile.TemporaryDirectory(prefix="shutwatch-bench-") as folder:
        database = asked.database or f"sqlite:///{folder}/ingest.db"
        run(database, Path(folder), asked.batches, asked.connections, asked.core)


def run(database: str, folder: Path, number: int, connections: int, core: int) -> None:
    """One run against one database."""
    fleet = agents()
    known = folder / "enrolments.json"
    known.write_bytes(msgspec.json.encode([one.enrolment(datetime.now(UTC)) for one in fleet]))
    sent = _made(fleet, number)
    command = [sys.executable, str(SERVER), database, str(core), str(known)]
    environ = {**os.environ, "PYTHONPATH": str(SERVER.parents[1])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        warm = int(len(sent) * WARM_UP)
        asyncio.run(_send(port, sent[:warm], connections))
        before, begun = _threads(server.pid), time.perf_counter()
        latencies = asyncio.run(_send(port, sent[warm:], connections))
        passed, after = time.perf_counter() - begun, _threads(server.pid)
        assert server.stdin is not None
        server.stdin.close()
        taken, looks = map(int, server.stdout.readline().split())
    assert (taken, looks) == (len(sent), sum(one.measurements for one in sent))
    spent = {name: cpu - before.get(name, 0.0) for name, cpu in after.items()}
    _tell(sent[warm:], passed, latencies, spent)


def _made(fleet: list[Agent], number: int) -> list[Sent]:
    """Batches of all agents in turns."""
    rng = random.Random(1)
    each = -(-number // len(fleet))
    turns = zip(*(batches(agent, each, rng) for agent in fleet), strict=True)
    return [one for turn in turns for one in turn][:number]


async def _send(port: int, sent: list[Sent], connections: int) -> list[float]:
    """Send all over that many connections; the seconds each took until it was acknowledged."""
    waiting = iter(sent)
    latencies: list[float] = []

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for one in waiting:
            begun = time.perf_counter()
            writer.write(one.request())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            latencies.append(time.perf_counter() - begun)
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(connections)))
    return latencies


def _threads(pid: int) -> dict[str, float]:
    """CPU seconds by name of thread, with ` (kernel)` behind it for what the kernel did."""
    found: dict[str, float] = defaultdict(float)
    ticks = os.sysconf("SC_CLK_TCK")
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text("ascii").partition("(")[2].rpartition(")")
        fields = rest.split()
        kind = "loop" if int(task.name) == pid else name
        found[f"{kind}, user"] += int(fields[11]) / ticks
        found[f"{kind}, kernel"] += int(fields[12]) / ticks
    return found


def _tell(sent: list[Sent], passed: float, latencies: list[float], spent: dict[str, float]) -> None:
    looks = sum(one.measurements for one in sent)
    unpacked = sum(one.unpacked for one in sent)
    cpu = sum(spent.values())
    quantiles = statistics.quantiles(latencies, n=100)
    print(
        f"{looks:,} measurements in {len(sent):,} batches of {unpacked / len(sent) / 1e3:.0f} KB "
        f"({sum(one.packed for one in sent) / len(sent) / 1e3:.0f} KB as sent), "
        f"{unpacked / looks:,.0f} bytes each"
    )
    print(
        f"{looks / passed:,.0f} a second, {passed:.1f} s passed; {looks / cpu:,.0f} for each CPU "
        f"second of the collector, {cpu / looks * 1e6:.0f} µs of CPU each"
    )
    print(
        f"a batch takes {quantiles[49] * 1e3:.0f} ms in the median, {quantiles[94] * 1e3:.0f} ms "
        f"at most for 95 %, {quantiles[98] * 1e3:.0f} ms for 99 %"
    )
    for name, seconds in sorted(spent.items(), key=lambda one: -one[1]):
        if seconds:
            print(f"  {name}: {seconds:.2f} s, {seconds / cpu:.0%}")


if __name__ == "__main__":
    main()
