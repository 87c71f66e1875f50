"""A real Prometheus for a test: started on a free port, asked over its API, ended by its pid.

It may run inside a network namespace: give the command that enters it as `enter`, for example
`("nsenter", "-t", "4711", "-n")`. Questions then go through the same command, since its port
cannot be reached from outside.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import yaml

T = TypeVar("T")

START = 90.0
"""Seconds a busy machine gets to start it."""

FETCH = """
import sys, urllib.error, urllib.request
body = sys.argv[2].encode() if len(sys.argv) > 2 else None
request = urllib.request.Request(sys.argv[1], body, {"Content-Type": "application/json"})
try:
    with urllib.request.urlopen(request, timeout=10) as answer:
        sys.stdout.buffer.write(answer.read())
except urllib.error.HTTPError as error:
    sys.stdout.buffer.write(error.read())
"""
"""Run inside the namespace to ask one question, or to send a body of JSON."""


def fetch(url: str, enter: Sequence[str] = (), body: str = "") -> bytes:
    """What a server answers, refusals too; with a body of JSON the request is a POST. OSError when
    there is no answer."""
    if enter:
        done = subprocess.run(
            [*enter, sys.executable, "-c", FETCH, url, *filter(None, [body])],
            capture_output=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise OSError(done.stderr.decode(errors="replace").strip()[-300:])
        return done.stdout
    request = urllib.request.Request(  # noqa: S310 - our own server
        url, body.encode() or None, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        content = error.read()
    return content


class PrometheusError(Exception):
    """It did not start, or refused a question; the message holds its own words."""


class Sample(NamedTuple):
    """One sample of an instant query."""

    labels: dict[str, str]
    value: float


class Alert(NamedTuple):
    """One alert as it stands."""

    name: str
    state: str
    """pending or firing."""
    labels: dict[str, str]
    annotations: dict[str, str]


class PrometheusServer:
    """Use as a context manager."""

    def __init__(
        self,
        targets: Sequence[str],
        rule_files: Sequence[Path] = (),
        *,
        job: str = "shutwatch",
        interval: str = "1s",
        enter: Sequence[str] = (),
        port: int | None = None,
        alertmanager: str = "",
        target_labels: Mapping[str, str] | None = None,
    ) -> None:
        """Scrape `targets` (`host:port`) and evaluate the rules every `interval`.

        Alerts go to `alertmanager` (`host:port`), if any. `target_labels` are those that an
        operator puts on every series.
        Without a `port` it takes a free one, or 9090 in a namespace, which is its own.
        """
        self._targets = list(targets)
        self._rule_files = [str(path.resolve()) for path in rule_files]
        self._job = job
        self._interval = interval
        self._enter = list(enter)
        self._alertmanager = alertmanager
        self._target_labels = dict(target_labels or {})
        self.port = port or (9090 if enter else free_port())
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        self._folder = tempfile.TemporaryDirectory(prefix="shutwatch-prometheus-")
        (Path(self._folder.name) / "prometheus.yml").write_text(
            yaml.safe_dump(self._config()), "utf-8"
        )
        self._start()
        return self

    def restart(self) -> None:
        """End it and start it again on the same data, as after an update."""
        self._stop()
        self._start()

    def _start(self) -> None:
        assert self._folder is not None
        folder = Path(self._folder.name)
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *dying_with_us(),
                    *self._enter,
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the one process that was started, and remove its data."""
        self._stop()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def query(self, expression: str) -> list[Sample]:
        """Samples of an instant query, right now."""
        result = self.api("query", query=expression)["result"]
        if isinstance(result, list) and result and not isinstance(result[0], dict):
            return [Sample({}, float(result[1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in result]

    def value(self, expression: str) -> float | None:
        """The only sample of an instant query; None when there is none."""
        samples = self.query(expression)
        if len(samples) > 1:
            raise PrometheusError(f"{expression} has {len(samples)} samples, not one")
        return samples[0].value if samples else None

    def query_range(self, expression: str, seconds: float, step: float = 1.0) -> list[Any]:
        """Series of a range query over the last seconds."""
        now = time.time()
        found: list[Any] = self.api(
            "query_range", query=expression, start=now - seconds, end=now, step=step
        )["result"]
        return found

    def series(self, selector: str) -> list[dict[str, str]]:
        """Label sets of the series of the last few minutes."""
        found: list[dict[str, str]] = self.api(
            "series", **{"match[]": selector, "start": time.time() - 300}
        )
        return found

    def label_values(self, label: str, selector: str) -> list[str]:
        """Values of one label among the series of the last few minutes."""
        found: list[str] = self.api(
            f"label/{label}/values", **{"match[]": selector, "start": time.time() - 300}
        )
        return found

    def alerts(self, name: str = "") -> list[Alert]:
        """Alerts pending or firing now, of one name or of all."""
        return [
            Alert(one["labels"]["alertname"], one["state"], one["labels"], one["annotations"])
            for one in self.api("alerts")["alerts"]
            if name in ("", one["labels"]["alertname"])
        ]

    def firing(self, name: str, **labels: str) -> list[Alert]:
        """Alerts of that name firing now whose labels include these."""
        return [
            alert
            for alert in self.alerts(name)
            if alert.state == "firing" and labels.items() <= alert.labels.items()
        ]

    def eventually(self, what: Callable[[], T], seconds: float = 30.0) -> T:
        """Ask again and again until the answer is true; AssertionError when time is up."""
        end = time.monotonic() + seconds
        while True:
            answer = what()
            if answer:
                return answer
            if time.monotonic() > end:
                raise AssertionError(f"not true after {seconds} s; last answer: {answer!r}")
            time.sleep(0.2)

    def api(self, path: str, **parameters: object) -> Any:
        """The `data` of one API answer. PrometheusError when it refuses."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        answer = json.loads(self._get(f"/api/v1/{path}{query}"))
        if answer["status"] != "success":
            raise PrometheusError(f"{path}: {answer.get('error')}")
        return answer["data"]

    def _get(self, path: str) -> bytes:
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            return fetch(url, self._enter)
        except OSError as error:
            raise PrometheusError(f"{url}: {error}") from error

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + START
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise PrometheusError(f"ended with {self._process.returncode}: {self._log()}")
            try:
                if b"is Ready" in self._get("/-/ready"):
                    return
            except PrometheusError:
                pass
            if time.monotonic() > end:
                raise PrometheusError(f"not ready after {START} s: {self._log()}")
            time.sleep(0.05)

    def _log(self) -> str:
        assert self._folder is not None
        return (Path(self._folder.name) / "log").read_text("utf-8", "replace")[-2000:]

    def _config(self) -> dict[str, Any]:
        alerting = (
            {"alertmanagers": [{"static_configs": [{"targets": [self._alertmanager]}]}]}
            if self._alertmanager
            else {}
        )
        return {
            "alerting": alerting,
            "global": {
                "scrape_interval": self._interval,
                "scrape_timeout": self._interval,
                "evaluation_interval": self._interval,
            },
            "rule_files": self._rule_files,
            "scrape_configs": [
                {
                    "job_name": self._job,
                    # As the example has it: a label of the target's own must not hide ours.
                    "honor_labels": True,
                    "static_configs": [{"targets": self._targets, "labels": self._target_labels}],
                }
            ],
        }


def without_delays(rules: Path, into: Path) -> Path:
    """A copy of a rule file whose alerts neither wait before firing nor linger long after it."""
    document = yaml.safe_load(rules.read_text("utf-8"))
    for group in document["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
            rule.pop("keep_firing_for", None)
    text = yaml.safe_dump(document, sort_keys=False, width=float("inf"))
    # In which an alert gets the end of its event.
    into.write_text(text.replace("offset 3m", "offset 10s"), "utf-8")
    return into


def with_short_delays(rules: Path, into: Path, wait: str = "1s", keep: str = "3s") -> Path:
    """A copy of a rule file whose alerts wait and linger where those do, but for seconds."""
    document = yaml.safe_load(rules.read_text("utf-8"))
    for group in document["groups"]:
        for rule in group["rules"]:
            for delay, short in (("for", wait), ("keep_firing_for", keep)):
                if delay in rule:
                    rule[delay] = short
    text = yaml.safe_dump(document, sort_keys=False, width=float("inf"))
    # In which an alert gets the end of its event.
    into.write_text(text.replace("offset 3m", "offset 10s"), "utf-8")
    return into


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def dying_with_us() -> list[str]:
    """A prefix that has the process killed when the test run is killed before it can clean up."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
