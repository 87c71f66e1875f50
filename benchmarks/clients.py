"""The programs that are measured, each in a process of its own that probes when it is told to.

A line of standard input is how many probes to make; a line of output is what they cost.
"""

import asyncio
import gc
import itertools
import json
import ssl
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import uuid_utils

from benchmarks.certificates import BOTH_FAMILIES, ONE_FAMILY
from benchmarks.names import PER_CYCLE, name, new_name
from benchmarks.namespace import OWN_ADDRESSES, RESOLVER
from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.app.run_until_stopped import spare_searches
from probes.catalog.catalog import Endpoint
from probes.catalog.endpoint_kinds import EndpointKind
from probes.layers.http import HttpClient
from probes.measure.prober import Prober
from probes.measure.runner import Runner
from probes.measurement import Measurement
from probes.settings import ProbeSettings
from probes.sockets.http_client import httpx
from probes.sockets.network import SocketNetwork, TlsContexts
from probes.sockets.system_resolvers import ResolverAddress
from probes.sockets.verified_chains import VerifiedChains
from probes.target import Target
from probes.vantage import Egress, EgressKind, VantagePoint
from storage.open_store import sql_store
from storage.values.cycle import Cycle
from storage.values.steady_clock import utc_now

CONCURRENCY = 100
"""Of plain httpx, which never waits for anything but the server."""
LOOKS_AT_ONCE = 1000
"""Of ours, each of which listens for a second DNS answer for a second: enough to keep the core
busy. A process that keeps falling asleep pays for each time it wakes up with caches that others on
the host have emptied meanwhile, and how much that is says nothing about the look."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is told when it is started."""

    kind: str
    """ours, ours_cold, ours_both, httpx or stuck."""
    anchor: str
    """The trusted certificate."""
    port: int
    folder: str
    """Where a database may be made."""
    window: float = -1.0
    """Seconds the resolver is listened to for a second answer; negative: the default."""


