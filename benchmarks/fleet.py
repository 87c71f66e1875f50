"""What a fleet costs its collector, with cycles that arrive late and out of order, as they do.

    .venv/bin/python benchmarks/fleet.py [--agents 0 100 300] [--seconds 300] [--database URL]

A real `shutwatch collector` on loopback takes in, judges, detects and shows; this program is its
agents. Each measures at the interval, begun at a moment of its own, and sends between half a
second and eight seconds after its cycle ended (`monitor.agent.batch_delivery`). Three agents are
controls. At the middle of the measured time one country blocks one platform.

Printed for each number of agents: CPU seconds of the collector for each cycle that it judged, all
threads, what serves pages and scrapes included; what each agent's cycle adds to a collector that
has the controls alone, where a run without agents came first; how long agents waited for their
acknowledgement; the lag from the end of a cycle at its agent to its verdicts being stored and
shown; the same for the news of events; a scrape's CPU and time; memory. One interval passes before
anything counts.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import fleet_agents
from benchmarks.fleet_agents import COUNTRIES
from benchmarks.signed_batches import Agent, sent
from monitor.agent.batch_delivery import AFTER_A_CYCLE
from monitor.config.load import default_settings
from monitor.config.settings import CollectorSettings
from monitor.keys.keys import load_or_make
from monitor.keys.sealing import sealing_key, sealing_text
from storage.open_store import open_store

INTERVAL = 300.0
CONTROLS_EVERY = 20.0
"""Seconds between two rounds of a control, at most."""
AT_ONCE = (0.5, 0.5)
"""Seconds after which they send, at least and at most."""
SCRAPE_EVERY = 30.0
AFTERWARDS = 120.0
"""Seconds for which cycles that were sent may still wait to be judged, at most."""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one run."""

    agents: int
    handed_in: tuple[str, ...]
    """Cycles that were acknowledged, in the order of the acknowledgements."""
    judged: tuple[str, ...]
    """Cycles that the collector said were complete, in that order."""
    events: tuple[dict[str, Any], ...]
    """What it said of events."""
    refused: int
    cpu: float
    """CPU seconds of the collector for each cycle judged."""
    load: float
    """CPU seconds of the collector for each second."""
    interval: float
    """Seconds between two cycles of an agent."""
    acknowledged: tuple[float, ...]
    """Seconds until each acknowledgement."""
    lag: tuple[float, ...]
    """Seconds from each cycle's end to its verdicts."""
    news: tuple[float, ...]
    """Seconds from the end of the cycle that changed an event to the event."""
    scrapes: tuple[float, ...]
    """Seconds of each scrape."""
    size: int
    """Bytes of the last scrape, as sent."""
    memory: int
    """Most bytes resident."""

    def added(self, alone: "Ran | None") -> float:
        """CPU seconds that each agent's cycle adds to those of a collector without agents; NaN
        where that is not known."""
        if alone is None or not self.agents:
            return nan
        return (self.load - alone.load) * self.interval / self.agents


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, nargs="+", default=[0, 100, 300, 1000, 3000])
    parser.add_argument("--seconds", type=float, default=INTERVAL)
    parser.add_argument("--interval", type=float, default=INTERVAL)
    parser.add_argument("--database", default="")
    asked = parser.parse_args()
    print(
        "| agents | CPU for each cycle | added by each agent's | of a core "
        "| acknowledged, 50 / 99 % | refused | verdicts after, 50 / 95 % | events after, most "
        "| scrape, most | as sent | memory |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|"
    )
    alone: Ran | None = None
    for number in asked.agents:
        pace = Pace(interval=asked.interval)
        ran = run(number, pace, seconds=asked.seconds, database=asked.database)
        alone = alone if number else ran
        print(_row(ran, alone), flush=True)


def _row(ran: Ran, alone: Ran | None) -> str:
    half, most = _quantiles(ran.acknowledged)[49], _quantiles(ran.acknowledged)[98]
    lag = _quantiles(ran.lag)
    added = ran.added(alone)
    return (
        f"| {ran.agents:,} | {ran.cpu * 1e3:.1f} ms "
        f"| {'unknown' if isnan(added) else f'{added * 1e3:.1f} ms'} "
        f"| {ran.load:.0%} | {half:.2f} / {most:.2f} s "
        f"| {ran.refused:,} | {lag[49]:.1f} / {lag[94]:.1f} s | {max(ran.news, default=0.0):.1f} s "
        f"| {max(ran.scrapes):.2f} s | {ran.size / 1e6:.1f} MB | {ran.memory / 1e6:.0f} MB |"
    )


