"""A file that a process locks for as long as it lives, and that may name the process.

The system lets go of the lock when the process ends in whatever way, so that no file it leaves
keeps another one out.
"""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from storage.values.private_file import PRIVATE


class Holder(msgspec.Struct, frozen=True):
    """The process that a locked file names."""

    process: int
    since: datetime
    """When it took the lock, UTC."""


def locked(file: str | Path, *, shared: bool = False) -> int | None:
    """A descriptor that holds the lock until it is closed; None while another process holds it.
    With `shared`, others may hold it so, too. Raises OSError."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_holder(descriptor: int) -> None:
    """Write this process's id into the file that it has locked."""
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())


def holder(file: str | Path) -> Holder | None:
    """Whom a locked file names; None where it names nobody."""
    try:
        process = int(Path(file).read_text("utf-8"))
        return Holder(process, datetime.fromtimestamp(Path(file).stat().st_mtime, UTC))
    except (OSError, ValueError):
        return None
