"""What happens to a finished cycle: detect, store, show, in that order and one at a time.

A cycle counts as complete, and is reported so, only once it is durable. When the store fails,
what was seen is still shown, the failure is counted, and the cycle is kept to be stored with the
next one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from monitor.analysis.events.continuation import without_events
from monitor.analysis.events.event import Event, EventLogEntry, EventState
from monitor.analysis.events.fold import (
    CountryPlatformKey,
    EventBook,
    Rebuild,
    Step,
    advance,
    key_of,
    watch_only,
)
from monitor.analysis.verdict import PlatformVerdict
from monitor.config.settings import Settings
from monitor.judging.quarantine import NOBODY, Quarantined
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.recording.checkpoints import changeable, conclusions_of, readable, restored, since
from monitor.recording.outliers import differing
from storage.store import StorageError, Store
from storage.values.conclusion import Conclusion
from storage.values.cycle import Cycle
from storage.values.fleet import Quarantine
from storage.values.outbox import Notice
from storage.values.selection import Selection

log = logger(__name__)

PENDING = 100
"""Cycles kept while the store fails; beyond that the oldest are given up, and said so."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Notifier(Protocol):
    """Whoever tells people of events."""

    def announce(self, entries: Sequence[EventLogEntry]) -> Sequence[Notice]:
        """What is to be told of lines of events' logs: to be stored along with them."""

    def wake(self) -> None:
        """Something to be told was stored."""


