"""An agent's parts over a spool in a folder of the test's, and a clock that goes as told."""

import asyncio
import gc
import random
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import trustme
import uuid_utils

from monitor.agent.batch_body import BatchMaker
from monitor.agent.batch_delivery import Backoff, BatchDelivery
from monitor.agent.collector_client import CollectorClient
from monitor.agent.collector_clock import AgentClock, Machine
from monitor.agent.signed_answer import Signed
from monitor.agent.what_orders_may_change import Orders
from monitor.config.settings import AgentSetup
from monitor.keys.keys import public_text
from monitor.keys.sealing import sealing_text
from monitor.wire.answers import AgentSettings
from probes.measurement import Measurement
from storage.agent.spool import Spool
from storage.values.cycle import Cycle
from tests.contract.cycles import cycle
from tests.worlds.agent_collector import AGENT_KEY, KEY, SEALING, Collector

VANTAGE = "khi-ptcl"
BOOT_KEY = b"boot".ljust(32, b".")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Time:
    """A machine's clocks; by default those of the machine we run on, since a start of our own."""

    def __init__(self, *, boot: str = "first", behind: float = 0.0) -> None:
        """`behind` is how many seconds the wall clock is behind."""
        self.boot = boot
        self.behind = behind
        self.skipped = 0.0
        """Seconds that passed at once."""

    def true(self) -> float:
        """POSIX seconds as they are."""
        return datetime.now(UTC).timestamp() + self.skipped

    @property
    def machine(self) -> Machine:
        """As an agent sees it."""
        started = self.true()
        return Machine(
            boot=self.boot,
            since_boot=lambda: self.true() - started + 100.0,
            wall=lambda: self.true() - self.behind,
        )


class Eager(Backoff):
    """Waits as long as it is told to, and no longer than a test may."""

    def __init__(self) -> None:
        super().__init__(random.Random(1))
        self.waits: list[float] = []

    def failed(self) -> float:
        """Hardly at all; what it would have been is noted."""
        self.waits.append(super().failed())
        return 0.02

    def after_a_cycle(self) -> float:
        """Not at all."""
        return 0.0


def seen(number: int, *, at: datetime, looks: int = 3) -> Cycle:
    """A cycle of the vantage that ended then, whose measurements have ids of their own."""
    whole = cycle(number, endpoints=looks)
    cycle_id = str(uuid_utils.uuid7())
    mine = tuple(
        msgspec.structs.replace(
            look,
            id=str(uuid_utils.uuid7()),
            cycle=cycle_id,
            vantage=VANTAGE,
            started_at=at - timedelta(seconds=20),
        )
        for look in whole.measurements
    )
    return msgspec.structs.replace(
        whole,
        id=cycle_id,
        vantage=VANTAGE,
        started_at=at - timedelta(seconds=30),
        finished_at=at,
        health=msgspec.structs.replace(whole.health, at=at),
        measurements=mine,
    )


class World:
    """One agent."""

    def __init__(self, folder: Path, collectors: tuple[str, ...], anchors: tuple[str, ...]) -> None:
        self.time = Time()
        self.folder = folder
        self.spool = Spool(folder / "spool.db", limit=50_000_000)
        self.setup = AgentSetup(
            collectors=collectors,
            collector_key=public_text(KEY),
            sealing_key=sealing_text(SEALING),
            trust_anchors=anchors,
        )
        self._makers: dict[AgentClock, BatchMaker] = {}
        self.orders = Orders(folder / "orders", self.setup.collector_key)
        self.backoff = Eager()
        self.ordered: list[AgentSettings] = []
        self.known: list[Measurement] = []
        """What controls measured, as collectors told."""
        self.woken = asyncio.Event()
        self.allowed = asyncio.Event()
        self.allowed.set()
        self.put: set[str] = set()
        """Ids of measurements in the spool, or once in it."""

    def time_now(self) -> datetime:
        """UTC as it is."""
        return datetime.fromtimestamp(self.time.true(), UTC)

    async def take(self, told: AgentSettings, signed: Signed) -> None:
        """Settings that came."""
        if self.orders.take(told, self.time_now()):
            self.orders.keep(signed)
        self.ordered.append(told)

    def maker(self, clock: AgentClock) -> BatchMaker:
        """Of the process with that clock."""
        if clock not in self._makers:
            self._makers[clock] = BatchMaker(VANTAGE, self.setup.sealing_key, clock, BOOT_KEY)
        return self._makers[clock]

    async def fill(self, count: int, clock: AgentClock, *, looks: int = 3) -> None:
        """Put so many cycles."""
        for number in range(count):
            one = seen(number, at=clock.now(), looks=looks)
            await self.spool.put(self.maker(clock).make(one))
            self.put |= {look.id for look in one.measurements}
        self.woken.set()

    @asynccontextmanager
    async def courier(self, clock: AgentClock) -> AsyncIterator[BatchDelivery]:
        """At work for as long as the context lasts."""
        line = _CountingLine(self.setup, VANTAGE, AGENT_KEY, clock, random.Random(1))
        async with line:
            courier = BatchDelivery(
                *(self.spool, self.maker(clock), line, clock, self.orders, self.backoff),
                woken=self.woken,
                ordered=self.take,
                known=self.known.extend,
            )
            task = asyncio.create_task(courier.run(self.allowed))
            try:
                yield courier
            finally:
                # httpcore closes no socket of a request that is cancelled during the TLS handshake,
                # which leaves it to the garbage collection: a warning, in a test.
                with suppress(TimeoutError):
                    await until(lambda: line.under_way == 0, 1.0)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                    gc.collect()


class _CountingLine(CollectorClient):
    """Knows how many requests are under way."""

    under_way = 0

    async def ask(self, *arguments: Any, **more: Any) -> Signed:
        """As ever."""
        self.under_way += 1
        try:
            return await super().ask(*arguments, **more)
        finally:
            self.under_way -= 1


async def until(what: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until it is true; TimeoutError when it never is."""
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 # what it asks about tells nobody
            await asyncio.sleep(0.02)


async def until_empty(spool: Spool, seconds: float = 15.0) -> None:
    """Wait until nothing waits in the spool."""
    async with asyncio.timeout(seconds):
        while (await spool.holding()).measurements:  # noqa: ASYNC110 # as above
            await asyncio.sleep(0.02)


def anchors(authority: trustme.CA, folder: Path) -> tuple[str, ...]:
    """The authority as a file to trust."""
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return (str(file),)


def world(folder: Path, authority: trustme.CA, *collectors: Collector) -> World:
    """An agent that hands in to these."""
    return World(folder, tuple(one.url for one in collectors), anchors(authority, folder))
