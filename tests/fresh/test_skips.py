"""A machine without the tools of the tests: what needs them is skipped, and nothing fails."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests import needs

ROOT = Path(__file__).parents[2]
KINDS = {
    "lab": "tests/lab/test_lab_basics.py",
    "prometheus": "tests/prometheus/test_grafana_alerting.py",
    "alertmanager": "tests/prometheus/test_alertmanager.py",
    "blackbox": "tests/scenarios/test_blackbox_beside.py",
    "postgres": "tests/unit/storage/test_db_check_batches.py",
    "pdf": "tests/programs/test_pdf_words.py",
    "strace": "tests/e2e/test_durable.py",
    "systemd": "tests/docs/test_service.py",
    "browser": "tests/browser/test_browser.py",
    "git": "tests/image/test_compose.py",
    "make": "tests/e2e/test_make_run.py",
    "release": "tests/programs/test_release.py",
    "image": "tests/image/test_image.py",
    "npm": "tests/prometheus/test_grafana_packages.py",
}
"""Marker → a file of tests that has some of them."""
CLOSING = re.compile(r"^Skipped (\d+) tests\. To run them: apt-get install (.+)$", re.MULTILINE)


def _without_tools(
    folder: Path, *arguments: str, required: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run pytest with a PATH on which there is only a shell."""
    (folder / "sh").symlink_to("/bin/sh")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "SHUTWATCH_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**environment, "PATH": str(folder), "SHUTWATCH_REQUIRE": required},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_kind_is_skipped_and_its_package_named(tmp_path: Path) -> None:
    """Tests of each marker are skipped, the others pass, and the last lines name every package
    that is missing on PATH."""
    assert set(KINDS) == set(needs.MARKERS)
    # The expression selects the tests of `make soak` as well: only those have npm and image.
    done = _without_tools(tmp_path, "-m", "soak or not soak", *KINDS.values())
    assert done.returncode == 0, done.stdout[-5000:]
    closing = CLOSING.search(done.stdout)
    assert closing is not None, done.stdout[-5000:]
    on_path = {tool.package for tool in needs.TOOLS if not tool.found_as[0].startswith("/")}
    assert on_path <= set(closing[2].split())
    for marker in KINDS:
        assert f"{marker} tests need " in done.stdout
    counted = re.search(r"(\d+) passed, (\d+) skipped in ", done.stdout)
    assert counted is not None, done.stdout[-1000:]
    assert int(counted[1]) > 30
    assert counted[2] == closing[1]


def test_a_skip_that_is_required_fails(tmp_path: Path) -> None:
    """Where SHUTWATCH_REQUIRE names a kind, its skip is a failure that says so."""
    done = _without_tools(tmp_path, KINDS["strace"], required="postgres,strace")
    assert done.returncode == 1, done.stdout
    assert "SHUTWATCH_REQUIRE wants it to run: " in done.stdout
    assert "To run them" not in done.stdout
