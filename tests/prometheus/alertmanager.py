"""A real Alertmanager with the committed configuration, and somebody who takes its messages.

Only what must differ for a test does: addresses lead to our receiver, secrets to files made up for
it, and times are shortened. Routes, inhibition and templates are the committed ones. Like
`PrometheusServer` it may run inside a network namespace.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import yaml

from tests.prometheus.server import START, dying_with_us, fetch, free_port
from tests.worlds.yaml_files import yaml_of

T = TypeVar("T")
FOLDER = Path(__file__).parents[2] / "dashboards" / "alertmanager"
CONFIG = FOLDER / "alertmanager.yml"
RULES = Path(__file__).parents[2] / "dashboards" / "prometheus" / "shutwatch.rules.yml"

Line = dict[str, Any]


class AlertmanagerError(Exception):
    """It did not start, or refused something; the message holds its own words."""


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Alerting rules by name."""
    groups = yaml_of(RULES)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def shortened(folder: Path, http_port: int, smtp_port: int, wait: str, interval: str) -> Path:
    """The committed configuration for a test, written into `folder` with all it needs."""
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    receiver = f"http://127.0.0.1:{http_port}"
    config["global"] |= {"smtp_smarthost": f"127.0.0.1:{smtp_port}", "smtp_require_tls": False}
    config["global"]["smtp_auth_password_file"] = _secret(folder, "smtp_password", "made up")
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": wait, "group_interval": interval, "repeat_interval": "1h"}
    for one in config["receivers"]:
        for telegram in one.get("telegram_configs", ()):
            telegram["api_url"] = receiver
            telegram["bot_token_file"] = _secret(folder, "telegram", "123:made-up")
        for slack in one.get("slack_configs", ()):
            slack["api_url_file"] = _secret(folder, "slack", f"{receiver}/slack")
        for webhook in one.get("webhook_configs", ()):
            name = one["name"]
            webhook["url_file"] = _secret(folder, f"{name}_url", f"{receiver}/{name}")
    config["templates"] = [str(FOLDER / name) for name in config["templates"]]
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    return path


def _secret(folder: Path, name: str, content: str) -> str:
    path = folder / name
    path.write_text(content, "utf-8")
    return str(path)


class AlertmanagerServer:
    """Use as a context manager."""

    def __init__(
        self, *, wait: str = "1s", interval: str = "1s", enter: Sequence[str] = ()
    ) -> None:
        """`wait` and `interval` are the group's, of every route."""
        self._times = (wait, interval)
        self._enter = list(enter)
        ports = (9093, 18080, 10025) if enter else (free_port(), free_port(), free_port())
        self.port, self._http_port, self._smtp_port = ports
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Where Prometheus finds it, `host:port`."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start it and its receiver, and wait until it is ready."""
        self._folder = tempfile.TemporaryDirectory(prefix="shutwatch-alertmanager-")
        folder = Path(self._folder.name)
        config = shortened(folder, self._http_port, self._smtp_port, *self._times)
        receiver = Path(__file__).with_name("receiver.py")
        ports = (str(self._http_port), str(self._smtp_port))
        try:
            self._start([sys.executable, str(receiver), *ports, str(self._taken)], folder)
            self._start(
                [
                    *_command(),
                    f"--config.file={config}",
                    f"--storage.path={folder / 'data'}",
                    f"--web.listen-address={self.address}",
                    "--cluster.listen-address=",
                    "--log.level=warn",
                ],
                folder,
            )
            self._wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes that were started, and remove their data."""
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def post(self, alerts: Iterable[Line]) -> None:
        """Alerts as Prometheus would send them; each has labels and annotations."""
        now = datetime.now(UTC)
        body = [
            {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()} | alert
            for alert in alerts
        ]
        answer = fetch(f"http://{self.address}/api/v2/alerts", self._enter, json.dumps(body))
        if answer.strip():
            raise AlertmanagerError(answer.decode(errors="replace"))

    def states(self) -> list[Line]:
        """Every alert it holds, silenced ones too: `labels`, and `status` with its `state`."""
        found: list[Line] = json.loads(
            fetch(f"http://{self.address}/api/v2/alerts?inhibited=true", self._enter)
        )
        return found

    def taken(self, path: str = "") -> list[Line]:
        """What the receiver has got so far: requests to a path, or everything."""
        # After the last line break comes one that is still being written, or nothing.
        *whole, _ = self._taken.read_text("utf-8").split("\n")
        lines = map(json.loads, whole)
        return [line for line in lines if str(line.get("path", "")).startswith(path)]

    def mails(self) -> list[Line]:
        """Mails so far."""
        return [line for line in self.taken() if "subject" in line]

    def eventually(self, what: Callable[[], T], seconds: float = 60.0) -> T:
        """Ask again and again until the answer is true; AssertionError when time is up."""
        end = time.monotonic() + seconds
        while not (answer := what()):
            assert time.monotonic() < end, f"not true after {seconds} s: {answer!r}\n{self.log()}"
            time.sleep(0.2)
        return answer

    def log(self) -> str:
        """What it has said: warnings and errors, but for one that a namespace causes."""
        assert self._folder is not None
        lines = (Path(self._folder.name) / "log").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if "could not resolve current working" not in line)

    @property
    def _taken(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / "taken"

    def _start(self, command: list[str], folder: Path) -> None:
        with (folder / "log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [*dying_with_us(), *self._enter, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + START
        while True:
            for process in self._processes:
                if process.poll() is not None:
                    raise AlertmanagerError(f"ended with {process.returncode}: {self.log()}")
            try:
                if self._taken.exists() and fetch(f"http://{self.address}/-/ready", self._enter):
                    return
            except OSError as error:
                if time.monotonic() > end:
                    raise AlertmanagerError(f"not ready: {error}: {self.log()}") from error
            time.sleep(0.1)


def _command() -> list[str]:
    """Debian calls it prometheus-alertmanager, its makers alertmanager."""
    found = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    return [found or "prometheus-alertmanager"]
