"""The demonstration as a whole: the world, the monitor as `shutwatch run` has it, and the story."""

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

from monitor.app.run import run as run_monitor
from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.demo.censor import Censor
from monitor.demo.chapters import STORY
from monitor.demo.config_files import CONFIG, LOG, Wanted, write
from monitor.demo.demo_report import report
from monitor.demo.found import Watcher
from monitor.demo.narrator import Narrator, Outcome
from monitor.demo.screen import Screen
from monitor.demo.world import world
from monitor.logs import LogSettings, configure
from storage.open_store import open_store

INTERVAL, SHORTEST = 3.0, 1.0
"""Seconds from one cycle to the next, and the least that settings allow."""
FAST_LANE = 1.0
"""Seconds from one look at what is undecided to the next."""
HASTY = 5.0
"""Pace from which on fewer looks must do for an end."""
HOST = "127.0.0.1"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for."""

    folder: Path
    """Exists, and is empty."""
    port: int
    """Of the page; another one is taken where it is not free. 0: any."""
    pace: float = 1.0
    """How many times faster than usual the story goes."""
    leave: bool = False
    """End when the story has."""
    hold: bool = False
    """Stand still while the block is at its height."""
    keep: bool = False
    """The folder is there after the end."""


async def show(wish: Wish, console: Console) -> Outcome:
    """Show it until told to stop or, with `leave`, until the story has ended.

    Raises WorldError, ListenError and StorageError when it cannot start, OSError for the folder.
    """
    began = time.monotonic()
    screen = Screen(console, seconds=lambda: time.monotonic() - began)
    # Nothing here is for a proxy, and nothing is to leave the machine.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    async with world(screen.message) as made:
        port = free_port(wish.port)
        wanted = Wanted(
            folder=wish.folder,
            listen=f"{HOST}:{port}",
            ports=made.ports,
            interval=max(SHORTEST, INTERVAL / wish.pace),
            fast_lane=FAST_LANE / wish.pace,
            hasty=wish.pace >= HASTY,
            anchor=made.anchor,
            messages=find_spec("apprise") is not None,
        )
        settings = load_config(write(wanted), {})
        with _logging_to(wish.folder / LOG), screen:
            screen.heading(*_heading(wish, port))
            return await _watched(wish, settings, made.censor, screen)


async def _watched(wish: Wish, settings: Settings, censor: Censor, screen: Screen) -> Outcome:
    store = open_store(settings.database)
    # Opened here first, so that only one of us makes the tables.
    await store.open()
    teller = Narrator(STORY, censor, Watcher(store), screen, pace=wish.pace, hold=wish.hold)
    monitor = asyncio.create_task(run_monitor(settings))
    telling = asyncio.create_task(_tell(wish, teller, screen))
    try:
        await asyncio.wait({monitor, telling}, return_when=asyncio.FIRST_COMPLETED)
        for task in (monitor, telling):
            if task.done():
                task.result()  # raises what ended it
    finally:
        telling.cancel()
        monitor.cancel()
        await asyncio.gather(monitor, telling, return_exceptions=True)
        await store.close()
    return teller.outcome


async def _tell(wish: Wish, teller: Narrator, screen: Screen) -> None:
    began = datetime.now(UTC)
    await teller.tell()
    if teller.outcome is Outcome.FOUND and (wish.keep or not wish.leave):
        screen.reported(*await report(wish.folder / CONFIG, began))
    if wish.leave:
        return
    screen.heading("", "The monitor goes on, and so do page and metrics. Ctrl-C ends it.")
    await teller.watch_on()


def _heading(wish: Wish, port: int) -> tuple[str, ...]:
    taken = f"  (port {wish.port} is taken)" if wish.port not in (0, port) else ""
    return (
        "[bold]shutwatch demo[/]: an invented country and its networks, on this machine alone.",
        "The monitor is the real one. It is told nothing but its configuration.",
        "",
        f"  page      http://{HOST}:{port}/{taken}",
        f"  metrics   http://{HOST}:{port}/metrics",
        f"  files     {wish.folder / CONFIG}",
        "",
    )


def free_port(wanted: int) -> int:
    """The port wanted, if nobody listens there, else one that is free."""
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
    """The monitor's log goes to a file: the terminal belongs to the story."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    with path.open("w", encoding="utf-8") as file:
        configure(LogSettings(level="info", format="json"), file)
        try:
            yield
        finally:
            root.handlers[:] = handlers
