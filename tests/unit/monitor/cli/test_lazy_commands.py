"""`shutwatch --version` and `--help` import no command, commands only what they run; every command
is found when called."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from monitor.cli.main import COMMANDS, app
from storage.open_store import open_store
from tests.unit.monitor.cli.test_no_traceback import OFFLINE, ROOT

HEAVY = {
    *("alembic", "apscheduler", "babel", "cryptography", "httpx", "jinja2", "monitor.app"),
    *("monitor.config", "numpy", "prometheus_client", "psycopg", "rich", "sqlalchemy"),
    *("starlette", "structlog", "uvicorn"),
}
MOST_MODULES = 250
"""Modules that Python itself, typer and msgspec bring; with every command there are 1,400."""
PROGRAM = """
import sys
sys.argv = ["shutwatch", *{words!r}]
from monitor.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code
print("\\n".join(k for k, one in sys.modules.items() if one), file=sys.stderr)
"""


MEASURING = {"aioquic", "h11", "httpx", "httptools", "monitor.measuring.endpoints"}
"""What sends and reads packets."""
LARGE = {"apprise", "duckdb", "fpdf", "matplotlib", "numpy", "pandas", "pyarrow", "xlsxwriter"}
"""What only few commands need, when they write files."""
SERVING = {"apscheduler", "prometheus_client", "sqlalchemy", "starlette", "structlog", "uvicorn"}
"""What takes most of a second to import, and only those need who measure, serve or store."""


def _imported(*words: str) -> tuple[str, set[str]]:
    """What a command prints, and the modules that it leaves behind."""
    program = PROGRAM.format(words=words)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_no_command(option: str) -> None:
    """Only the table of commands is imported, not what commands need."""
    said, modules = _imported(option)
    assert "shutwatch" in said
    assert not HEAVY & modules
    assert len(modules) < MOST_MODULES


@pytest.mark.parametrize(
    "command",
    [
        *("run --help", "event --help", "export --help"),
        *("check offline.toml", "catalog --config offline.toml"),
    ],
)
def test_a_command_that_measures_nothing_imports_no_server(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the library for databases, nor what measures or writes files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "offline.toml").write_text(OFFLINE.format(folder=tmp_path, port=10199))
    _, modules = _imported(*command.split())
    assert not (SERVING | MEASURING | LARGE) & modules


@pytest.mark.parametrize(
    "command", ["event list", "vantage list", "notify list", "audit", "annotate list", "db check"]
)
def test_a_listing_imports_of_libraries_only_that_for_databases(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alembic, which a database of this version does not need, takes as long as all the rest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "offline.toml").write_text(OFFLINE.format(folder=tmp_path, port=10199))

    async def make() -> None:
        store = open_store(f"sqlite:///{tmp_path}/watch.db")
        await store.open()
        await store.close()

    asyncio.run(make())
    _, modules = _imported(*command.split(), "--config", "offline.toml")
    assert "sqlalchemy" in modules
    others = SERVING - {"sqlalchemy"} | {"alembic", "psycopg"}
    assert not (others | MEASURING | LARGE) & modules


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_has_the_help_of_each_command(name: str) -> None:
    """The table repeats the first paragraph of a command's own help."""
    group = typer.main.get_command(app)
    help_text = group.commands[name].help  # type: ignore[attr-defined]
    assert help_text.split("\n\n")[0].split() == COMMANDS[name].split()


def test_no_module_of_a_command_is_missing_from_the_table() -> None:
    """A new command is in the table: every module with an `app` or a function of its name."""
    import importlib
    import pkgutil

    import monitor.cli

    found = set()
    for module in pkgutil.iter_modules(monitor.cli.__path__):
        loaded = importlib.import_module(f"monitor.cli.{module.name}")
        if module.name != "main" and (hasattr(loaded, "app") or hasattr(loaded, module.name)):
            found.add(module.name)
    assert found - {"lazy_group"} == set(COMMANDS)


def test_an_agent_needs_only_what_its_lock_has() -> None:
    """Every library that an agent imports is in requirements/agent.lock, and none that is large."""
    lock = set(re.findall(r"^([a-z0-9-]+)", (ROOT / "requirements/agent.lock").read_text(), re.M))
    program = """
import sys
sys.modules.update(dict.fromkeys(("rich", "httpx._main")))
import structlog
import monitor.agent.run_agent, monitor.cli.agent, monitor.logs, probes.layers.quic
from importlib.metadata import packages_distributions
tops = {name.partition(".")[0] for name, module in list(sys.modules.items()) if module}
found = packages_distributions()
print(*sorted({one.lower().replace("_", "-") for top in tops for one in found.get(top, ())}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # structlog imports greenlet where it is there; setuptools loads itself in each start of Python.
    assert set(done.stdout.split()) - {"shutwatch", "greenlet", "setuptools"} <= lock
    assert not lock & {"sqlalchemy", "numpy", "pyarrow", "matplotlib", "babel", "uvicorn"}


def test_an_agents_installation_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback where a command needs what an agent has not."""
    for name in [one for one in sys.modules if one.startswith("monitor.cli.event")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich.markup", None)  # as where it is not installed
    done = CliRunner().invoke(app, ["event", "list"])
    assert done.exit_code == 2
    assert "`shutwatch event` needs rich.markup: this is an agent's installation" in done.stderr
