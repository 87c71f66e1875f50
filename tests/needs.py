"""What tests need besides Python, by their marker, and which Debian packages have it.

The list is requirements/test-tools.txt, which `make test` installs from.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from tests.e2e import syscalls
from tests.lab import namespaces
from tests.worlds import postgresql

ROOT = Path(__file__).parents[1]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A program or file that the tests of one marker need."""

    marker: str
    found_as: tuple[str, ...]
    """Programs on PATH, or absolute paths with wildcards. One of them is enough."""
    package: str
    """The Debian package that has it."""

    @property
    def there(self) -> bool:
        """Whether this machine has it."""
        return any(
            any(Path("/").glob(name[1:])) if name.startswith("/") else shutil.which(name)
            for name in self.found_as
        )


def _read() -> tuple[Tool, ...]:
    lines = (ROOT / "requirements" / "test-tools.txt").read_text("utf-8").splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return tuple(
        Tool(marker=marker, found_as=tuple(names.split("|")), package=package)
        for marker, names, package, _ in rows
    )


TOOLS = _read()
MARKERS = tuple(dict.fromkeys(tool.marker for tool in TOOLS))


def _namespaces_refused() -> str:
    reason = namespaces.why_refused()
    return f"no network namespaces here: {reason}" if reason else ""


def _strace_refused() -> str:
    reason = syscalls.why_refused()
    return f"system calls cannot be traced here: {reason}" if reason else ""


def _alertmanager_too_old() -> str:
    """The shipped configuration has secrets in files, as Alertmanager 0.26 first allows."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or ""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\d+)\.(\d+)", done.stdout + done.stderr)
    if version is None or (int(version[1]), int(version[2])) >= (0, 26):
        return ""
    return f"Alertmanager 0.26 or newer is needed, here is {version[1]}.{version[2]}"


def _no_checkout() -> str:
    return "" if (ROOT / ".git").exists() else "this is not a git checkout"


def _not_root() -> str:
    return "" if os.geteuid() == 0 else "only root can build and mount an image"


REFUSED: Mapping[str, Callable[[], str]] = {
    "alertmanager": _alertmanager_too_old,
    "lab": _namespaces_refused,
    "postgres": postgresql.why_refused,
    "strace": _strace_refused,
    "git": _no_checkout,
    "image": _not_root,
}
"""Marker → why its tools cannot be used here although they are installed; empty if they can."""


@cache
def missing_packages(marker: str) -> tuple[str, ...]:
    """The packages that tests with this marker lack."""
    lacking = (tool.package for tool in TOOLS if tool.marker == marker and not tool.there)
    return tuple(dict.fromkeys(lacking))


@cache
def why_missing(marker: str) -> str:
    """Why tests with this marker cannot run here; empty if they can."""
    if packages := missing_packages(marker):
        return f"{marker} tests need {' '.join(packages)}, not installed here"
    return REFUSED[marker]() if marker in REFUSED else ""
