"""Ctrl-C at a question, and what else only a terminal shows."""

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.monitor.cli.test_no_traceback import OFFLINE, ROOT


def _on_terminal(*words: str, folder: Path) -> tuple[str, int]:
    """What the program says on a terminal of its own, where Ctrl-C answers every question."""
    mine, its = pty.openpty()
    process = subprocess.Popen(
        # Whoever runs the tests in the background ignores Ctrl-C, and children inherit that.
        ["env", "--default-signal=INT", sys.executable, "-m", "monitor", *words],
        stdin=its,
        stdout=its,
        stderr=its,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        start_new_session=True,
    )
    os.close(its)
    said = ""
    try:
        while True:
            if not select.select([mine], [], [], 2.0)[0]:
                process.send_signal(signal.SIGINT)  # once is lost just before the question reads
            try:
                said += os.read(mine, 4096).decode()
            except OSError:  # the other end is closed
                break
            if said.endswith(": "):
                process.send_signal(signal.SIGINT)
        return said, process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()
        os.close(mine)


@pytest.mark.parametrize("command", ["init", "password asma", "agent join"])
def test_ctrl_c_at_a_question_has_the_code_of_ctrl_c(command: str, tmp_path: Path) -> None:
    """130, as elsewhere: a script tells it from a mistake. Nothing false is said, and no file is
    left."""
    said, code = _on_terminal(*command.split(), folder=tmp_path)
    assert code == 130, said
    assert not [word for word in ("Traceback", "Aborted", "name the invitation") if word in said]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", ["xlsx", "parquet"])
def test_a_terminal_gets_no_binary(format_: str, tmp_path: Path) -> None:
    """Nobody reads it, and it may set the terminal's colours."""
    (tmp_path / "offline.toml").write_text(OFFLINE.format(folder=tmp_path, port=10199))
    said, code = _on_terminal("export", format_, "events", "-c", "offline.toml", folder=tmp_path)
    assert (code, f"name a file, as in -o events.{format_}" in said) == (2, True), said
