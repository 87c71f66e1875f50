"""`shutwatch --version` and `--help` import no command; every command is found when called."""

import subprocess
import sys

import pytest
import typer

from monitor.cli.main import COMMANDS, app

HEAVY = {
    *("alembic", "apscheduler", "babel", "cryptography", "httpx", "jinja2", "monitor.app"),
    *("monitor.config", "numpy", "prometheus_client", "psycopg", "rich", "sqlalchemy"),
    *("starlette", "structlog", "uvicorn"),
}
MOST_MODULES = 250
"""Modules that Python itself, typer and msgspec bring; with every command there are 1,400."""
PROGRAM = """
import sys
sys.argv = ["shutwatch", {option!r}]
from monitor.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code
print("\\n".join(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_no_command(option: str) -> None:
    """Only the table of commands is imported, not what commands need."""
    program = PROGRAM.format(option=option)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules = set(done.stderr.split())
    assert "shutwatch" in done.stdout
    assert not HEAVY & modules
    assert len(modules) < MOST_MODULES


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
