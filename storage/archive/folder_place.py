"""An archive in a folder of this machine, or of a disk mounted here."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.archive.place import PlaceError
from storage.values.private_file import PRIVATE, give_to_owner

_UNFINISHED = ".unfinished"
"""Ends the name of a file that is being written. No reader takes it for Parquet."""


class FolderPlace:
    """Implements `storage.archive.place.Place`. What is written is readable by its owner alone, who
    is the folder's where root writes."""

    stale = 0.0

    def __init__(self, folder: Path) -> None:
        self.shown = str(folder)
        self._folder = folder

    def names(self, folder: str) -> dict[str, str]:
        with self._errors("cannot be listed"):
            found = sorted((self._folder / folder).glob("*"))
            states = ((one, one.stat()) for one in found if one.suffix != _UNFINISHED)
            return {
                f"{folder}/{one.name}": f"{state.st_ino} {state.st_mtime_ns} {state.st_size}"
                for one, state in states
            }

    def read(self, name: str) -> bytes:
        with self._errors(f"{name} cannot be read"):
            try:
                return (self._folder / name).read_bytes()
            except FileNotFoundError:
                return b""

    def write(self, name: str, content: bytes) -> None:
        with self._errors(f"{name} cannot be written"):
            aside = self._aside(name)
            aside.write_bytes(content)
            self._settle(aside, name)

    def put(self, name: str, made: Path) -> None:
        with self._errors(f"{name} cannot be written"):
            aside = self._aside(name)
            shutil.copyfile(made, aside)
            self._settle(aside, name)

    def local(self, name: str, sha256: str) -> Path:
        del sha256
        return self._folder / name

    def remove(self, name: str) -> None:
        with self._errors(f"{name} cannot be deleted"):
            (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing was fetched."""

    def _aside(self, name: str) -> Path:
        target = self._folder / name
        _make_folder(target.parent, 0o700)
        aside = target.with_name(target.name + _UNFINISHED)
        aside.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        _give(os.open(aside, flags, PRIVATE), target.parent)
        return aside

    def _settle(self, aside: Path, name: str) -> None:
        """Put a written file in its place, so that a power cut leaves the old one or this one."""
        _sync(aside)
        target = self._folder / name
        aside.replace(target)
        folder = target.parent
        # A new folder is an entry of the one above it.
        while folder != self._folder.parent:
            _sync(folder)
            folder = folder.parent

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise PlaceError(f"archive {self.shown}: {what}: {reason}") from error


def _make_folder(folder: Path, mode: int = 0o777) -> None:
    """The folder with those above it, of which it alone has this mode."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=mode, exist_ok=True)
    _give(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), folder.parent)


def _give(made: int, folder: Path) -> None:
    try:
        give_to_owner(made, folder)
    finally:
        os.close(made)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
