"""Whether the database can be used, and of which version its tables are. Nothing is changed."""

import asyncio

from monitor.doctor.trial import Checked, Trial, found
from monitor.wording.findings import What
from storage.open_store import table_versions
from storage.store import StorageError
from storage.url import shown

_SEE = "see docs/troubleshooting.md"


async def try_database(trial: Trial) -> list[Checked]:
    """One for the database; none for an agent, which has none."""
    if trial.settings.agent is not None:
        return []
    about = shown(trial.settings.database)
    try:
        version, newest = await asyncio.to_thread(table_versions, trial.settings.database)
    except StorageError as error:
        why, _, remedy = str(error).partition(": ")
        return [found("database", about, What.DATABASE, why=why, remedy=remedy or _SEE)]
    if version is None:
        return [Checked(check="database", about=f"{about}, made at the first start")]
    if version != newest:
        return [found("database", about, What.DATABASE_OLD, found=version, newest=newest)]
    return [Checked(check="database", about=about)]
