"""The unit suite needs no network: its tests pass on a machine that has loopback alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITH_SOCKETS = (
    "tests/unit/probes/layers/test_stun.py",
    "tests/unit/probes/sockets",
    "tests/unit/monitor/server/test_serve.py",
)
"""Tests that open sockets, as a sample of the suite."""


@pytest.mark.lab
def test_a_sample_passes_without_a_default_route() -> None:
    """In a network namespace of its own, where loopback is the only interface."""
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *WITH_SOCKETS]
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--net", "sh", "-ec"),
            'ip link set lo up; exec "$@"',
            *("sh", *arguments),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
