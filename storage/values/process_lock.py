"""A file that a process locks for as long as it lives, and that may name the process.

The system lets go of the lock when the process ends in whatever way, so that no file it leaves
keeps another one out.
"""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from storage.values.private_file import PRIVATE, give_to_owner


class Holder(msgspec.Struct, frozen=True):
    """The process that a locked file names."""

    process: int
    since: datetime
    """When it took the lock, UTC."""


def locked(file: str | Path, *, shared: bool = False) -> int | None:
    """A descriptor that holds the lock until it is closed; None while another process holds it.
    With `shared`, others may hold it so, too. Raises OSError."""
    descriptor = _opened(file)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _opened(file: str | Path) -> int:
    """The file, made where there is none: by root for the owner of the folder, whose service could
    not lock root's."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(file, flags | os.O_EXCL, PRIVATE)
    except FileExistsError:
        return os.open(file, flags, PRIVATE)
    give_to_owner(descriptor, Path(file).parent)
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