def _quantiles(values: Sequence[float]) -> list[float]:
    return statistics.quantiles(values, n=100) if len(values) > 1 else [*values] * 99


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How agents measure, in seconds."""

    interval: float = INTERVAL
    lasts: float = fleet_agents.LASTS.total_seconds()
    """From the start of a cycle to its end."""
    late: tuple[float, float] = AFTER_A_CYCLE
    """From its end until it is sent, at least and at most."""
    order_wait: float = CollectorSettings().order_wait
    """For which the collector waits for others that ended before."""


def run(number: int, pace: Pace, *, seconds: float, database: str = "") -> Ran:
    """One run: an interval in which all agents report first, and so many seconds afterwards."""
    with tempfile.TemporaryDirectory(prefix="shutwatch-bench-") as folder:
        fleet = Fleet(Path(folder), database, number, pace)
        asyncio.run(fleet.enrol())
        with fleet.collector() as process:
            said = Said(process)
            try:
                return asyncio.run(fleet.live(process.pid, said, seconds))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)


class Said:
    """What the collector logs, with the time at which it did."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.lines: list[tuple[float, dict[str, Any]]] = []
        self._process = process
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            try:
                self.lines.append((time.time(), msgspec.json.decode(line)))
            except msgspec.DecodeError:
                self.lines.append((time.time(), {"event": "", "text": line.decode().rstrip()}))

    def of(self, event: str) -> list[tuple[float, dict[str, Any]]]:
        """Lines of one kind."""
        return [one for one in list(self.lines) if one[1].get("event") == event]


