"""Whether the database can be used, and of which version its tables are. Nothing is changed."""

import asyncio
import os
from pathlib import Path

from monitor.doctor.trial import Checked, Trial, found
from monitor.wording.findings import What
from storage.open_store import table_versions, try_reading
from storage.store import StorageError
from storage.url import file_of, shown

_SEE = "See docs/troubleshooting.md"


async def try_database(trial: Trial) -> list[Checked]:
    """One for the database; none for an agent, which has none."""
    if trial.settings.agent is not None:
        return []
    try:
        return [await asyncio.to_thread(_try, trial.settings.database)]
    except StorageError as error:
        why, _, remedy = str(error).partition(": ")
        if "(" in why:  # in the database's own words
            why, remedy = str(error), ""
        remedy = remedy[:1].upper() + remedy[1:] or _SEE
        about = shown(trial.settings.database)
        return [found("database", about, What.DATABASE, why=why, remedy=remedy)]


def _try(url: str) -> Checked:
    about = shown(url)
    version, newest = table_versions(url)
    if version is None:
        _try_to_make(file_of(url))
        return Checked(check="database", about=f"{about}, made at the first start")
    if version != newest:
        return found("database", about, What.DATABASE_OLD, found=version, newest=newest)
    if not try_reading(url):
        about += ", read in part: `shutwatch db check` reads all"
    return Checked(check="database", about=about)


def _try_to_make(file: str) -> None:
    folder = Path(file).absolute().parent
    why = ""
    if not folder.is_dir():
        why = f"there is no folder {folder}: create it"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = f"this user may not write in {folder}: let it own that folder"
    if file and why:
        raise StorageError(
            f"database {file} cannot be created, {why}, or set `database` to another file"
        )