class Recorder:
    """Takes finished cycles of all vantages."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        publisher: Publisher,
        *,
        now: Callable[[], datetime],
        notifier: Notifier | None = None,
        keep: bool = True,
    ) -> None:
        """`now` gives the current UTC time; without a `notifier` nobody is told of events.

        Without `keep`, a cycle that could not be stored is somebody else's care: StorageError is
        raised, nothing is shown of it, and this recorder is of no more use.
        """
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._now = now
        self._herald = notifier
        self._keep = keep
        self._book = EventBook()
        self._left_out = NOBODY
        self._owed: list[Step] = []
        """Steps that no cycle has carried to the store yet."""
        self._pending: deque[Pending] = deque()
        self._turn = asyncio.Lock()

    @property
    def book(self) -> EventBook:
        """All that is concluded now."""
        return self._book

    async def use(self, settings: Settings) -> None:
        """Go by other settings from now on, with everything that was concluded by the old ones."""
        async with self._turn:
            self._settings = settings
            self._book = watch_only(self._book, self._believed())

    async def leave_out(self, quarantines: Sequence[Quarantine]) -> None:
        """Leave these vantages' results out of events, and take in again those of others that were
        left out. What that changes is concluded from history now, and stored with the next cycle.

        Before `restore` it only says what to conclude without. Raises StorageError, and nothing is
        changed then.
        """
        async with self._turn:
            before, self._left_out = self._left_out, Quarantined(quarantines)
            countries = before.differing(self._left_out)
            book, steps = self._book, list[Step]()
            places = [place for place in book.places if place[0] in countries]
            try:
                for place in places:
                    steps.append(await self._rebuilt(place))
                    self._book = steps[-1].book
            except StorageError:
                self._left_out, self._book = before, book
                raise
            self._owed += steps
            self._book = watch_only(self._book, self._believed())

    def _believed(self) -> set[str]:
        return {
            vantage.id
            for vantage in self._settings.vantages
            if not self._left_out.stands(vantage.id, self._now())
        }

    async def restore(self) -> None:
        """Take up what an earlier process left. Raises StorageError."""
        saved = await self._store.conclusions()
        if saved and readable(saved, self._left_out):
            await self._go_on(saved)
        else:
            await self._from_history()
        self._publisher.restore(
            await self._store.latest_platforms(),
            await self._store.latest_health(),
            self._book.active,
        )

    async def _go_on(self, saved: Sequence[Conclusion]) -> None:
        begun = since(saved) or _EPOCH
        recent = await self._store.recent_platforms(begun)
        verdicts = [verdict for verdict in recent if verdict not in self._left_out]
        health = await self._store.recent_health(begun)
        try:
            watched = self._believed()
            book = restored(saved, verdicts, health, self._settings.events, {}, watched)
        except (ValueError, msgspec.DecodeError) as error:
            log.warning("conclusions cannot be read", error=str(error))
            await self._from_history()
            return
        logged = {event.id: await self._last_logged(event.id) for event in changeable(book)}
        self._book = msgspec.structs.replace(book, logged=logged)

    async def _from_history(self) -> None:
        """Conclude everything anew: nothing is concluded yet, or it was by another version."""
        latest = await self._store.latest_platforms()
        places = sorted({(verdict.country, verdict.platform) for verdict in latest})
        if places:
            log.info("concluding from all of history", platforms=len(places))
        for place in places:
            step = await self._rebuilt(place)
            self._book = step.book
            self._owed.append(step)

    async def record(self, cycle: Cycle) -> None:
        """Detect, store and show one cycle."""
        await self._take((cycle,), live=True)

    async def record_late(self, cycles: Sequence[Cycle]) -> None:
        """The same for cycles, one at least, that came long after they were made: they go to
        history and into events, and nothing of them is shown as if it were now.

        What all of them together do to events is stored with the first. Should that be the only one
        to be stored, the others are taken in anew when they are recorded again.
        """
        await self._take(cycles, live=False)

    async def _take(self, cycles: Sequence[Cycle], *, live: bool) -> None:
        async with self._turn:
            made = [await self._concluded(cycle) for cycle in cycles]
            steps = [*self._owed, *made]
            for place in dict.fromkeys(place for step in made for place in step.late):
                steps.append(await self._rebuilt(place, cycles, made))
                self._book = steps[-1].book
            if not live:
                steps = without_what_never_was(steps)
            self._owed.clear()
            for number, cycle in enumerate(cycles):
                pending = _pending(cycle, () if number else steps, steps)
                self._pending.append(self._with_notices(pending))
            stored = await self._store_pending()
            for cycle in cycles if live else ():
                self._publisher.publish(cycle, self._book.active, stored=stored)
            if not live:
                self._publisher.concluded(self._book.active)
            self._doubt({cycle.country for cycle in cycles})
        for cycle in cycles:
            _report(cycle, stored=stored, live=live)
        for step in steps:
            for entry in step.log:
                _report_event(entry)

    async def _concluded(self, cycle: Cycle) -> Step:
        book = self._book
        for verdict in cycle.platforms:
            event = _ended(book, (verdict.country, verdict.platform))
            if event is not None and event.id not in book.logged:
                # May be reopened: its log is to be gone on with, not begun again.
                logged = {**book.logged, event.id: await self._last_logged(event.id)}
                book = msgspec.structs.replace(book, logged=logged)
        believed = [verdict for verdict in cycle.platforms if verdict not in self._left_out]
        stands = self._left_out.stands(cycle.vantage, cycle.started_at)
        step = advance(
            book, believed, self._settings.events, health=None if stands else cycle.health
        )
        self._book = step.book
        return step

    async def _rebuilt(
        self, place: CountryPlatformKey, more: Sequence[Cycle] = (), steps: Sequence[Step] = ()
    ) -> Step:
        """One platform in one country concluded from all that is stored, and from `more` cycles,
        of which these steps were made already."""
        wanted = Selection(country=place[0], platform=place[1])
        known = {e.id: e async for page in self._store.events(wanted) for e in page}
        unstored = [pending.changed for pending in self._pending] + [s.changed for s in steps]
        for changed in unstored:
            known |= {e.id: e for e in changed if (e.country, e.platform) == place}
        logged = dict(self._book.logged)
        for event_id in known.keys() - logged.keys():
            logged[event_id] = await self._last_logged(event_id)
        book = msgspec.structs.replace(self._book, logged=logged)
        rebuild = Rebuild(
            book,
            place,
            known.values(),
            self._settings.events,
            quarantined=self._left_out.__contains__,
        )
        cycles = [*(pending.cycle for pending in self._pending), *more]
        async for verdicts in self._history(wanted, cycles):
            rebuild.take(verdicts)
        return rebuild.step()

    async def _history(
        self, wanted: Selection, cycles: Iterable[Cycle]
    ) -> AsyncIterator[list[PlatformVerdict]]:
        """Every verdict once, in order: those stored, and those of cycles that are not yet."""
        place = (wanted.country, wanted.platform)
        waiting = {
            key_of(verdict): verdict
            for cycle in cycles
            for verdict in cycle.platforms
            if (verdict.country, verdict.platform) == place
        }
        async for page in self._store.platforms(wanted):
            last = key_of(page[-1])
            due = {key: waiting.pop(key) for key in sorted(waiting) if key <= last}
            due |= {key_of(verdict): verdict for verdict in page}
            yield [due[key] for key in sorted(due)]
        yield [waiting[key] for key in sorted(waiting)]

    async def _last_logged(self, event_id: str) -> int:
        last = 0
        async for entries in self._store.event_log(event_id):
            last = max(last, *(entry.sequence for entry in entries))
        return last

    async def _store_pending(self) -> bool:
        """Store what waits, oldest first; True when all of it is durable."""
        while len(self._pending) > PENDING:
            given_up = self._pending.popleft()
            log.error("cycle given up, the store keeps failing", cycle=given_up.cycle.id)
        while self._pending:
            waiting = self._pending[0]
            # With the last of them, all conclusions: they are those of now.
            touched = waiting.touched if len(self._pending) == 1 else ()
            try:
                await self._store.save(
                    waiting.cycle,
                    waiting.changed,
                    waiting.log,
                    conclusions_of(self._book, touched, self._left_out),
                    waiting.notices,
                )
            except StorageError as error:
                self._publisher.storage_error("save")
                log.error("cycle not stored", cycle=waiting.cycle.id, error=str(error))
                if not self._keep:
                    raise
                return False
            self._pending.popleft()
            if waiting.notices and self._herald is not None:
                self._herald.wake()
        return True

    def _doubt(self, countries: Iterable[str]) -> None:
        now, events = self._now(), self._settings.events
        for country in countries:
            self._publisher.doubt(
                country,
                differing(self._book, country, now, events),
                lambda vantage: self._left_out.stands(vantage, now),
            )

    def _with_notices(self, pending: Pending) -> Pending:
        if self._herald is None:
            return pending
        notices = tuple(self._herald.announce(pending.log))
        return msgspec.structs.replace(pending, notices=notices)


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that is not durable yet, and what it did to events."""

    cycle: Cycle
    changed: tuple[Event, ...]
    log: tuple[EventLogEntry, ...]
    touched: tuple[CountryPlatformKey, ...]
    """Whose conclusions are to be stored with it."""
    notices: tuple[Notice, ...] = ()
    """What is to be told of it."""


