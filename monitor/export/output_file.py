"""Where a command writes: a new file that replaces the old one when it is whole, or a stream.

Only a regular file, or a name that is free, is replaced; a symlink stays, and what it leads to is
replaced. A device, a FIFO or an open descriptor, such as `/dev/stdout` or `>(gzip)`, is written to
as it is: to replace it would remove it from the machine.
"""

import errno
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_MOST_LINKS = 40
"""As many as Linux follows."""


@contextmanager
def written_file(path: Path) -> Iterator[BinaryIO]:
    """The file to write from its start to its end. When the block fails, an old file stays as it
    is, and a new one is gone. OSError."""
    target = _replaceable(path)
    if target is None:
        with _stream(path) as out:
            yield out
        return
    with _new_file(target) as name, name.open("wb") as out:
        yield out


@contextmanager
def filled_file(path: Path) -> Iterator[Path]:
    """As `written_file`, for a program that needs the name of a file in which it can go back.

    The name is in a folder with room for the whole: that of `path`, unless it is a stream.
    """
    target = _replaceable(path)
    if target is not None:
        with _new_file(target) as name:
            yield name
        return
    with tempfile.TemporaryDirectory(prefix="shutwatch-") as folder:
        name = Path(folder) / "whole"
        name.touch()
        yield name
        with name.open("rb") as whole, _stream(path) as out:
            shutil.copyfileobj(whole, out)


def _stream(path: Path) -> BinaryIO:
    # Neither made nor cut: where standard output is a file, it may hold something already.
    return open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY), "wb")  # noqa: PTH123


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """A new file that gets the name `target`, and the permissions of an old file there."""
    name = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.partial")
    mode = None
    if target.exists():
        target.open("r+b").close()  # an old file that may not be written to is not replaced either
        mode = stat.S_IMODE(target.stat().st_mode)
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error
    try:
        if mode is not None:
            name.chmod(mode)
        yield name
        name.replace(target)
    finally:
        name.unlink(missing_ok=True)


def _replaceable(path: Path) -> Path | None:
    """The regular file, or the free name, that `path` leads to; None for anything else."""
    if _is_descriptor(path):
        return None
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return Path(os.path.realpath(path)) if stat.S_ISREG(mode) else None


def _is_descriptor(path: Path) -> bool:
    """Whether the path leads to a descriptor of a program, such as `/dev/stdout`."""
    for _ in range(_MOST_LINKS):
        if os.path.realpath(path.parent).startswith("/proc/"):
            return True
        if not path.is_symlink():
            return False
        path = path.parent / path.readlink()
    return False
