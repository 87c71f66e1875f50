"""Progress is shown on a terminal, after a moment, and nowhere else."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest
import typer

from monitor.cli import bars as module
from monitor.cli.bars import progress, progress_bars
from monitor.cli.main import app
from storage.open_store import open_store
from storage.sqlite.backup import backup
from tests.unit.monitor.cli.test_no_traceback import OFFLINE

Shown = Callable[[], str]
Terminal = Callable[[], Shown]

MARK = "\x1f"
"""Ends what was written so far: the reader may be late on a busy machine."""


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """Makes standard error a terminal when it is called, which a fixture cannot: pytest sets it for
    the test. Gives what gives what it got since that was last asked."""
    ours, theirs = os.openpty()
    stream = os.fdopen(theirs, "w", encoding="utf-8")
    got: SimpleQueue[bytes] = SimpleQueue()

    def read() -> None:  # all the time: a terminal takes 4 KiB, then writers wait
        with suppress(OSError):  # it is closed
            while True:
                got.put(os.read(ours, 65536))

    def shown() -> str:
        stream.flush()
        os.write(theirs, MARK.encode())
        seen = ""
        while MARK not in seen:
            seen += got.get(timeout=60).decode(errors="replace")
        return seen.replace(MARK, "")

    def use() -> Shown:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "stderr", stream)
        return shown

    reader = Thread(target=read, daemon=True)
    reader.start()
    yield use
    stream.close()  # then the reader ends
    reader.join()
    os.close(ours)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars appear without a wait."""
    monkeypatch.setattr(module, "AFTER", 0.0)


def _until(shown: Shown, text: str) -> str:
    """What was shown until the text came. The bar is drawn by a thread, ten times a second."""
    seen, ends = "", time.monotonic() + 10
    while text not in seen:
        assert time.monotonic() < ends, seen
        time.sleep(0.02)
        seen += shown()
    return seen


@pytest.mark.usefixtures("at_once")
def test_a_bar_counts_and_is_gone_at_the_end(terminal: Terminal) -> None:
    """It names what is done, how much, and of how much; the line is cleared at the end."""
    shown = terminal()
    with progress("counting sheep", 2000) as bar:
        _until(shown, "counting sheep")
        bar.advance()
        _until(shown, "1 of 2,000")
        bar.update(1500, what="counting goats")
        _until(shown, "counting goats")
        _until(shown, "1,500 of 2,000")
    assert shown().endswith("\x1b[2K")


@pytest.mark.usefixtures("at_once")
def test_bars_inside_bars_are_left_out(terminal: Terminal) -> None:
    """Two commands in one share the terminal."""
    shown = terminal()
    with progress_bars() as outer:
        outer.bar("outer")
        _until(shown, "outer")
        with progress("inner"):
            assert "inner" not in _until(shown, "outer") + _until(shown, "outer")


def test_a_short_task_shows_nothing(terminal: Terminal) -> None:
    """Within the first second nothing is drawn, and nothing has to be cleared."""
    shown = terminal()
    with progress("counting sheep", 2) as bar:
        bar.advance()
    assert shown() == ""


@pytest.mark.usefixtures("at_once")
def test_nothing_is_shown_beside_results_on_a_terminal(terminal: Terminal) -> None:
    """Lines that come out are progress enough."""
    shown = terminal()
    with progress("counting sheep", results=sys.stderr):
        time.sleep(0.3)
    assert shown() == ""


@pytest.mark.usefixtures("at_once")
def test_nothing_is_shown_in_a_file(capfd: pytest.CaptureFixture[str]) -> None:
    """Standard error of a service or a script."""
    with progress("counting sheep", 2) as bar:
        bar.advance()
        time.sleep(0.3)
    assert capfd.readouterr().err == ""


class _AtOnce:
    """A timer that does not wait, so that what takes a moment shows bars, too."""

    daemon = False

    def __init__(self, _seconds: float, function: Callable[[], None]) -> None:
        self.start = function

    def cancel(self) -> None:
        """It is over already."""

    join = cancel


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("export csv events -o out", "exporting"),
        ("export parquet events -o out", "exporting"),
        ("export ooni -o out", "exporting"),
        ("export stop -o out", "exporting"),
        ("export package out", "exporting"),
        ("report --country PK --platform x --since 2024-01-01 -o out", "writing the report"),
        ("verify offline.toml", "checking the report"),
        ("db backup out", "copying"),
        ("db restore copy.db", "restoring"),
        ("db check", "checking"),
        ("db upgrade", "upgrading"),
        ("replay db", "replaying"),
        ("replay offline.toml", "reading"),
        ("rejudge", "cycles"),
        ("judge ooni offline.toml", "judging"),
        ("event list", "reading the database"),
        ("vantage list", "reading the database"),
        ("audit", "reading the database"),
        ("probe tls://127.0.0.1:1", "testing"),
    ],
)
def test_what_may_take_long_shows_progress(
    command: str, what: str, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a store that holds nothing; that it holds much is what takes long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "Timer", _AtOnce)
    (tmp_path / "offline.toml").write_text(OFFLINE.format(folder=tmp_path, port=10199))
    monkeypatch.setenv("SHUTWATCH_CONFIG", "offline.toml")

    async def make() -> None:
        store = open_store(f"sqlite:///{tmp_path}/watch.db")
        await store.open()
        await store.close()

    asyncio.run(make())
    backup(f"{tmp_path}/watch.db", tmp_path / "copy.db")
    shown = terminal()
    with suppress(SystemExit):  # nothing is known, or a file is none
        app(command.split())
    assert what in shown()


def test_results_go_where_they_should_beside_a_bar(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A bar on standard error leaves standard output alone, and warnings stand above it."""
    monkeypatch.setattr(module, "Timer", _AtOnce)
    shown = terminal()
    with progress("counting sheep"):
        typer.echo("one sheep")
        typer.echo("a wolf", err=True)
    seen = shown()
    assert "a wolf" in seen
    assert "one sheep" not in seen
    assert capfd.readouterr().out == "one sheep\n"
