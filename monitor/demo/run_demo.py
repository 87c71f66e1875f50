"""The whole demonstration: the servers, the monitor that `shutwatch run` runs, and the story."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import msgspec
from rich.console import Console

from monitor.app.run_monitor import run as run_monitor
from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.demo.censor import Censor
from monitor.demo.chapters import STORY
from monitor.demo.config_files import CONFIG, LOG, Wanted, write
from monitor.demo.demo_report import report
from monitor.demo.narrator import Narrator, Outcome
from monitor.demo.screen import Screen
from monitor.demo.stored_events import Watcher
from monitor.demo.world import world
from monitor.logs import LogSettings, configure
from storage.open_store import open_store

INTERVAL, SHORTEST = 3.0, 1.0
"""Seconds between two cycles, and the shortest that the settings allow."""
FAST_LANE = 1.0
"""Seconds between two tests of what is undecided."""
QUICK_PACE = 5.0
"""From this pace on, fewer measurements suffice for an end."""
HOST = "127.0.0.1"


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command."""

    folder: Path
    """Exists and is empty."""
    port: int
    """Port of the page; another one is used when it is taken. 0: any free port."""
    pace: float = 1.0
    """Factor by which the story runs faster."""
    leave: bool = False
    """Exit when the story ends."""
    hold: bool = False
    """Stop where the block is at its largest."""
    keep: bool = False
    """The folder is kept."""


async def show(options: DemoOptions, console: Console) -> Outcome:
    """Run until cancelled or, with `leave`, until the story ends.

    Raises WorldError, ListenError and StorageError when it cannot start, OSError for the folder.
    """
    began = time.monotonic()
    screen = Screen(console, seconds=lambda: time.monotonic() - began)
    # No request may go to a proxy or leave the machine.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    async with world(screen.message) as made:
        port = free_port(options.port)
        wanted = Wanted(
            folder=options.folder,
            listen=f"{HOST}:{port}",
            ports=made.ports,
            interval=max(SHORTEST, INTERVAL / options.pace),
            fast_lane=FAST_LANE / options.pace,
            quick_ends=options.pace >= QUICK_PACE,
            anchor=made.anchor,
            messages=find_spec("apprise") is not None,
        )
        settings = load_config(write(wanted), {})
        with _logging_to(options.folder / LOG), screen:
            screen.heading(*_heading(options, port))
            return await _run(options, settings, made.censor, screen)


async def _run(options: DemoOptions, settings: Settings, censor: Censor, screen: Screen) -> Outcome:
    store = open_store(settings.database)
    # Open here before the monitor does, so that only one of them makes the tables.
    await store.open()
    narrator = Narrator(STORY, censor, Watcher(store), screen, pace=options.pace, hold=options.hold)
    monitor = asyncio.create_task(run_monitor(settings, advise=False))
    story = asyncio.create_task(_run_story(options, narrator, screen))
    try:
        await asyncio.wait({monitor, story}, return_when=asyncio.FIRST_COMPLETED)
        for task in (monitor, story):
            if task.done():
                task.result()  # raises the error that ended it
    finally:
        story.cancel()
        monitor.cancel()
        await asyncio.gather(monitor, story, return_exceptions=True)
        await store.close()
    return narrator.outcome


async def _run_story(options: DemoOptions, narrator: Narrator, screen: Screen) -> None:
    began = datetime.now(UTC)
    await narrator.run()
    if narrator.outcome is Outcome.DETECTED and (options.keep or not options.leave):
        screen.reported(*await report(options.folder / CONFIG, began))
    if options.leave:
        return
    screen.heading("", "The monitor, the page and the metrics go on. Press Ctrl-C to stop.")
    await narrator.follow()


def _heading(options: DemoOptions, port: int) -> tuple[str, ...]:
    taken = f"  (port {options.port} is taken)" if options.port not in (0, port) else ""
    return (
        "[bold]shutwatch demo[/]: an invented country and its networks, on this machine only.",
        "The monitor is the real one. It knows only its configuration.",
        "",
        f"  page      http://{HOST}:{port}/{taken}",
        f"  metrics   http://{HOST}:{port}/metrics",
        f"  files     {options.folder / CONFIG}",
        "",
    )


def free_port(wanted: int) -> int:
    """The port wanted if it is free, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, port))
            except OSError:
                continue
            found: int = sock.getsockname()[1]
            return found
    return wanted


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Write the monitor's log to a file, since the terminal shows the story."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    with path.open("w", encoding="utf-8") as file:
        configure(LogSettings(level="info", format="json"), file)
        try:
            yield
        finally:
            root.handlers[:] = handlers
