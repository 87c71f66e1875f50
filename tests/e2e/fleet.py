"""Collectors over one PostgreSQL database and agents in the field, all in a lab."""

import asyncio
import gzip
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from monitor.agent.collector_clock import this_machine
from monitor.agent.paths import files_of
from monitor.agent.status import status_of
from monitor.analysis.events.event import Event, EventKind
from monitor.config.load import load_config
from monitor.export.continuations import goes_on_now
from monitor.keys.keys import fingerprint, load_or_make, public_text
from monitor.keys.sealing import sealing_key, sealing_text
from monitor.wire.batch import Batch
from storage.open_store import open_store
from storage.store import CollectorStore
from storage.values.fleet import Enrolment, WaitingCycle
from storage.values.outbox import Notice
from storage.values.steady_clock import utc_now
from storage.values.zstandard import zstd
from tests.contract.listing import EVERYTHING, flat
from tests.e2e.running import GONE, Monitor, wait_for
from tests.lab.certificates import honest
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.lab.settings_text import settings_text
from tests.scenarios.story import QUICK

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
NAME, AGENTS, RECEIVER = "localhost", 8443, 18080
"""Where agents go: a collector, or the balancer before several; and where messages go."""
INTERVAL = "5s"
HASTY = "[events]\nfalse_suspected = 10\nfalse_confirmed = 1\nfalse_ends = 1000"
"""Lets strong evidence be believed within a few cycles, as in other stories."""


class Collector(Monitor):
    """A running `shutwatch collector`."""

    def value(self, name: str, **labels: str) -> float:
        """Of all its samples of one metric with these labels, the sum."""
        return sum(self.samples(name, **labels).values())

    def leads(self) -> bool:
        """Whether it says that it leads."""
        return list(self.samples("shutwatch_analysis_leader").values()) == [1]

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(GONE)


