"""`shutwatch --version` and `--help` import no command, commands only what they run; every command
is found when called."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from monitor.cli.main import COMMANDS, app
from storage.open_store import open_store
from tests.unit.monitor.cli.test_no_traceback import OFFLINE, ROOT

WATCHED = {
    *("aioquic", "alembic", "anyio", "apprise", "apscheduler", "asyncio_throttle", "babel"),
    *("cryptography", "dns", "duckdb", "fpdf", "h11", "httptools", "httpx", "jinja2"),
    *("markdown_it", "matplotlib", "maxminddb", "numpy", "pandas", "prometheus_client", "psycopg"),
    *("obstore", "pydantic", "pygments", "rfc3161_client", "rich", "segno", "service_identity"),
    *("sqlalchemy", "starlette", "structlog", "uharfbuzz", "uvicorn", "xlsxwriter"),
}
"""Libraries that take at least 10 ms of CPU to import, or much memory."""
STORE = {"sqlalchemy"}
MEASURING = {"asyncio_throttle", "h11", "httptools", "httpx"}
"""What sends and reads packets."""
SERVING = {
    *("anyio", "apscheduler", "cryptography", "jinja2", "prometheus_client", "rfc3161_client"),
    *("starlette", "uvicorn"),
}
MOST_MODULES = 250
"""Modules that Python itself, typer and msgspec bring; with every command there are 1,400."""
PROGRAM = """
import importlib, json, os, sys
import monitor.cli.main as cli  # shared by all that follows, as by all commands
for lines in json.loads(sys.argv[1]):
    sys.stdout.flush()
    if os.fork():
        os.wait()
        continue
    for line in lines:
        code = 1
        try:
            sys.argv = ["shutwatch", *line.split()]
            if line.startswith("import "):
                sys.modules.update(dict.fromkeys(cli._NEVER))
                importlib.import_module(line.removeprefix("import "))
            else:
                cli.main()
        except SystemExit as end:
            code = end.code
        found = [name for name, module in sys.modules.items() if module]
        print(json.dumps([line, code, found]), file=sys.stderr)
    os._exit(0)
"""


class Imported(NamedTuple):
    """What a command left behind in its process."""

    code: int | None
    modules: frozenset[str]

    @property
    def libraries(self) -> set[str]:
        """Those that are watched."""
        return WATCHED & {one.partition(".")[0] for one in self.modules}


def _imported(*together: Sequence[str], folder: Path = ROOT) -> dict[str, Imported]:
    """What is imported after each of these command lines. Those of one argument run one after
    another in a process, each argument in its own. `import NAME` is what that module imports."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(together)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(one) for one in done.stderr.splitlines() if one.startswith("[")]
    return {line: Imported(code, frozenset(modules)) for line, code, modules in found}


def test_version_and_help_import_no_command() -> None:
    """Only the table of commands is imported, not what commands need."""
    for one in _imported(["--version"], ["--help"]).values():
        assert not one.libraries
        assert not {"asyncio", "monitor.config", "msgspec"} & one.modules
        assert len(one.modules) < MOST_MODULES


def test_the_help_of_a_command_imports_no_library() -> None:
    """Whatever a command needs is imported when it is called. In one process, of which no command
    may add a library."""
    lines = [f"{name} --help" for name in COMMANDS]
    found = _imported(lines)
    assert {line: one.libraries for line, one in found.items()} == {line: set() for line in lines}
    assert all(one.code == 0 for one in found.values())
    assert not any("monitor.app" in one.modules for one in found.values())


NEEDED = {
    # Apprise tells whether it can send to an address, which only those ask that send or check.
    "check offline.toml": {"apprise", "babel", "cryptography", "rich"},
    "check offline.toml --json": {"apprise", "babel", "cryptography"},
    "catalog": {"rich"},
    "catalog --json": set(),
    "password me": set(),
    "event list": STORE | {"babel"},
    "vantage list": STORE,
    "notify list": STORE | {"rich"},
    "notify list --json": STORE,
    "annotate list": STORE,
    "audit": STORE,
    "db check": STORE,
    "db backup copy.db": STORE,
    "export csv events -o out": STORE | {"babel"},
    "export csv measurements -o out": STORE | {"babel"},
    "rejudge": STORE | {"rich"},
    "verify offline.toml": {"cryptography", "rfc3161_client"},
    "agent status": set(),
    "import monitor.app.run_monitor": STORE | MEASURING | SERVING,
    "import monitor.collector.run_collector": STORE | MEASURING | SERVING,
    "import monitor.agent.run_agent": MEASURING | {"apscheduler", "cryptography"},
}
"""Command line, or module of a program that runs for good → the libraries that it needs."""


def test_commands_import_only_what_they_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an empty store. The libraries above serve no other purpose than what these do. Those that
    need the same share a process: none may add to what the first of them imported."""
    monkeypatch.setenv("SHUTWATCH_CONFIG", "offline.toml")
    route = '[[notify.route]]\nname = "desk"\nurls = ["json://127.0.0.1:1/"]\n'
    (tmp_path / "offline.toml").write_text(OFFLINE.format(folder=tmp_path, port=10199) + route)

    async def make() -> None:
        store = open_store(f"sqlite:///{tmp_path}/watch.db")
        await store.open()
        await store.close()

    asyncio.run(make())
    together = defaultdict[frozenset[str], list[str]](list)
    for line, libraries in NEEDED.items():
        together[frozenset(libraries)].append(line)
    found = _imported(*together.values(), folder=tmp_path)
    assert {line: one.libraries for line, one in found.items()} == NEEDED


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
    assert not lock & {"sqlalchemy", "numpy", "duckdb", "matplotlib", "babel", "uvicorn"}


def test_an_agents_installation_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback where a command needs what an agent has not."""
    monkeypatch.setitem(sys.modules, "rich.console", None)  # as where it is not installed
    monkeypatch.delenv("SHUTWATCH_CONFIG", raising=False)
    done = CliRunner().invoke(app, ["catalog"])
    assert done.exit_code == 2
    assert "`shutwatch catalog` needs rich.console: this is an agent's installation" in done.stderr