class Ours:
    """The prober as `shutwatch run` has it, each look stored."""

    def __init__(
        self,
        order: Order,
        *,
        domain: str,
        cold: bool = False,
        port: int = 0,
        concurrency: int = LOOKS_AT_ONCE,
    ) -> None:
        self._domain = domain
        self._name = new_name if cold else name
        self.chains = CountedChains()
        self._port = port or order.port
        settings = ProbeSettings(
            rate=10_000,
            concurrency=concurrency,
            trust_anchors=(order.anchor,),
            bogon_allow=("127.0.0.0/8", "::1/128"),
        )
        if order.window >= 0:
            settings = msgspec.structs.replace(settings, dns_window=order.window)
        egress = Egress(kind=EgressKind.SOURCE, source=",".join(OWN_ADDRESSES))
        self._vantage = VantagePoint(id="bench", country="ZZ", egress=egress)
        self._prober = Prober(
            self._vantage,
            SocketNetwork(
                self._vantage.egress,
                TlsContexts(settings.trust_anchors, verified=self.chains),
            ),
            settings,
            HttpClient(),
            resolvers=lambda: (ResolverAddress(address=RESOLVER),),
            now=utc_now,
        )
        self._settings = settings
        self._count = itertools.count()
        database = Path(order.folder) / f"{order.kind}.db"
        self._store = sql_store(f"sqlite:///{database}")

    async def probe(self, count: int) -> None:
        """Look and store, in cycles that go side by side as those of several vantages do."""
        await self._store.open()
        async with Runner(
            rate=self._settings.rate, concurrency=self._settings.concurrency
        ) as runner:
            cycles = [self._cycle(runner, PER_CYCLE) for _ in range(count // PER_CYCLE)]
            await asyncio.gather(*cycles)

    async def _cycle(self, runner: Runner, count: int) -> None:
        measurements = await asyncio.gather(
            *(runner.run(partial(self._prober.measure, self._target())) for _ in range(count))
        )
        assert all(measurement.reached for measurement in measurements)
        await self._save(measurements)

    async def stuck(self, count: int) -> float:
        """KiB of memory that each of so many looks takes which never get past their handshake."""
        async with Runner(
            rate=self._settings.rate, concurrency=self._settings.concurrency
        ) as runner:
            gc.collect()
            before = resident()
            looks = [
                asyncio.create_task(runner.run(partial(self._prober.measure, self._target())))
                for _ in range(count)
            ]
            await asyncio.sleep(3)
            assert not any(look.done() for look in looks)
            gc.collect()
            return (resident() - before) / count

    def _target(self) -> Target:
        host = self._name(next(self._count), self._domain)
        endpoint = Endpoint(kind=EndpointKind.HTTPS, host=host, port=self._port)
        return Target(platform="bench", function="web", endpoint=endpoint)

    async def _save(self, measurements: list[Measurement]) -> None:
        now = utc_now()
        health = VantageHealth(
            vantage=self._vantage.id,
            country=self._vantage.country,
            state=VantageState.OK,
            rule_id="vantage.ok",
            references_ok=1,
            references_total=1,
            timeout_rate=0.05,
            families=("ipv4",),
            at=now,
        )
        cycle = Cycle(
            id=str(uuid_utils.uuid7()),
            vantage=self._vantage.id,
            country=self._vantage.country,
            started_at=now,
            finished_at=now,
            health=health,
            measurements=tuple(measurements),
            verdicts=(),
            platforms=(),
        )
        await self._store.save(cycle)


class CountedChains(VerifiedChains):
    """Tells how many handshakes were spared the verification of a chain."""

    def __init__(self) -> None:
        super().__init__()
        self.recognised = 0
        self.verified = 0

    def expected(self, host: str) -> frozenset[bytes]:
        """As ever; a chain of the benchmark never changes, so what is expected comes."""
        expected = super().expected(host)
        if expected:
            self.recognised += 1
        return expected

    def add(self, host: str, chain: Sequence[bytes], not_after: float) -> None:
        """As ever."""
        self.verified += 1
        super().add(host, chain, not_after)

    def share(self) -> float:
        """Of the handshakes since this was last asked, the share with a chain recognised."""
        recognised, verified = self.recognised, self.verified
        self.recognised = self.verified = 0
        return recognised / (recognised + verified)


class PlainHttpx:
    """What a script would do: one client, one context, a new connection for each probe."""

    def __init__(self, order: Order) -> None:
        context = ssl.create_default_context(cafile=order.anchor)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(verify=context, limits=limits, trust_env=False)
        self._places = asyncio.Semaphore(CONCURRENCY)
        self._port = order.port
        self._count = itertools.count()

    async def probe(self, count: int) -> None:
        """GET, and read the body."""
        await asyncio.gather(*(self._one() for _ in range(count)))

    async def _one(self) -> None:
        async with self._places:
            url = f"https://{name(next(self._count), ONE_FAMILY)}:{self._port}/"
            response = await self._client.get(url)
            assert response.status_code == httpx.codes.OK
            assert len(response.content) > 2000


def resident() -> int:
    """KiB of memory this process has."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise OSError("no VmRSS")


async def serve(order: Order) -> None:
    """Do as standard input says, until it ends."""
    if order.kind == "stuck":
        await _measure_stuck(order)
        return
    client = _client(order)
    if isinstance(client, Ours):
        spare_searches()  # as `shutwatch run` does
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        gc.collect()
        before = time.process_time()
        await client.probe(int(line))
        cpu = time.process_time() - before
        shares = [client.chains.share()] if isinstance(client, Ours) else []
        print(json.dumps([cpu, *shares]), flush=True)


def _client(order: Order) -> Ours | PlainHttpx:
    if order.kind == "httpx":
        return PlainHttpx(order)
    domain = BOTH_FAMILIES if order.kind == "ours_both" else ONE_FAMILY
    return Ours(order, domain=domain, cold=order.kind == "ours_cold")


async def _measure_stuck(order: Order) -> None:
    works = Ours(order, domain=ONE_FAMILY)
    await works.probe(PER_CYCLE)
    count, port = int(sys.stdin.readline()), int(sys.stdin.readline())
    stuck = Ours(order, domain=ONE_FAMILY, port=port, concurrency=count)
    print(json.dumps(await stuck.stuck(count)), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(msgspec.json.decode(sys.argv[1], type=Order)))
