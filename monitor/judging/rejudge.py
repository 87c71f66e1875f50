"""Judges stored cycles again, and stores the results next to the old ones.

Events follow from all of history: what is not selected goes into the detector as it was judged
before, so that an event keeps its onset and its end.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import uuid_utils

from monitor import __version__
from monitor.analysis.events.detection import EventBook
from monitor.analysis.events.event import Event
from monitor.analysis.judge.rules.table import RULES_VERSION
from monitor.analysis.throttling.history import ROUNDS, holds
from monitor.analysis.verdict import PlatformVerdict, Verdict
from monitor.config.settings import Settings
from monitor.judging.differences import (
    Change,
    ChangeCounter,
    event_changes,
    platform_changes,
    verdict_changes,
)
from monitor.judging.from_stored import StoredCycles
from monitor.judging.quarantine import NOBODY, Quarantined
from monitor.judging.stored_controls import patience_of
from monitor.judging.stored_history import History, Past, survey
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.rejudging import Rejudging
from storage.values.selection import Selection

WARM_UP = timedelta(hours=2)
"""Judged before the first moment selected, and not stored, at least."""
BATCH = 2000
"""Endpoint verdicts stored in one transaction, about."""

Report = Callable[[Change], None]
Progress = Callable[[int, int], None]
"""Gets how many cycles are done, of how many."""


class Rejudged(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome."""

    rejudging: Rejudging
    changes: ChangeCounter
    unknown: tuple[str, ...]
    """Platforms with stored verdicts that the configuration no longer names."""


class Rejudge:
    """Recomputes what a selection names, by the time cycles ended."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        selection: Selection,
        *,
        now: Callable[[], datetime],
        keep: bool = True,
        quarantined: Quarantined = NOBODY,
        report: Report = lambda change: None,  # noqa: ARG005
    ) -> None:
        """`keep` stores the results; what is `quarantined` is judged, and counts in no event;
        `report` gets each change as it is found."""
        self._store = store
        self._settings = settings
        self._selection = selection
        self._now = now
        self._keep = keep
        self._quarantined = quarantined
        self._report = report
        self._known = {platform.name for platform in settings.catalog.platforms}
        self._stored = StoredCycles(settings)
        self._book = EventBook()
        self._events: dict[str, Event] = {}
        self._changes = ChangeCounter()
        self._unknown: set[str] = set()
        self._verdicts: list[Verdict] = []
        self._rolled_up: list[PlatformVerdict] = []
        self._rejudging = Rejudging(
            id=str(uuid_utils.uuid7()),
            at=now(),
            version=__version__,
            rules_version=RULES_VERSION,
            since=selection.since,
            until=selection.until,
            country=selection.country,
            platform=selection.platform,
        )

    async def run(self, progress: Progress = lambda done, total: None) -> Rejudged:  # noqa: ARG005
        """Go through all of history, once. The store must be open; what is stored already is never
        altered. StorageError."""
        cycles, longest = await survey(self._store)
        since, until = self._selection.since, self._selection.until
        earliest = None if since is None else since - warm_up(self._settings)
        history = History(self._store, longest, earliest, until, patience_of(self._settings))
        done = 0
        async for past in history.walk():
            await self._take(past)
            done += 1
            progress(done, cycles)
        return await self._finish()

    async def _take(self, past: Past) -> None:
        """One more cycle, in the order they ended."""
        platforms, health = past.platforms, past.cycle.health
        selected = self._selection.covers(past.cycle.finished_at)
        wanted = self._selection.country in ("", past.cycle.country)
        if past.measurements and wanted:
            result = self._judge(past)
            if selected:
                platforms = self._compare(past, result)
                health = result.health
                if len(self._verdicts) >= BATCH:
                    await self._store_batch()
        elif selected and wanted:
            self._count(kept=sum(map(self._wanted, platforms)))
        step = self._quarantined.advance(
            self._book, past.cycle, platforms, health, self._settings.events
        )
        self._book = step.book
        self._events.update((event.id, event) for event in step.changed)

    async def _finish(self) -> Rejudged:
        """Detect events, and store the rest."""
        found = [e for e in self._events.values() if overlaps(self._selection, e)]
        found.sort(key=lambda event: (event.detected_at, event.country, event.id))
        before = [e async for page in self._store.events(self._selection) for e in page]
        for change in event_changes(before, found):
            self._changes.count(change)
            self._report(change)
        self._count(events=len(found))
        self._rejudging = msgspec.structs.replace(self._rejudging, finished_at=self._now())
        await self._store_batch(found)
        return Rejudged(
            rejudging=self._rejudging, changes=self._changes, unknown=tuple(sorted(self._unknown))
        )

    # -- one cycle -------------------------------------------------------------------------

    def _judge(self, past: Past) -> Cycle:
        cycle = past.cycle
        judged_at = max((v.judged_at for v in past.verdicts), default=cycle.finished_at)
        seen = self._stored.seen(
            cycle, past.measurements, past.surroundings, judged_at, old=past.verdicts
        )
        return self._stored.judge(seen)

    def _compare(self, past: Past, result: Cycle) -> tuple[PlatformVerdict, ...]:
        """Count what differs; returns the platform verdicts that count from here on."""
        named = {verdict.platform for verdict in result.platforms}
        self._unknown |= {v.platform for v in past.platforms} - self._known
        new = [v for v in result.verdicts if v.platform in named and self._wanted(v)]
        old = [v for v in past.verdicts if v.platform in named and self._wanted(v)]
        rolled_up = [v for v in result.platforms if self._wanted(v)]
        before = [v for v in past.platforms if v.platform in named and self._wanted(v)]
        changes = list(verdict_changes(old, new))
        for change in (*changes, *platform_changes(before, rolled_up)):
            self._changes.count(change)
            self._report(change)
        recomputed = {v.platform for v in rolled_up}
        kept = [v for v in past.platforms if v.platform not in recomputed]
        self._verdicts += new
        self._rolled_up += rolled_up
        self._count(
            cycles=1,
            kept=sum(map(self._wanted, kept)),
            verdicts=len(new),
            platforms=len(rolled_up),
            differing=len(changes),
        )
        return (*rolled_up, *kept)

    # -- what is wanted --------------------------------------------------------------------

    def _wanted(self, verdict: Verdict | PlatformVerdict) -> bool:
        return self._selection.platform in ("", verdict.platform)

    def _count(self, **more: int) -> None:
        counts = {name: getattr(self._rejudging, name) + count for name, count in more.items()}
        self._rejudging = msgspec.structs.replace(self._rejudging, **counts)

    async def _store_batch(self, events: list[Event] | None = None) -> None:
        if self._keep:
            await self._store.save_rejudged(
                self._rejudging, self._verdicts, self._rolled_up, events or ()
            )
        self._verdicts, self._rolled_up = [], []


def warm_up(settings: Settings) -> timedelta:
    """How long before the first moment selected cycles are judged, and not stored: a verdict on
    speed may hold as long, and is made of some rounds."""
    held = holds(settings.throttling.every) + ROUNDS * settings.interval
    return max(WARM_UP, timedelta(seconds=held))


def overlaps(selection: Selection, event: Event) -> bool:
    """Whether an event may have been active within a selection: as `Store.events` selects."""
    begun = event.onset_earliest or event.onset_latest
    over = event.end_latest or event.updated_at
    return (
        selection.country in ("", event.country)
        and selection.platform in ("", event.platform)
        and (selection.until is None or begun < selection.until)
        and (selection.since is None or event.active or over > selection.since)
    )