class Fleet:
    """All agents, and the collector they report to."""

    def __init__(self, folder: Path, database: str, number: int, pace: Pace) -> None:
        self.folder = folder
        self.database = database or f"sqlite:///{folder}/fleet.db"
        self.pace = pace
        self.fields, self.controls = fleet_agents.fields(number), fleet_agents.controls()
        self.catalog = default_settings().catalog
        self.rng = random.Random(1)
        key = folder / "orders.pem"
        self.sealing = sealing_text(sealing_key(load_or_make(key)))
        self.page, self.port = _free_port(), _free_port()
        self.blocked_from = inf
        """POSIX seconds."""
        self.ended: dict[str, float] = {}
        """By cycle, POSIX seconds."""
        self.sent_by: dict[str, str] = {}
        """Cycles that were acknowledged, in that order, and the agent of each."""
        self.over = False
        """Whether controls may end."""
        self.acknowledged: list[tuple[float, float]] = []
        """When, and after how many seconds."""
        self.refused = 0
        self.counting_from = inf

    async def enrol(self) -> None:
        """Write all keys into the database."""
        store = open_store(self.database)
        await store.open()
        try:
            for agent in (*self.fields, *self.controls):
                await store.enrol(agent.enrolment(datetime.now(UTC)))
        finally:
            await store.close()

    def collector(self) -> "subprocess.Popen[bytes]":
        """Start it, and wait until it listens."""
        config = self.folder / "collector.toml"
        config.write_text(
            f'interval = "{self.pace.interval:g}s"\ndatabase = "{self.database}"\n'
            f'listen = "127.0.0.1:{self.page}"\nsigning_key = "signing.pem"\n'
            f'[log]\nformat = "json"\n[collector]\nlisten = "127.0.0.1:{self.port}"\n'
            f'behind_proxy = true\norders_key = "orders.pem"\n'
            f'order_wait = "{self.pace.order_wait:g}s"\ncontrol_wait = "{2 * INTERVAL:g}s"\n'
        )
        start = "from monitor.cli.main import main; main()"
        command = [sys.executable, "-c", start, "collector", "--config", str(config)]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environ)
        for port in (self.page, self.port):
            while process.poll() is None:
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
        return process

    async def live(self, pid: int, said: Said, seconds: float) -> Ran:
        """Until all is over, and all that was sent is judged."""
        begun = time.time()
        until = begun + self.pace.interval + seconds
        self.blocked_from = begun + self.pace.interval + seconds / 2
        every = self.pace.interval
        controls_every = min(CONTROLS_EVERY, every)
        fields = [self._agent(one, begun, every, until, self.pace.late) for one in self.fields]
        # Until all is judged: a failure waits for what controls measure after it.
        controls = [self._agent(one, begun, controls_every, inf, AT_ONCE) for one in self.controls]
        tasks = [asyncio.create_task(one) for one in fields]
        serving = [asyncio.create_task(one) for one in controls]
        await asyncio.sleep(every)
        self.counting_from = time.time()
        spent, judged = _cpu(pid), len(said.of("cycle complete"))
        scraping = asyncio.create_task(self._scrape(until))
        await asyncio.sleep(until - time.time())
        await asyncio.gather(*tasks)
        passed = time.time() - self.counting_from
        used, count = _cpu(pid) - spent, len(said.of("cycle complete")) - judged
        scrapes, size = await scraping
        memory = _most_memory(pid)
        names = {one.point.id for one in self.fields}
        await self._judged(said, names)
        self.over = True
        await asyncio.gather(*serving)
        await self._judged(said, names | {one.point.id for one in self.controls})
        return self._ran(said, used / max(count, 1), used / passed, scrapes, size, memory)

    async def _judged(self, said: Said, names: Collection[str]) -> None:
        """Until all that these agents sent is judged, or for `AFTERWARDS`."""
        give_up = time.time() + AFTERWARDS
        while time.time() < give_up:
            waiting = {cycle for cycle, name in self.sent_by.items() if name in names}
            if waiting <= {line["cycle"] for _, line in said.of("cycle complete")}:
                return
            await asyncio.sleep(0.5)

    def _ran(
        self,
        said: Said,
        cpu: float,
        load: float,
        scrapes: Sequence[float],
        size: int,
        memory: int,
    ) -> Ran:
        complete = said.of("cycle complete")
        lag = [
            at - self.ended[line["cycle"]]
            for at, line in complete
            if self.ended[line["cycle"]] >= self.counting_from
        ]
        news, last = [], 0.0
        for at, line in said.lines:
            if line.get("event") == "cycle complete":
                last = self.ended[line["cycle"]]
            elif line.get("event") == "event":
                news.append(at - last)
        return Ran(
            agents=len(self.fields),
            handed_in=tuple(self.sent_by),
            judged=tuple(line["cycle"] for _, line in complete),
            events=tuple(line for _, line in said.of("event")),
            refused=self.refused,
            cpu=cpu,
            load=load,
            interval=self.pace.interval,
            acknowledged=tuple(s for at, s in self.acknowledged if at >= self.counting_from),
            lag=tuple(lag),
            news=tuple(news),
            scrapes=tuple(scrapes),
            size=size,
            memory=memory,
        )

    async def _agent(
        self, agent: Agent, begun: float, every: float, until: float, late: tuple[float, float]
    ) -> None:
        """Its cycles, and each sent some seconds after its end."""
        ends = begun + self.rng.uniform(0, every)
        while ends < until:
            await asyncio.sleep(max(0.0, ends - time.time()))
            if self.over:
                return
            ended = ends
            await asyncio.sleep(self.rng.uniform(*late))
            await self._hand_in(agent, ended)
            ends += every

    async def _hand_in(self, agent: Agent, ended: float) -> None:
        blocked = agent.point.country == COUNTRIES[0] and ended >= self.blocked_from
        at = datetime.fromtimestamp(ended, UTC)
        made = fleet_agents.cycle_of(
            agent,
            self.catalog,
            at,
            blocked=blocked,
            rng=self.rng,
            lasts=timedelta(seconds=self.pace.lasts),
        )
        request = sent(agent, made, self.sealing, datetime.now(UTC)).request(close=True)
        self.ended[made.cycle] = ended
        asked = time.time()
        answer = b""
        with suppress(OSError):  # what was not taken counts as refused
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(request)
            answer = await reader.read()
            writer.close()
        if answer.startswith(b"HTTP/1.1 200 "):
            self.sent_by[made.cycle] = agent.point.id
            self.acknowledged.append((time.time(), time.time() - asked))
        else:
            self.refused += 1

    async def _scrape(self, until: float) -> tuple[list[float], int]:
        """Scrape as Prometheus does; the seconds of each, and the bytes of the last."""
        took: list[float] = []
        size = 0
        while not took or time.time() < until:
            asked = time.time()
            reader, writer = await asyncio.open_connection("127.0.0.1", self.page)
            writer.write(
                b"GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\n"
                b"accept: application/openmetrics-text;version=1.0.0\r\nconnection: close\r\n\r\n"
            )
            size = len(await reader.read())
            writer.close()
            took.append(time.time() - asked)
            await asyncio.sleep(min(SCRAPE_EVERY, max(0.0, until - time.time())))
        return took, size


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _cpu(pid: int) -> float:
    """CPU seconds of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _most_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    (line,) = (one for one in lines if one.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
