"""Whether a collector knows every vantage that it pauses: by a mistyped name nobody is paused."""

import asyncio

from monitor.collector.watched_vantages import unknown_pauses
from monitor.doctor.trial import Checked, Trial, found
from monitor.wording.findings import What
from storage.open_store import agents_in
from storage.store import StorageError


async def try_pauses(trial: Trial) -> list[Checked]:
    """One for each unknown name, or one for all names; none where nobody is paused, or the database
    cannot tell, of which its own check says why."""
    settings = trial.settings
    if not settings.collector.paused:
        return []
    try:
        agents = await asyncio.to_thread(agents_in, settings.database)
    except StorageError:
        return []
    return [
        found("pause", vantage, What.PAUSED_UNKNOWN, vantage=vantage, remedy=hint)
        for vantage, hint in unknown_pauses(settings, *agents).items()
    ] or [Checked(check="pause", about=", ".join(settings.collector.paused))]
