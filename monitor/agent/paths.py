"""The agent's files, and the process that uses them.

They are in two folders, which are usually the same: that of the configuration file, with the key,
and that of the spool, with the settings from collectors, the pause mark, and the lock of a running
agent.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from monitor.config.settings import Settings
from storage.values.process_lock import locked, write_holder

_TRIES, _PAUSE = 10, 0.05


SERVICE_FOLDER = Path("/var/lib/shutwatch-agent")
"""Of the agent that systemd runs."""


class RunsAlreadyError(Exception):
    """Another agent uses the same spool; the message names it."""


class AgentFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of an agent's files."""

    config: Path
    key: Path
    spool: Path

    @property
    def orders(self) -> Path:
        """The newest settings from a collector."""
        return self.spool.with_name(f"{self.spool.name}.settings")

    @property
    def accepted(self) -> Path:
        """The endpoints that the host accepted from an order."""
        return self.spool.with_name(f"{self.spool.name}.accepted")

    @property
    def signers(self) -> Path:
        """The newest signing key and catalogue of each offline key."""
        return self.spool.with_name(f"{self.spool.name}.signers")

    @property
    def pause(self) -> Path:
        """Exists while the host has paused the agent."""
        return self.spool.with_name(f"{self.spool.name}.paused")

    @property
    def revoked(self) -> Path:
        """The fingerprint of a key of the agent's that was revoked."""
        return self.spool.with_name(f"{self.spool.name}.revoked")

    @property
    def lock(self) -> Path:
        """Locked by the running agent; it holds its process id."""
        return self.spool.with_name(f"{self.spool.name}.lock")


def usual_folder() -> Path:
    """The folder of this user's agent, where no other is named."""
    if os.geteuid() == 0:
        return SERVICE_FOLDER
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "shutwatch-agent"


def absent(file: Path, service: Path = SERVICE_FOLDER) -> str:
    """What to say where an agent's file is not there, and what to do."""
    join = f"{file} does not exist: `shutwatch agent join` makes this machine an agent"
    # systemd makes it a link into a folder that root alone may enter.
    if os.geteuid() != 0 and os.path.lexists(service):
        return f"{join}; the one that runs as a service is shown to root: try as root"
    return f"{join}; --config names another file"


def files_of(settings: Settings) -> AgentFiles:
    """The files that an agent's settings name."""
    setup = settings.agent
    assert setup is not None  # noqa: S101 # asked of agents alone
    folder = Path(settings.source).parent
    return AgentFiles(
        config=Path(settings.source), key=folder / setup.key, spool=folder / setup.spool
    )


@contextmanager
def running(files: AgentFiles) -> Iterator[None]:
    """Lock these files for this process. Raises RunsAlreadyError or OSError."""
    descriptor = _lock(files)
    try:
        write_holder(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(files: AgentFiles) -> int:
    """The lock. A process that only checks whether an agent runs holds it for an instant."""
    for _ in range(_TRIES):
        if (descriptor := locked(files.lock)) is not None:
            return descriptor
        time.sleep(_PAUSE)
    raise RunsAlreadyError(f"another agent uses {files.spool}")


def process_of(files: AgentFiles) -> int | None:
    """The id of the process that runs with these files; None for none."""
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
