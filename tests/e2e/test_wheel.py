"""The wheel holds all that is needed, with the checkout out of reach."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout and unpacked elsewhere."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed/shutwatch"


def test_it_takes_one_name_and_comes_first(unpacked: Path, tmp_path: Path) -> None:
    """Attack: another project has folders of the same names, which were overwritten before, or
    taken for ours. `python -m shutwatch`, and what it starts, finds its own."""
    site = unpacked.parent
    assert {one.name.partition("-")[0] for one in site.iterdir()} == {"shutwatch"}
    shutil.copytree(site, tmp_path / "site")
    for name in ("monitor", "probes", "storage", "dashboards"):
        (tmp_path / f"site/{name}").mkdir()
        (tmp_path / f"site/{name}/__init__.py").write_text("raise SystemExit('not ours')")
    code = """
import os, subprocess, sys
from shutwatch.__main__ import main
sys.argv = ["shutwatch", "--version"]
try:
    main()
except SystemExit as end:
    assert not end.code
subprocess.run([sys.executable, "-m", "monitor", "--version"], check=True)
"""
    assert _python(tmp_path / "site", code) == "shutwatch 0.1.0\n" * 2


def _python(unpacked: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=unpacked.parent,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_packages_come_from_the_wheel(unpacked: Path) -> None:
    """What runs is what was packed."""
    code = "import monitor, probes, storage; print(monitor.__file__, probes.__file__)"
    assert all(path.startswith(str(unpacked)) for path in _python(unpacked, code).split())


def test_the_runbooks_are_in_it(unpacked: Path) -> None:
    """The program serves every runbook."""
    code = """
from monitor.server.runbook_pages import names, runbook
print(len([name for name in names() if runbook(name)]))
"""
    assert int(_python(unpacked, code)) == len(list((ROOT / "docs/runbooks").glob("*.md"))) > 20


def test_catalogue_example_and_migrations_are_in_it(unpacked: Path) -> None:
    """The catalogue loads, an example is written and checks clean, a database is made."""
    code = """
import asyncio, sys
from pathlib import Path
from monitor.cli.main import app
for argv in (["catalog", "--json"], ["init", "made.toml", "--force"], ["check", "made.toml"]):
    try:
        app(argv, standalone_mode=False)
    except SystemExit as end:
        assert not end.code, argv
from storage.open_store import open_store
async def main():
    store = open_store("sqlite:///made.db")
    await store.open()
    print(await store.active_events())
    await store.close()
asyncio.run(main())
"""
    assert _python(unpacked, code).rstrip().endswith("[]")


def test_dashboards_and_the_page_are_in_it(unpacked: Path) -> None:
    """Rules, dashboard and page templates are packed too."""
    packed = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert "dashboards/prometheus/shutwatch.rules.yml" in packed
    assert "dashboards/grafana/json/shutwatch-overview.json" in packed
    assert [name for name in packed if name.startswith("monitor/server/templates/")]
    assert not [name for name in packed if name.startswith(("tests/", "benchmarks/"))]