def _pending(cycle: Cycle, steps: Sequence[Step], touching: Sequence[Step]) -> Pending:
    """Of a cycle that carries what `steps` did; `touching` are all that conclusions rest on."""
    changed = {event.id: event for step in steps for event in step.changed}
    return Pending(
        cycle=cycle,
        changed=tuple(changed.values()),
        log=tuple(entry for step in steps for entry in step.log),
        touched=tuple(dict.fromkeys(place for step in touching for place in step.touched)),
    )


def without_what_never_was(steps: Sequence[Step]) -> list[Step]:
    """The steps without events that were begun and taken back in the course of them: nobody ever
    heard of those."""
    begun = {entry.event for step in steps for entry in step.log if entry.sequence == 1}
    last = {event.id: event for step in steps for event in step.changed}
    gone = {one for one in begun if last[one].state is EventState.WITHDRAWN}
    past = [entry for step in steps for entry in step.log if entry.event in gone]
    return [
        msgspec.structs.replace(
            step,
            changed=tuple(event for event in step.changed if event.id not in gone),
            log=without_events(step.log, past),
        )
        for step in steps
    ]


def _ended(book: EventBook, place: CountryPlatformKey) -> Event | None:
    timeline = book.places.get(place)
    return timeline.current.event if timeline is not None else None


def _report(cycle: Cycle, *, stored: bool, live: bool) -> None:
    if not stored:
        return
    states = Counter(verdict.state for verdict in cycle.platforms)
    log.info(
        "cycle complete" if live else "cycle from before complete",
        cycle=cycle.id,
        vantage=cycle.vantage,
        health=cycle.health.state,
        looks=len(cycle.measurements),
        seconds=round((cycle.finished_at - cycle.started_at).total_seconds(), 1),
        **{str(state): count for state, count in sorted(states.items())},
    )


def _report_event(entry: EventLogEntry) -> None:
    event = entry.snapshot
    log.warning(
        "event",
        change=entry.change,
        event_id=entry.event,
        kind=event.kind,
        country=event.country,
        platform=event.platform,
        state=event.state,
        networks=list(event.networks_affected),
        methods=list(event.methods),
        detail=entry.detail,
    )
