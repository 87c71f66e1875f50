"""What a command shows on a terminal of a given width."""

import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BAR = re.compile(r"[^\n]*\n(?:\x1b\[\?25h)?\r\x1b\[1A\x1b\[2K")
"""A line that is taken back: of a bar, which a command shows that takes long."""


def shown_on_terminal(words: Sequence[str], folder: Path, columns: int = 80) -> list[str]:
    """The lines that a command of shutwatch leaves there, standard error among them. Nobody
    answers."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor", *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the other side is closed
        while new := os.read(ours, 65536):
            shown += new
    os.close(ours)
    process.wait(60)
    return _BAR.sub("", shown.decode().replace("\r\n", "\n")).splitlines()
