"""A running `shutwatch agent run` in a lab, and a collector on the same machine's loopback."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.keys.keys import load_or_make, public_text
from monitor.keys.sealing import sealing_text
from tests.e2e.running import GONE, Monitor, wait_for
from tests.lab.certificates import honest
from tests.lab.lab import Lab
from tests.scenarios.story import write_config
from tests.worlds.agent_collector import KEY, NAME, SEALING

ROOT = Path(__file__).parents[2]
PORT = 8443


class Handing:
    """The folder of a collector program."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def counts(self) -> dict[str, Any]:
        """What came so far."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "counts.json").read_text())
        except FileNotFoundError:
            return {"batches": 0, "reports": 0, "measurements": {}, "paths": {}}
        return found


def prepare(lab: Lab, **options: Any) -> tuple[Path, Handing]:
    """An agent's configuration, its key, and a collector that knows it, in the lab's folder."""
    collector = Handing(lab.directory / "collector")
    collector.folder.mkdir()
    (collector.folder / "collector.pem").write_text(honest(NAME))
    key = load_or_make(lab.directory / "agent-key.pem")
    (collector.folder / "agent.pub").write_text(public_text(key))
    table = (
        f'[agent]\ncollectors = ["https://{NAME}:{PORT}"]\n'
        f'collector_key = "{public_text(KEY)}"\nsealing_key = "{sealing_text(SEALING)}"\n'
        f'trust_anchors = ["{lab.ca}"]\n'
    )
    extra = options.pop("extra", "")
    config = write_config(lab, "agent.toml", extra=f"{table}\n{extra}", **options)
    return config, collector


@contextmanager
def collecting(lab: Lab, collector: Handing) -> Iterator[None]:
    """The collector program, for as long as the context lasts."""
    process = lab.popen(
        [sys.executable, "-m", "tests.worlds.agent_collector", str(PORT), str(collector.folder)],
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        wait_for((collector.folder / "counts.json").exists, "the collector")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(GONE)


@contextmanager
def agent(lab: Lab, config: Path, env: Mapping[str, str] = {}) -> Iterator[Monitor]:
    """`shutwatch agent run`, for as long as the context lasts."""
    process = lab.popen(
        ["shutwatch", "agent", "run", "--config", str(config)],
        env=env,
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


def status(lab: Lab, config: Path) -> dict[str, Any]:
    """`shutwatch agent status --json`."""
    done = lab.run(["shutwatch", "agent", "status", "--json", "--config", str(config)], check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def resident(process: int) -> int:
    """Bytes of memory that a process holds, by the kernel's count."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no such process")
