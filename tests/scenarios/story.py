"""What a scenario needs to tell its story: look once through the real command, read the answer."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tests.lab.lab import PATIENCE, Lab

T = TypeVar("T")
QUICK: Mapping[str, Any] = {
    "dns_timeout": "1s",
    "tcp_timeout": "1.5s",
    "tls_timeout": "1.5s",
    "http_timeout": "1.5s",
    "dns_window": "0.3s",
    "retry_pause": "0.3s",
    "rate": 100,
    "concurrency": 400,
}
"""Lab round trips take microseconds, so the story need not last."""
UNHURRIED: Mapping[str, Any] = {
    "dns_timeout": "2s",
    "tcp_timeout": "3s",
    "tls_timeout": "3s",
    "http_timeout": "3s",
    "rate": 60,
}
"""For a look from many vantages at once, on processors that others want as well: what waits for one
must not look like silence."""

Line = dict[str, Any]


class Seen:
    """The lines of one `shutwatch once --json`."""

    def __init__(self, lines: Sequence[Line], errors: str = "") -> None:
        self.lines = list(lines)
        self.errors = errors
        """What the command wrote on standard error."""

    def endpoint(self, vantage: str, endpoint: str) -> Line:
        """The verdict on one endpoint from one vantage."""
        return self._one(kind="endpoint", vantage=vantage, endpoint=endpoint)

    def platform(self, vantage: str, platform: str) -> Line:
        """The verdict on one platform from one vantage."""
        return self._one(kind="platform", vantage=vantage, platform=platform)

    def vantage(self, vantage: str) -> Line:
        """The health of one vantage."""
        return self._one(kind="vantage", vantage=vantage)

    def states(self, vantage: str) -> dict[str, str]:
        """Platform → state at one vantage."""
        return {
            line["platform"]: line["state"]
            for line in self.lines
            if line["kind"] == "platform" and line["vantage"] == vantage
        }

    def accusations(self) -> list[Line]:
        """Every line that says blocked, throttled or degraded."""
        return [
            line
            for line in self.lines
            if line["state"] in ("blocked", "throttled", "partial", "degraded")
        ]

    def _one(self, **wanted: str) -> Line:
        found = [
            line
            for line in self.lines
            if all(line.get(key) == value for key, value in wanted.items())
        ]
        assert len(found) == 1, f"{len(found)} lines for {wanted} among {len(self.lines)}"
        return found[0]


def in_full(pool: Sequence[Line]) -> list[Line]:
    """Those that were tested in full: at least half of a pool, which stand for the others."""
    found = [line for line in pool if line["rule_id"] != "siblings.silent"]
    assert 2 * len(found) >= len(pool)
    return found


def write_config(lab: Lab, name: str = "shutwatch.toml", **options: Any) -> Path:
    """A configuration file for the lab with quick timeouts; `options` as for `Lab.config`."""
    options["probe"] = {**QUICK, **options.get("probe", {})}
    path = lab.directory / name
    path.write_text(lab.config(**options))
    return path


def once(lab: Lab, *, timeout: float = PATIENCE, **options: Any) -> Seen:
    """Look once from every vantage of the lab, through the command a person would use."""
    options["probe"] = {**UNHURRIED, **options.get("probe", {})}
    path = write_config(lab, **options)
    done = lab.run(["shutwatch", "once", "--config", str(path), "--json"], timeout=timeout)
    return seen(done)


def at_once(*looks: Callable[[], T]) -> list[T]:
    """Looks at labs of their own, side by side: most of their time they wait."""
    with ThreadPoolExecutor(len(looks)) as pool:
        return list(pool.map(lambda look: look(), looks))


def seen(done: subprocess.CompletedProcess[str]) -> Seen:
    """Read what `once --json` printed; standard output holds nothing but JSON lines."""
    assert done.returncode == 0, done.stderr
    return Seen([msgspec.json.decode(line) for line in done.stdout.splitlines()], done.stderr)
