"""`make run`: one process and SQLite, with no key to make, no server, and no line to anywhere."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import wait_for
from tests.lab.namespaces import Namespace, Namespaces

pytestmark = [pytest.mark.lab, pytest.mark.make, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
VENV = Path(sys.executable).parents[1]
OFFLINE = re.compile(r'^shutwatch_vantage_state\{[^}]*state="offline"[^}]*\} 1', re.MULTILINE)
ASK = """
import json, urllib.request
def get(path):
    with urllib.request.urlopen("http://127.0.0.1:10100" + path, timeout=5) as answer:
        return answer.read().decode()
try:
    print(json.dumps([get("/"), get("/metrics")]))
except OSError:
    print("[]")
"""


@pytest.fixture
def nowhere() -> Iterator[Namespace]:
    """A network namespace with nothing in it but loopback."""
    with Namespaces() as namespaces:
        made = namespaces.make()
        made.wait_up()
        yield made


def _inside(namespace: Namespace) -> list[str]:
    """What each process in the namespace was started as, those that hold it apart."""
    here = Path(f"/proc/{namespace.pid}/ns/net").readlink()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns/net").readlink() == here:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # gone meanwhile
    return [line for line in found if line.strip() and not line.startswith(("sh -c", "cat "))]


def test_make_run_works_alone(nowhere: Namespace, tmp_path: Path) -> None:
    """In a folder with nothing but the checkout, and no network: `make run` serves the page and
    the metrics from one process, judges what it sees as this machine being offline, keeps it in
    an SQLite file, and has neither asked for a key nor made one."""
    if subprocess.run(
        ["make", "-q", f"VENV={VENV}", f"{VENV}/.run"], cwd=ROOT, check=False
    ).returncode:
        pytest.skip("this environment was not made by `make`, or `make` would change it")
    for name in ("Makefile", "requirements", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    enter = nowhere.enter(tmp_path)
    with (tmp_path / "log").open("w") as log:
        made = subprocess.Popen([*enter, "make", f"VENV={VENV}", "run"], stdout=log, stderr=log)
    try:

        def asked() -> list[str]:
            assert made.poll() is None, (tmp_path / "log").read_text()
            argv = [*enter, sys.executable, "-c", ASK]
            done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)
            found: list[str] = json.loads(done.stdout)
            return found if found and OFFLINE.search(found[1]) else []

        page, metrics = wait_for(asked, "a cycle that says offline", 60)
        assert "<html" in page
        assert "shutwatch_analysis_leader 1.0" in metrics
        monitors = [line for line in _inside(nowhere) if "shutwatch run" in line]
        assert len(monitors) == 1, _inside(nowhere)
        assert [line for line in _inside(nowhere) if line not in monitors] == [
            f"make VENV={VENV} run "
        ]
    finally:
        made.terminate()
        made.wait(60)
    written = {file.name for file in tmp_path.iterdir()}
    assert "shutwatch.db" in written
    assert not [name for name in written if name.endswith((".pem", ".key"))]
