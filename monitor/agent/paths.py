"""What lies where on the agent's machine, and which process it belongs to.

Everything lies in two folders, which are usually one: the configuration file's, where the key is,
and the spool's, with the settings that collectors gave, the mark that the agent is paused, and the
lock that a running agent holds.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from monitor.config.settings import Settings

_TRIES, _PAUSE = 10, 0.05


class RunsAlreadyError(Exception):
    """Another agent uses the same spool; the message names it."""


class AgentFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where things are."""

    config: Path
    key: Path
    spool: Path

    @property
    def orders(self) -> Path:
        """What collectors said last."""
        return self.spool.with_name(f"{self.spool.name}.settings")

    @property
    def pause(self) -> Path:
        """Is there while the agent is paused by its host."""
        return self.spool.with_name(f"{self.spool.name}.paused")

    @property
    def lock(self) -> Path:
        """Held by the agent that runs; its process id is in it."""
        return self.spool.with_name(f"{self.spool.name}.lock")

    @property
    def secret(self) -> tuple[Path, ...]:
        """All that tells what was done here, the key first."""
        name = self.spool.name
        of_spool = [f"{name}{end}" for end in ("", "-wal", "-shm", "-journal")]
        of_damaged = [f"{name}.damaged{end}" for end in ("", "-wal", "-shm")]
        orders = self.orders
        return (
            self.key,
            *(self.spool.with_name(each) for each in (*of_spool, *of_damaged)),
            *(orders, orders.with_name(f"{orders.name}.partial")),
            self.pause,
        )


def files_of(settings: Settings) -> AgentFiles:
    """Of an agent's settings."""
    setup = settings.agent
    assert setup is not None  # noqa: S101 # asked of agents alone
    folder = Path(settings.source).parent
    return AgentFiles(
        config=Path(settings.source), key=folder / setup.key, spool=folder / setup.spool
    )


@contextmanager
def running(files: AgentFiles) -> Iterator[None]:
    """Be the one agent that uses these files. Raises RunsAlreadyError or OSError."""
    descriptor = os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, files)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, files: AgentFiles) -> None:
    """Somebody who only asks whether an agent runs holds the lock for an instant."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return
    raise RunsAlreadyError(f"another agent uses {files.spool}")


def process_of(files: AgentFiles) -> int | None:
    """The id of the process that runs with these files; None when none does."""
    try:
        with files.lock.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                with suppress(ValueError):
                    return int(lock.read())
    except OSError:
        pass
    return None
