"""A running `shutwatch run` in a lab: its log, its metrics, its end."""

import asyncio
import csv
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from monitor.analysis.events.event import EventLogEntry
from monitor.cli.main import app
from storage.open_store import open_store
from tests.lab.lab import Lab

T = TypeVar("T")
PORT = 10100
BUSY = 3.0
"""How many times as long everything may take where other tests want the processors as well."""
PROMPT = 5.0 * BUSY
"""Seconds within which a program must end once it is told to, without waiting for a cycle."""
GONE = 20.0 * BUSY
"""Seconds until a process that was killed, or told to end, is gone, at the very most."""


def wait_for(what: Callable[[], T], describe: str, seconds: float = 60.0) -> T:
    """Ask until the answer is true; AssertionError when it never is.

    `seconds` are what a machine that does nothing else may need; a busy one may take BUSY times as
    long. The pause between two questions is several times as long as an answer takes, so that
    waiting does not slow down what is waited for.
    """
    deadline = time.monotonic() + BUSY * seconds
    while True:
        asked = time.monotonic()
        answer = what()
        if answer:
            return answer
        answered = time.monotonic()
        assert answered < deadline, f"waited {BUSY * seconds:.0f} s for {describe}"
        time.sleep(max(0.2, min(6 * (answered - asked), 4.0)))


class Scrape:
    """All metrics at one moment."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def named(self, name: str) -> list[Sample]:
        """The samples of one metric. Parsing all of them would take much longer."""
        lines = [line for line in self._lines if re.match(rf"{name}[ {{]", line)]
        families = text_string_to_metric_families("\n".join(lines))
        return [sample for family in families for sample in family.samples]

    def samples(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Samples of one metric with the labels given: sorted label pairs → value."""
        return {
            tuple(sorted(sample.labels.items())): sample.value
            for sample in self.named(name)
            if labels.items() <= sample.labels.items()
        }

    def platform_states(self, vantage: str) -> dict[str, str]:
        """Platform → the state whose one-hot sample is 1."""
        return {
            dict(labels)["platform"]: dict(labels)["state"]
            for labels, value in self.samples("shutwatch_platform_state", vantage=vantage).items()
            if value == 1
        }


class Monitor:
    """The process, and what it has said so far."""

    def __init__(self, lab: Lab, process: subprocess.Popen[str], port: int = PORT) -> None:
        self._lab = lab
        self._port = port
        self.process = process
        self.log: list[dict[str, Any]] = []
        """Log lines, decoded; a line that is no JSON stands as {"text": …}."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                self.log.append(msgspec.json.decode(line))
            except msgspec.DecodeError:
                self.log.append({"text": line.rstrip()})

    def said(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Log lines of one kind whose fields are as given."""
        return [
            line
            for line in list(self.log)
            if line.get("event") == event
            and all(line.get(key) == value for key, value in fields.items())
        ]

    def cycles(self, vantage: str) -> list[dict[str, Any]]:
        """Cycles reported complete by one vantage."""
        return self.said("cycle complete", vantage=vantage)

    def scrape(self) -> Scrape:
        """All its metrics as they are now; none of them while it does not answer."""
        answer = self._lab.get(self._port, "/metrics", timeout=GONE)
        return Scrape("" if "body_error" in answer else str(answer.get("body", "")))

    def samples(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        """`Scrape.samples` of now."""
        return self.scrape().samples(name, **labels)

    def platform_states(self, vantage: str) -> dict[str, str]:
        """`Scrape.platform_states` of now."""
        return self.scrape().platform_states(vantage)

    def stop(self) -> float:
        """SIGTERM; seconds until it was gone."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(GONE)
        return time.monotonic() - started


def stored_log(lab: Lab, event: str) -> list[EventLogEntry]:
    """The log of an event as it is in the database, oldest first."""
    return asyncio.run(_stored_log(f"sqlite:///{lab.directory / 'shutwatch.db'}", event))


async def _stored_log(database: str, event: str) -> list[EventLogEntry]:
    store = open_store(database)
    await store.open()
    try:
        return [entry async for page in store.event_log(event) for entry in page]
    finally:
        await store.close()


def exported(config: Path, what: str) -> list[dict[str, str]]:
    """Rows that `shutwatch export csv` gives a person. The command runs in this process: to start
    it takes a second of a processor that the monitor wants. What it says goes where the process's
    output goes: stories run side by side, and pytest changes that meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "exported.csv"
        argv = ["export", "csv", what, "--config", str(config), "-o", str(file)]
        assert not app(argv, standalone_mode=False)
        with file.open(newline="", encoding="utf-8") as rows:
            return list(csv.DictReader(rows))


@contextmanager
def running(lab: Lab, config: Path) -> Iterator[Monitor]:
    """`shutwatch run` for as long as the context lasts; it must end by itself when told to."""
    process = lab.popen(
        ["shutwatch", "run", "--config", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    monitor = Monitor(lab, process)
    try:
        yield monitor
    finally:
        if process.poll() is None:
            monitor.stop()
        monitor._reader.join(GONE)
        assert process.stderr is not None
        process.stderr.close()