class Fleet:
    """One installation: its database, its keys, its collectors and its agents."""

    def __init__(
        self, lab: Lab, database: str, folder: str, platforms: Sequence[str] = ("x",)
    ) -> None:
        """`database` is a URL; `folder` is the name of a new one in the lab's. Measuring
        `platforms` takes most of the processor."""
        self.lab = lab
        self.platforms = platforms
        self.database = database
        self.reached: Callable[[], str] = lambda: database
        """Gives the URL by which it, or a copy of how it is now, is reached outside the lab."""
        self.folder = lab.directory / folder
        self.folder.mkdir()
        (self.folder / "collector.pem").write_text(honest(NAME))
        signing = load_or_make(self.folder / "orders.pem")
        self.key, self.sealing = public_text(signing), sealing_text(sealing_key(signing))
        self._stack = ExitStack()

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def enrol(self, networks: Sequence[Network]) -> None:
        """Let an agent on each network speak for a vantage of that network's name."""
        self._asked(partial(self._enrol, networks))

    async def _enrol(self, networks: Sequence[Network], store: CollectorStore) -> None:
        for network in networks:
            key = public_text(load_or_make(self.folder / f"{network.name}.pem"))
            await store.enrol(
                Enrolment(
                    vantage=network.name,
                    country=network.spec.country,
                    asn=network.spec.asn,
                    network=network.spec.title or network.name.upper(),
                    role="field",
                    key=key,
                    fingerprint=fingerprint(key),
                    enrolled_at=utc_now(),
                    # As one that has agreed with others for long.
                    established_at=utc_now(),
                )
            )

    def _config(self, name: str, *, networks: Sequence[Network], listen: int, extra: str) -> Path:
        controls = () if networks else self.lab.controls[:1]
        text = settings_text(
            networks,
            controls,
            (),
            ca=str(self.lab.ca),
            database=self.database,
            interval=INTERVAL,
            listen=f"127.0.0.1:{listen}",
            egress="source",
            resolver="isp",
            control_resolver="",
            platforms=self.platforms,
            probe=QUICK,
            few_references=True,
            extra=extra,
        )
        path = self.folder / name
        path.write_text(text)
        return path

    def collector(
        self, number: int, agents: int, *, told: bool = False, more: str = ""
    ) -> Collector:
        """A collector that serves agents on that port; its control has a name of its own. `more`
        are tables for its file."""
        route = f'[[notify.route]]\nname = "newsroom"\nurls = ["json://127.0.0.1:{RECEIVER}/"]\n'
        extra = (
            f'{HASTY}\n\n[collector]\nlisten = "127.0.0.1:{agents}"\n'
            f'certificate = "collector.pem"\ncertificate_key = "collector.pem"\n'
            f'control_wait = "10s"\norders_key = "orders.pem"\n{route if told else ""}{more}'
        )
        page = 10200 + number
        config = self._config(f"collector-{number}.toml", networks=(), listen=page, extra=extra)
        text = config.read_text().replace('id = "', f'id = "c{number}-', 1)
        config.write_text(f'signing_key = "signing.pem"\n{text}')
        process = self._popen(["shutwatch", "collector", "--config", str(config)])
        return Collector(self.lab, process, page)

    def agent(
        self, network: Network, at: int = AGENTS, *, spool: str = "", more: str = ""
    ) -> Monitor:
        """An agent on a network, which hands in at that port. `spool` is another file than usual,
        `more` are tables for its own."""
        config = self.write_agent(network, at, spool=spool, more=more)
        return Monitor(
            self.lab, self._popen(["shutwatch", "agent", "run", "--config", str(config)])
        )

    def write_agent(
        self, network: Network, at: int = AGENTS, *, spool: str = "", more: str = ""
    ) -> Path:
        """The file of such an agent."""
        name = network.name
        extra = (
            f'[agent]\ncollectors = ["https://{NAME}:{at}"]\ncollector_key = "{self.key}"\n'
            f'sealing_key = "{self.sealing}"\n'
            f'key = "{name}.pem"\nspool = "{spool or f"{name}.db"}"\n'
            f'trust_anchors = ["{self.lab.ca}"]\n{more}'
        )
        return self._config(f"{name}.toml", networks=[network], listen=10100, extra=extra)

    def status(self, network: Network, *, inside: bool = False) -> dict[str, Any]:
        """What the agent on a network tells its host. `inside`: by the command itself in the lab,
        which alone sees disks that were mounted there; it costs 0.4 seconds of a processor."""
        config = self.folder / f"{network.name}.toml"
        if inside:
            asked = ["shutwatch", "agent", "status", "--json", "--config", str(config)]
            text: str | bytes = self.lab.run(asked, check=True).stdout
        else:
            settings = load_config(config, {})
            found = status_of(settings, files_of(settings), this_machine())
            text = msgspec.json.encode(found)
        told: dict[str, Any] = json.loads(text)
        return told

    def waits(self, network: Network) -> int:
        """Measurements that wait in the spool of the agent on a network."""
        waiting: int = self.status(network)["spooled"]
        return waiting

    def program(self, module: str, *arguments: object) -> "subprocess.Popen[str]":
        """A program of the tests' own, in the lab."""
        return self._popen([sys.executable, "-m", module, *map(str, arguments)])

    def _popen(self, argv: Sequence[str]) -> "subprocess.Popen[str]":
        process = self.lab.popen(
            argv,
            env={"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._stack.enter_context(_ended(process))
        return process

    def stored(self) -> "Stored":
        """What is in the database now of all that was judged."""
        return self._asked(_stored)

    def all_judged(self) -> "Stored":
        """The same, once all that came in until now has been judged. A collector's own control goes
        on, and what it measured last always waits for those that ended before it."""
        came = {one.id for one in self._waiting()}
        wait_for(lambda: not came & {one.id for one in self._waiting()}, "all to be judged")
        return self.stored()

    def blocks(self) -> list[Event]:
        """The blocks in the database, but for those that go on as another: one that turned out to
        have begun with an earlier look, which came later, does so as the one that begins with it.
        One that is simply withdrawn is among them."""
        return self._asked(_blocks)

    def notices(self) -> list[Notice]:
        """What is told, or to be told."""
        return self._asked(lambda store: store.outbox())

    def _waiting(self) -> list[WaitingCycle]:
        return self._asked(lambda store: store.waiting(1000))

    def _asked(self, question: Callable[[CollectorStore], Awaitable[T]]) -> T:
        async def ask() -> T:
            store = open_store(self.reached())
            await store.open()
            try:
                return await question(store)
            finally:
                await store.close()

        return asyncio.run(ask())


async def _blocks(store: CollectorStore) -> list[Event]:
    found = await flat(store.events(EVERYTHING))
    blocks = [event for event in found if event.kind is EventKind.BLOCK]
    return [event for event in blocks if not await goes_on_now(store, event)]


@contextmanager
def _ended(process: "subprocess.Popen[str]") -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GONE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(GONE)
        if process.stderr is not None:
            process.stderr.close()


class Stored:
    """What a database holds of a fleet."""

    def __init__(self, looks: dict[str, list[str]], handed: dict[str, list[str]]) -> None:
        self.looks = looks
        """Cycle → ids of its vantage's measurements, as they are stored."""
        self.handed = handed
        """The same, as they stand in the signed batches."""
        self.batches: set[str] = set()
        """Ids of the signed batches."""


async def _stored(store: CollectorStore) -> Stored:
    cycles = await flat(store.cycles(EVERYTHING))
    looks: dict[str, list[str]] = {}
    for look in await flat(store.measurements(EVERYTHING)):
        if look.vantage_role == "field":
            looks.setdefault(look.cycle, []).append(look.id)
    handed: dict[str, list[str]] = {}
    batches = {b.id: b for b in await store.received_batches([one.id for one in cycles])}
    for batch in batches.values():
        if batch.signature:
            body = _unpacked(batch.encoding, batch.body)
            for report in msgspec.json.decode(body, type=Batch).reports:
                handed[report.cycle] = [look.id for look in report.measurements]
    stored = Stored(looks, handed)
    stored.batches = {batch.id for batch in batches.values() if batch.signature}
    return stored


def _unpacked(encoding: str, body: bytes) -> bytes:
    if encoding == "zstd":
        return zstd.ZstdDecompressor().decompress(body)
    if encoding == "gzip":
        return gzip.decompress(body)
    return body


def letters(file: Path) -> list[dict[str, Any]]:
    """Messages that the receiver got."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines()]


def cycles_of(agent: Monitor) -> dict[str, int]:
    """Cycles that an agent says it spooled, each with how many measurements it has."""
    return {line["cycle"]: line["measurements"] for line in agent.said("cycle complete")}


def wait_for_cycles(agents: Sequence[Monitor], count: int, seconds: float = 90.0) -> None:
    """Until each of them has spooled so many."""
    wait_for(
        lambda: all(len(cycles_of(agent)) >= count for agent in agents), f"{count} cycles", seconds
    )
