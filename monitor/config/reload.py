"""Reload the configuration at run time.

A file with any mistake changes nothing: the settings in use stay, the log says what is wrong, and a
metric shows it. A setting that needs a socket or a file opened again is refused by name.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from monitor.config.settings import CollectorSettings, Settings
from monitor.config.toml_problem import ConfigError
from monitor.logs import logger

log = logger(__name__)

Load = Callable[[Path], Settings]
"""The settings in a file; raises ConfigError."""
Apply = Callable[[Settings, Settings], Awaitable[None]]
"""Replaces the first settings by the second in the running program."""

_MEASURING = (
    *("interval", "vantages", "catalog", "probe", "throttling", "vantage_check", "fingerprints"),
)
"""Settings that decide what is measured, from where and how, and how it is judged."""


class Reloaded(msgspec.Struct, frozen=True):
    """Result of a reload."""

    done: bool
    problems: tuple[str, ...] = ()
    """Every reason why the settings did not change."""


def unchangeable(old: Settings, new: Settings) -> tuple[str, ...]:
    """One text for each changed setting that needs a restart."""
    problems = []
    if (old.listen_host, old.listen_port) != (new.listen_host, new.listen_port):
        problems.append(
            f"listen: stays {old.listen_host} port {old.listen_port}; a change needs a restart"
        )
    problems += [
        # URLs of databases may hold passwords, so neither value is shown.
        f"{name}: stays unchanged; a change needs a restart"
        for name in ("database", "archive")
        if getattr(old, name) != getattr(new, name)
    ]
    problems += [
        f"collector.{name}: stays unchanged; a change needs a restart"
        for name in CollectorSettings.__struct_fields__
        if name != "paused" and getattr(old.collector, name) != getattr(new.collector, name)
    ]
    if old.agent != new.agent:
        problems.append("agent: stays unchanged; a change needs a restart")
    elif old.agent is not None and old.vantages != new.vantages:
        problems.append("vantage: stays unchanged; an agent needs a restart for another vantage")
    return tuple(problems)


def same_measuring(old: Settings, new: Settings) -> bool:
    """Whether both measure the same endpoints from the same vantages in the same way."""
    return all(getattr(old, name) == getattr(new, name) for name in _MEASURING)


class Reloader:
    """Holds the settings in use. One for each process; use from the event loop's thread."""

    def __init__(
        self,
        settings: Settings,
        load: Load,
        apply: Apply,
        refused: Callable[[], None],
    ) -> None:
        """`apply` puts new settings into use; `refused` is called when a reload failed."""
        self._settings = settings
        self._load = load
        self._apply = apply
        self._refused = refused
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def settings(self) -> Settings:
        """The settings in use."""
        return self._settings

    def ask(self) -> None:
        """Request a reload; several requests before it starts make one. For signal handlers."""
        self._wanted.set()

    async def run(self) -> None:
        """Reload on request, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.reload()

    async def reload(self) -> Reloaded:
        """Read the file again and apply it, or return why not."""
        async with self._turn:
            try:
                problems = await self._reload()
            except Exception as error:
                # A bug in reading settings must not end a monitor that works with the old ones.
                log.exception("configuration not reloaded, because of a bug in shutwatch")
                problems = (f"{type(error).__name__}, see the log",)
            if not problems:
                return Reloaded(done=True)
            self._refused()
            return Reloaded(done=False, problems=problems)

    async def _reload(self) -> tuple[str, ...]:
        old = self._settings
        if not old.source:
            problems: tuple[str, ...] = ("no file was named at the start: nothing to reload",)
        else:
            try:
                # In a thread: lists and databases that the file names may be large.
                new = await asyncio.to_thread(self._load, Path(old.source))
                problems = unchangeable(old, new)
            except ConfigError as error:
                problems = tuple(map(str, error.problems))
        if problems:
            log.error(
                "configuration not reloaded, the old one stays in use",
                file=old.source,
                problems=list(problems),
            )
            return problems
        await self._apply(old, new)
        self._settings = new
        log.info("configuration reloaded", file=new.source, vantages=len(new.vantages))
        return ()
