"""Which agents agree with others: for how long, and which controls do not.

Only the leader asks, every few minutes. A key that has agreed with unrelated vantages for
`[events] probation` weighs in full from then on (`monitor.analysis.trust`). A control that says the
opposite of the others gets an event of its own.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.analysis.agreeing import compare_controls, compare_fields
from monitor.analysis.events.control_differs import DifferingControl
from monitor.config.settings import Settings
from monitor.logs import logger
from monitor.recording.recorder import Recorder
from storage.store import CollectorStore, StorageError
from storage.values.fleet import Enrolment

log = logger(__name__)

EVERY = 600.0
"""Seconds between two comparisons."""
FRESH = 3
"""Intervals for which a result is compared with others."""


class AgreementWatch:
    """Compares, and notes what follows."""

    def __init__(
        self,
        store: CollectorStore,
        settings: Callable[[], Settings],
        recorder: Recorder,
        now: Callable[[], datetime],
    ) -> None:
        """`settings` gives those in use, with all enrolled agents; `now` gives UTC."""
        self._store = store
        self._settings = settings
        self._recorder = recorder
        self._now = now
        self._compared_at: datetime | None = None

    async def run(self) -> None:
        """Until cancelled, first after a while: who takes over has some of what was handed in,
        and two of three controls may seem to be at odds. StorageError."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.compare()
            except StorageError:
                raise
            except Exception:
                # Whatever an agent signed must not stop the judging of all others.
                log.exception("agents cannot be compared, our own fault")

    async def compare(self) -> None:
        """Once. StorageError."""
        settings, now = self._settings(), self._now()
        recent = now - timedelta(seconds=FRESH * settings.interval)
        trust = settings.events.trust
        verdicts = [v for v in await self._store.latest_platforms() if v.judged_at >= recent]
        measured = await self._store.control_measurements(recent, now)
        controls = await asyncio.to_thread(compare_controls, measured, trust, now)
        fields = await asyncio.to_thread(compare_fields, verdicts, trust, now)
        compared = {**fields, **controls}
        valid = [one for one in await self._store.enrolments() if one.revoked_at is None]
        agreeing = [one for one in valid if one.vantage in compared]
        await self._credit([one for one in agreeing if compared[one.vantage].agrees], now)
        points = {one.vantage: one for one in measured}
        await self._recorder.note_controls(
            [
                DifferingControl(
                    vantage=vantage,
                    country=points[vantage].country,
                    asn=points[vantage].asn,
                    network=points[vantage].network,
                    different=one.different,
                )
                for vantage, one in sorted(controls.items())
            ]
        )

    async def _credit(self, agreeing: list[Enrolment], now: datetime) -> None:
        """Add the time since the last comparison, at most as long as one is apart from the next."""
        before, self._compared_at = self._compared_at, now
        passed = (now - before).total_seconds() if before is not None else 0.0
        if passed > 0.0:
            needed = self._settings().events.probation
            keys = [one.fingerprint for one in agreeing]
            await self._store.agree(keys, min(passed, 2 * EVERY), needed, now)
