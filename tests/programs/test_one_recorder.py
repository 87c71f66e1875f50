"""Two `shutwatch run` on one SQLite file: the second is refused, whatever became of the first."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner

from monitor.cli.main import app
from tests.e2e.running import GONE, wait_for
from tests.unit.monitor.cli.test_no_traceback import OFFLINE
from tests.worlds.loopback import unused_port

ROOT = Path(__file__).parents[2]
COLLECTOR = """
[collector]
listen = "127.0.0.1:{port}"
"""


def _config(folder: Path, name: str) -> Path:
    """One of several that name the same database and no address that answers."""
    config = folder / f"{name}.toml"
    text = OFFLINE.format(folder=folder, port=unused_port())
    if name == "collector":
        text += COLLECTOR.format(port=unused_port())
    config.write_text(text)
    return config


def _argv(config: Path) -> list[str]:
    command = "collector" if config.stem == "collector" else "run"
    return [sys.executable, "-m", "monitor", command, "--config", str(config)]


@contextmanager
def _running(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """It, from when it listens."""
    port = int(config.read_text().split('listen = "127.0.0.1:')[1].split('"')[0])
    process = subprocess.Popen(_argv(config), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port) or process.poll() is not None, "it to listen")
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.wait(GONE)


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def _refused(config: Path) -> str:
    done = subprocess.run(
        _argv(config), cwd=ROOT, capture_output=True, text=True, check=False, timeout=GONE
    )
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_the_second_is_refused(tmp_path: Path) -> None:
    """Whether it is another `run` or a collector: it names the first one's process, and exits with
    2. What reads works beside it, and the first one killed with -9 leaves nothing that keeps the
    next one out, of either kind."""
    one, *others = (_config(tmp_path, name) for name in ("one", "other", "collector"))
    with _running(one) as first:
        for other in others:
            said = _refused(other)
            assert f"another shutwatch records in database {tmp_path}/watch.db" in said
            assert f"(process {first.pid} since 20" in said
            assert "Traceback" not in said
        for words in (["event", "list"], ["db", "backup", str(tmp_path / "copy.db")]):
            # They are another process than the one that records.
            done = CliRunner().invoke(app, [*words, "--config", str(one)])
            assert done.exit_code == 0, done.output
        os.kill(first.pid, signal.SIGKILL)
        first.wait(GONE)
    for other in others:
        # Each of them is killed with -9 too.
        with _running(other):
            assert " records in database " in _refused(one)
