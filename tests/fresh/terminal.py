"""A terminal that a new user types at, and the transcript of what was typed and shown."""

import os
import pty
import re
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

WIDTH = 100
"""Columns."""
_MOST, _FIRST, _LAST = 32, 16, 12
"""Lines that are shown whole, else the first and the last ones."""

_INVITATION = re.compile(r"[\w=-]{120,}")


class Missed(Exception):  # noqa: N818 # what a new user would have missed, not a bug
    """Something did not happen in time, or ended wrongly."""


class Terminal:
    """One command on a terminal of its own."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._began = time.monotonic()
        self.shown = ""
        self._mine, its = pty.openpty()
        termios.tcsetwinsize(its, (50, WIDTH))
        self.process = subprocess.Popen(
            argv,
            stdin=its,
            stdout=its,
            stderr=its,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        os.close(its)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Take in what it shows, also while nobody waits: else it would wait for us."""
        with suppress(OSError):  # the other side is closed
            while new := os.read(self._mine, 65536):
                self.shown += new.decode(errors="replace").replace("\r\n", "\n")

    @property
    def seconds(self) -> float:
        """Since it was typed."""
        return time.monotonic() - self._began

    def until(self, reached: Callable[[], bool], within: float, what: str) -> float:
        """Wait for something, and say after how many seconds it was so. Raises Missed."""
        while not reached():
            if self.process.poll() is not None:
                self._reader.join(5)
                if reached():
                    break
                raise Missed(f"it ended with {self.process.returncode} before {what}")
            if self.seconds > within:
                raise Missed(f"after {within:.0f} s not yet: {what}")
            time.sleep(0.1)
        return self.seconds

    def ended(self, within: float) -> int:
        """Its exit code. Raises Missed."""
        try:
            code = self.process.wait(max(0.0, within - self.seconds))
        except subprocess.TimeoutExpired:
            raise Missed(f"it still runs after {within:.0f} s") from None
        self._reader.join(5)
        return code

    def type(self, text: str) -> None:
        """Answer a question."""
        os.write(self._mine, text.encode())

    def press_ctrl_c(self) -> None:
        """End it as at a terminal, where every program of the command gets the signal."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Transcript:
    """What is typed and shown, with times since the beginning."""

    def __init__(self, instead: Mapping[str, str]) -> None:
        """`instead` has what stands for paths and secrets."""
        self.instead = dict(instead)
        self.began = time.monotonic()
        self.commands: list[str] = []
        self.lines: list[str] = []

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def say(self, *lines: str) -> None:
        """Lines of our own."""
        for line in lines:
            self._add(line)

    def typed(self, prompt: str, command: str) -> None:
        """A command, numbered."""
        self.commands.append(command)
        self.say("", f"[{len(self.commands)}] {clock(self.passed)} {prompt}$ {command}")

    def shown(self, text: str, note: str) -> None:
        """What it showed, shortened where that is long, and a note of our own."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x07", "", text)
        lines = [line.rsplit("\r", 1)[-1].rstrip() for line in plain.strip().split("\n")]
        if len(lines) > _MOST:
            hidden = len(lines) - _FIRST - _LAST
            lines = [*lines[:_FIRST], f"[{hidden} lines are left out here]", *lines[-_LAST:]]
        self.say(*lines, f"[{note}]")

    def _add(self, line: str) -> None:
        line = _INVITATION.sub("TOKEN", line)
        for secret, word in self.instead.items():
            line = line.replace(secret, word)
        line = line.rstrip()
        self.lines.append(line)
        print(line, flush=True)  # noqa: T201 # a program of its own

    def write(self, file: Path) -> None:
        """The whole of it."""
        file.write_text("\n".join(self.lines) + "\n", "utf-8")
