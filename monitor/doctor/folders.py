"""Whether the places that something is written to can be used, and how much of a disk is free."""

import asyncio
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from monitor.config.settings import Settings
from monitor.doctor.trial import Checked, Trial, found
from monitor.wording.findings import What
from storage import url as database_url
from storage.archive.place import PlaceError
from storage.open_store import agents_in, place_of
from storage.store import StorageError
from storage.values.archive_place import ArchivePlace
from storage.values.prunable import ARCHIVED_TABLES

FULL = 50_000_000
"""Bytes; with fewer nothing may be left for one day."""
_LOW_DAYS = 14
_A_DAY = 400_000
"""Bytes stored in a day of one endpoint at one vantage every five minutes, as docs/storage.md has
it."""
_WRITTEN = bytes(64 * 1024)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


async def try_folders(trial: Trial) -> list[Checked]:
    """One for each folder, and one for a bucket."""
    folders = dict.fromkeys(_folders(trial.settings))
    a_day = await asyncio.to_thread(_bytes_a_day, trial.settings)
    tried = [asyncio.to_thread(_try, trial, key, folder, a_day) for key, folder in folders]
    if trial.settings.archive.bucket:
        tried.append(asyncio.to_thread(_try_bucket, trial.settings.archive))
    return list(await asyncio.gather(*tried))


def _try_bucket(archive: ArchivePlace) -> Checked:
    try:
        place = place_of(archive)
        try:
            place.names(ARCHIVED_TABLES[0])
        finally:
            place.close()
    except (PlaceError, StorageError) as error:
        return found("archive", archive.shown, What.ARCHIVE, why=str(error))
    return Checked(check="archive", about=archive.shown)


def _folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    """With the setting that names each."""
    if settings.agent is not None:
        base = Path(settings.source).parent
        yield "agent.spool", (base / settings.agent.spool).parent
        return
    if file := database_url.file_of(settings.database):
        yield "database", _folder_of(Path(file))
    if settings.archive.folder:
        yield "archive.folder", Path(settings.archive.folder).absolute()


def _folder_of(file: Path) -> Path:
    """The folder that SQLite writes in: of a link, that of what it leads to."""
    with suppress(OSError):  # a folder that this user may not enter
        if file.is_symlink():
            return Path(os.path.realpath(file)).parent
    return file.absolute().parent


def _try(trial: Trial, key: str, folder: Path, a_day: float) -> Checked:
    about = str(folder)
    try:
        file = database_url.file_of(trial.settings.database) if key == "database" else ""
        if file and Path(file).exists() and not os.access(file, os.W_OK):
            raise PermissionError(errno.EACCES, f"{Path(file).name} is read-only for this user")
        with tempfile.NamedTemporaryFile(prefix=".shutwatch-doctor-", dir=folder) as out:
            out.write(_WRITTEN)
            out.flush()
            os.fsync(out.fileno())
        free = trial.free_bytes(folder)
    except OSError as error:
        if error.errno in _NO_ROOM:
            return found("folder", about, What.DISK_FULL, folder=about, key=key, free="0")
        why = error.strerror or type(error).__name__
        return found("folder", about, What.CANNOT_WRITE, folder=about, key=key, why=why)
    values = {"folder": about, "key": key, "free": f"{free / 1e6:,.0f}"}
    if free < FULL:
        return found("folder", about, What.DISK_FULL, **values)
    days = free / max(1, a_day)
    if days < _LOW_DAYS:
        return found("folder", about, What.DISK_LOW, **values, days=f"{days:.0f}")
    return Checked(check="folder", about=about)


def _bytes_a_day(settings: Settings) -> float:
    endpoints = sum(
        len(function.endpoints)
        for platform in settings.catalog.platforms
        for function in platform.functions
    )
    return _A_DAY * endpoints * len(_measuring(settings)) * 300.0 / settings.interval


def _measuring(settings: Settings) -> set[str]:
    """Vantages of the file, and of agents that may send to its database."""
    names = {one.id for one in settings.vantages}
    if settings.agent is None:
        with suppress(StorageError):  # its own check says why
            enrolments, _ = agents_in(settings.database)
            names |= {one.vantage for one in enrolments if one.revoked_at is None}
    return names
