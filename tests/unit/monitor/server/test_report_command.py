"""The processes that make reports, started in a folder that others can write to."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.demo.demo_report import report
from monitor.server.report_jobs import COMMAND


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a program by somebody else that has our program's name."""
    folder = tmp_path / "foreign"
    (folder / "monitor").mkdir(parents=True)
    (folder / "monitor" / "__init__.py").touch()
    (folder / "monitor" / "__main__.py").write_text("import sys\nprint('theirs', file=sys.stderr)")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("foreign")
def test_attack_no_program_of_the_current_folder_makes_a_report() -> None:
    """`shutwatch run` is typed in /tmp, and an editor asks for a report on the page."""
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert "theirs" not in done.stderr
    assert "--country" in done.stdout


async def test_attack_nor_that_of_the_demonstration(foreign: Path) -> None:
    """It is typed anywhere."""
    made, said = await report(foreign / "gone.toml", datetime(2026, 1, 1, tzinfo=UTC))
    assert not made
    assert "gone.toml" in said
