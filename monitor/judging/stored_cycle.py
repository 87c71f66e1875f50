"""One stored cycle → its verdicts: the same way for what has just come in and for what is judged
again years later.

Cycles of one vantage go through in the order they were made: verdicts on speed stand from one to
the next.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from monitor.analysis.throttling.transfer_verdict import TransferVerdict
from monitor.analysis.verdict import PlatformVerdict, VantageHealth, Verdict
from monitor.config.settings import Settings
from monitor.judging.from_stored import Surroundings, as_it_was, patience_of, rebuild
from monitor.judging.judge import Seen, platforms_on, verdicts_on
from monitor.judging.stored_transfers import Speeds
from probes.measurement import Measurement
from probes.vantage import VantageRole
from storage.values.cycle import StoredCycle


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one cycle."""

    health: VantageHealth
    verdicts: tuple[Verdict, ...] = ()
    platforms: tuple[PlatformVerdict, ...] = ()
    transfers: tuple[TransferVerdict, ...] = ()
    """Of speeds measured in this cycle."""


class StoredCycleJudge:
    """Judges with one configuration's rules, catalogue and fingerprints."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._speeds = Speeds(settings)

    def see(
        self,
        cycle: StoredCycle,
        looks: Sequence[Measurement],
        around: Surroundings,
        judged_at: datetime,
    ) -> Seen:
        """The cycle as it was seen; `looks` are all stored for it, `around` is of that time."""
        own = [look for look in looks if look.vantage == cycle.vantage]
        settings = self._settings
        patience = patience_of(settings)
        return rebuild(cycle, own, around, settings.catalog, judged_at, patience)

    def judge(
        self, seen: Seen, looks: Sequence[Measurement], old: Sequence[Verdict] = ()
    ) -> Judged:
        """The verdicts on it. `old` are those it had, if any: they tell what transfers were about.

        A control's cycle has none, only its health; nor has one in which nothing was looked at.
        """
        if seen.vantage.role is not VantageRole.FIELD or not seen.looked:
            return Judged(health=seen.health)
        speeds = self._speeds.judged(seen, looks, old)
        seen = msgspec.structs.replace(seen, speeds=speeds)
        verdicts = verdicts_on(seen, self._settings.fingerprints)
        known = [as_it_was(one, seen.looked) for one in self._settings.catalog.platforms]
        made = {look.id for look in looks}
        return Judged(
            health=seen.health,
            verdicts=tuple(verdicts),
            platforms=platforms_on(seen, verdicts, known),
            transfers=tuple(one for one in speeds if one.verdict.measurement in made),
        )
