"""Reading the configuration again while everything runs.

A file with any mistake in it changes nothing: the settings in use stay, the log says what is wrong,
and a metric shows it. What holds a socket or a file open cannot change at run time, and is refused
by name instead of being taken in half.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from monitor.config.load import ConfigError
from monitor.config.settings import CollectorSettings, Settings
from monitor.logs import logger

log = logger(__name__)

Load = Callable[[Path], Settings]
"""The settings in a file; raises ConfigError."""
Apply = Callable[[Settings, Settings], Awaitable[None]]
"""Goes over from the first to the second."""


_OF_LOOKS = (
    *("interval", "vantages", "catalog", "probe", "throttling", "vantage_check", "fingerprints"),
)
"""Settings that decide how and where is looked, and how one look is judged."""


class Reloaded(msgspec.Struct, frozen=True):
    """How it went."""

    done: bool
    problems: tuple[str, ...] = ()
    """Every reason why not."""


def unchangeable(old: Settings, new: Settings) -> tuple[str, ...]:
    """What differs and needs a restart, a sentence for each key."""
    problems = []
    if (old.listen_host, old.listen_port) != (new.listen_host, new.listen_port):
        problems.append(
            f"listen: still {old.listen_host} port {old.listen_port}; another needs a restart"
        )
    if old.database != new.database:
        # Neither is named: a URL may hold a password.
        problems.append("database: still the one it was; another one needs a restart")
    problems += [
        f"collector.{name}: still what it was; another one needs a restart"
        for name in CollectorSettings.__struct_fields__
        if name != "paused" and getattr(old.collector, name) != getattr(new.collector, name)
    ]
    if old.agent != new.agent:
        problems.append("agent: still as it was; a change of it needs a restart")
    elif old.agent is not None and old.vantages != new.vantages:
        problems.append("vantage: still the one it was; an agent needs a restart for another")
    return tuple(problems)


def same_looks(old: Settings, new: Settings) -> bool:
    """Whether both look from the same places at the same things in the same way."""
    return all(getattr(old, name) == getattr(new, name) for name in _OF_LOOKS)


class Reloader:
    """Knows the settings in use. One for each process; use from the event loop's thread."""

    def __init__(
        self,
        settings: Settings,
        load: Load,
        apply: Apply,
        refused: Callable[[], None],
    ) -> None:
        """`apply` takes new settings into use; `refused` is told when there were none to take."""
        self._settings = settings
        self._load = load
        self._apply = apply
        self._refused = refused
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def settings(self) -> Settings:
        """Those in use."""
        return self._settings

    def ask(self) -> None:
        """Have it done soon, once however often this is called until then: for signals."""
        self._wanted.set()

    async def run(self) -> None:
        """Do what is asked for, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.reload()

    async def reload(self) -> Reloaded:
        """Read the file again and go by it, or say why not."""
        async with self._turn:
            try:
                problems = await self._reload()
            except Exception as error:
                # A bug in reading settings must not end a monitor that works with the old ones.
                log.exception("configuration not reloaded, our own fault")
                problems = (f"{type(error).__name__}, see the log",)
            if not problems:
                return Reloaded(done=True)
            self._refused()
            return Reloaded(done=False, problems=problems)

    async def _reload(self) -> tuple[str, ...]:
        old = self._settings
        if not old.source:
            problems: tuple[str, ...] = ("no file was named at the start: nothing to read again",)
        else:
            try:
                # In a thread: lists and databases that the file names may be large.
                new = await asyncio.to_thread(self._load, Path(old.source))
                problems = unchangeable(old, new)
            except ConfigError as error:
                problems = tuple(map(str, error.problems))
        if problems:
            log.error(
                "configuration not reloaded, the one before stays in use",
                file=old.source,
                problems=list(problems),
            )
            return problems
        await self._apply(old, new)
        self._settings = new
        log.info("configuration reloaded", file=new.source, vantages=len(new.vantages))
        return ()
