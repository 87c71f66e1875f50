"""What befalls agents: a line that is closed or breaks, a day without one, kill -9."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from storage.open_store import open_store
from tests.contract.listing import EVERYTHING, flat
from tests.e2e.fleet import Fleet, cycles_of
from tests.e2e.running import GONE, Monitor, wait_for
from tests.e2e.spooler import Put, reports
from tests.lab.lab import Lab
from tests.lab.narrows import Cut, Orders
from tests.lab.network import Network

DAY = 288
"""Cycles in one, every five minutes."""


class BadLine:
    """A line from agents to a collector on this machine."""

    def __init__(self, fleet: Fleet, port: int, backend: int, source: str = "") -> None:
        self._file = fleet.folder / f"line-{port}.json"
        self._now = Orders()
        self.be()
        fleet.program("tests.lab.narrows", port, backend, self._file, *([source] if source else []))

    def be(self, **how: object) -> None:
        """As given, and as before in all else."""
        self._now = msgspec.structs.replace(self._now, **how)
        partial = self._file.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(self._now))
        partial.replace(self._file)

    def cut(self, *cuts: Cut) -> None:
        """Cut the next connections that go so far, after those that were to be cut."""
        self.be(cuts=(*self._now.cuts, *cuts))


def kill(process: "subprocess.Popen[str]") -> None:
    """kill -9."""
    process.send_signal(signal.SIGKILL)
    process.wait(GONE)


def template_of(fleet: Fleet, network: Network, at: int) -> Path:
    """A spool with a cycle or two that the agent on that network saw; it has no other any more."""
    agent = fleet.agent(network, at)
    wait_for(lambda: cycles_of(agent) or agent.process.poll() is not None, "a cycle to copy")
    assert cycles_of(agent), agent.log
    kill(agent.process)
    name, kept = f"{network.name}.db", fleet.folder / f"{network.name}-template.db"
    for end in ("", "-wal", "-shm"):
        file = fleet.folder / f"{name}{end}"
        if file.exists():
            file.rename(f"{kept}{end}")
    return kept


class Day:
    """Cycles that an agent spools while it has no line."""

    def __init__(
        self, fleet: Fleet, network: Network, template: Path, count: int, ended: float
    ) -> None:
        """The last one ends at `ended`, in POSIX seconds."""
        self._spool = fleet.folder / f"{network.name}.db"
        self._put = fleet.folder / f"{network.name}.put"
        self._fleet = fleet
        self._count = count
        config = fleet.folder / f"{network.name}.toml"
        self._arguments = (config, template, count, ended, self._put)

    def spool(self, rng: random.Random, kills: int = 0) -> None:
        """Put them into the spool; whatever does so is killed so often on the way, and begun
        again."""
        for number in range(kills):
            wanted = self._count * (number + 1) // (kills + 2)
            process = self._start()
            wait_for(partial(self._has_told, wanted), "cycles in the spool")
            time.sleep(rng.uniform(0.0, 0.1))
            assert process.poll() is None
            kill(process)
        process = self._start()
        assert process.wait(120) == 0
        assert len(self.spooled()) == self._count

    def _has_told(self, cycles: int) -> bool:
        return len(self.told()) >= cycles

    def _start(self) -> "subprocess.Popen[str]":
        return self._fleet.program("tests.e2e.spooler", *self._arguments)

    def told(self) -> list[Put]:
        """What was said to be in the spool."""
        if not self._put.exists():
            return []
        lines = self._put.read_bytes().split(b"\n")[:-1]
        return [msgspec.json.decode(line, type=Put) for line in lines]

    def spooled(self) -> dict[str, list[str]]:
        """Cycle → ids of its measurements, as they wait in the spool."""
        return {one.cycle: [look.id for look in one.measurements] for one in reports(self._spool)}


def stored_ids(database: str) -> Counter[str]:
    """How many rows there are of each measurement of an agent."""
    return asyncio.run(_stored_ids(database))


async def _stored_ids(database: str) -> Counter[str]:
    store = open_store(database)
    await store.open()
    try:
        looks = await flat(store.measurements(EVERYTHING))
    finally:
        await store.close()
    return Counter(look.id for look in looks if look.vantage_role == "field")


def all_there(database: str, wanted: Iterable[str]) -> bool:
    """Whether each of these measurements is stored."""
    return set(wanted) <= stored_ids(database).keys()


def said_to_be_spooled(agents: Sequence[Monitor]) -> dict[str, int]:
    """Cycles that agents said they had spooled, with how many measurements each has."""
    found: dict[str, int] = {}
    for agent in agents:
        agent._reader.join(GONE)
        found |= cycles_of(agent)
    return found


class Disk:
    """A small disk of its own, on a folder that is there, and seen in the lab alone."""

    def __init__(self, lab: Lab, folder: Path, megabytes: int, *options: str) -> None:
        """`options` are more of those that `mount` knows for a tmpfs."""
        self._lab = lab
        self.folder = folder
        how = ",".join((f"size={megabytes}m", *options))
        self._lab.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", str(folder)], check=True)

    def copy(self, name: str, to: Path) -> None:
        """Copy an SQLite file that is there to one outside, also while it is in use."""
        script = (
            "import sqlite3, sys; one, two = map(sqlite3.connect, sys.argv[1:]); one.backup(two)"
        )
        argv = [sys.executable, "-c", script, str(self.folder / name), str(to)]
        self._lab.run(argv, check=True)

    def fill(self) -> None:
        """Leave no byte free."""
        script = 'for size in 64k 4k 1; do dd if=/dev/zero bs=$size >>"$0" 2>/dev/null; done'
        self._lab.run(["sh", "-c", script, str(self.folder / "ballast")])

    def empty(self) -> None:
        """Give it all back."""
        self._lab.run(["rm", str(self.folder / "ballast")], check=True)
