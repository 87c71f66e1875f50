"""The one recorder: it detects events in a judged cycle, stores both in one transaction, and
publishes them. It takes one cycle at a time.

A cycle is complete, and the log says so, only once it is durable. When the store fails, what was
seen is still shown, the failure is counted, and the cycle is stored with the next one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import msgspec

from monitor.analysis.events.agreement import outliers
from monitor.analysis.events.block_lifecycle import CountryPlatform
from monitor.analysis.events.continuation import without_events
from monitor.analysis.events.control_differs import DifferingControl
from monitor.analysis.events.detection import (
    CountryPlatformKey,
    EventBook,
    Rebuild,
    Step,
    as_stored,
    go_on,
    key_of,
    note_controls,
    pass_time,
    watch_only,
)
from monitor.analysis.events.event import Event, EventKind, EventLogEntry, EventState
from monitor.analysis.events.pace import UNKNOWN, Pace
from monitor.analysis.events.verdict_order import VerdictOrder
from monitor.analysis.verdict import PlatformVerdict
from monitor.config.settings import Settings
from monitor.judging.quarantine import NOBODY, Quarantined
from monitor.logs import logger
from monitor.metrics.publisher import Publisher
from monitor.recording.backlog import MOST, Backlog
from monitor.recording.checkpoints import (
    KEPT_FOR,
    DueCheckpoints,
    behind,
    changeable,
    checkpoints_of,
    health_since,
    kind_of,
    order_of,
    readable,
    restored,
    to_read,
)
from monitor.recording.recent_events import recent_events
from storage.store import StorageError, Store
from storage.values.checkpoint import Checkpoint
from storage.values.cycle import Cycle
from storage.values.fleet import Quarantine
from storage.values.outbox import Notice
from storage.values.selection import Selection

log = logger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Notifier(Protocol):
    """Notifies people of events."""

    def announce(self, entries: Sequence[EventLogEntry]) -> Sequence[Notice]:
        """The notices that lines of events' logs call for, to be stored along with them."""

    def wake(self) -> None:
        """Notices were stored."""


class Recorder:
    """Records judged cycles of all vantages."""

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
        """`now` gives the current UTC time; without a `notifier` nobody is notified of events.

        Without `keep`, a cycle that could not be stored raises StorageError, nothing of it is
        shown, and this recorder must not be used again: the cycle still waits in the store.
        """
        self._settings = settings
        self._store = store
        self._publisher = publisher
        self._now = now
        self._notifier = notifier
        self._keep = keep
        self.book = EventBook()
        """Events and detectors as they are now."""
        self._quarantined = NOBODY
        self._unsaved: list[Step] = []
        """Steps to be stored with the next cycle."""
        self._undetected: deque[_Undetected] = deque()
        """Cycles in which nothing was detected yet, since the store could not be read."""
        self._checkpoints = DueCheckpoints()
        self._backlog = Backlog[Pending](
            self._save,
            lambda one: one.cycle.id if one.cycle else "",
            publisher.storage_error,
            _with_changes_of,
        )
        self._lock = asyncio.Lock()

    async def use(self, settings: Settings) -> None:
        """Use other settings from now on. What was detected under the old ones stays."""
        async with self._lock:
            self._settings = settings
            self.book = watch_only(self.book, self._watched())

    async def quarantine(self, quarantines: Sequence[Quarantine]) -> None:
        """Count no results of these vantages in events, and count those of others again. What that
        changes is detected from history now, and stored with the next cycle.

        Call it before `restore` too. Raises StorageError, and then nothing changes.
        """
        async with self._lock:
            tested = [(one.vantage, one.country) for one in await self._store.latest_health()]
            before, self._quarantined = self._quarantined, Quarantined(quarantines, tested)
            countries = before.differing(self._quarantined)
            book, steps = self.book, list[Step]()
            places = [place for place in book.places if place[0] in countries]
            try:
                for place in places:
                    steps.append(await self._rebuilt(place))
                    self.book = steps[-1].book
            except StorageError:
                self._quarantined, self.book = before, book
                raise
            self._unsaved += steps
            self.book = watch_only(self.book, self._watched())
            covers = partial(self._quarantined.covers, at=self._now())
            self._publisher.mark_quarantined(covers)

    async def note_controls(self, compared: Sequence[DifferingControl]) -> None:
        """Detect which controls differ from the others. What that changes is stored, and people are
        notified, with the next cycle."""
        async with self._lock:
            step = note_controls(
                self.book, compared, self._watched(), self._settings.events, self._now()
            )
            self.book = step.book
            if step.changed:
                self._unsaved.append(step)
                self._publisher.show_events(self.book.active)

    async def pass_time(self, now: datetime) -> None:
        """Mark events that nobody measures any more as unobserved at `now` (UTC); everything
        measured until then must be recorded. Without `keep` it raises StorageError, as recording
        does."""
        async with self._lock:
            step = pass_time(self.book, now, self._settings.events)
            if not step.changed:
                return
            self.book = step.book
            steps = [*self._unsaved, step]
            await self._store_steps((None,), steps)
            self._publisher.show_events(self.book.active)
            self._publisher.show_ended([event for one in steps for event in one.changed])
        _report_events(steps)

    def _watched(self) -> set[str]:
        return {
            vantage.id
            for vantage in self._settings.vantages
            if not self._quarantined.covers(vantage.id, self._now())
        }

    async def restore(self) -> None:
        """Continue where an earlier process ended. Raises StorageError."""
        latest = await self._store.latest_platforms()
        counted = [one for one in latest if one not in self._quarantined]
        saved = await self._store.checkpoints()
        known = [one for one in saved if readable(one, self._quarantined)]
        if known and await self._go_on(known, counted):
            # Others are of an older version, or of before a quarantine. What has no country is
            # about the present alone.
            others = [one for one in saved if not readable(one, self._quarantined)]
            anew = ((one.country, one.platform) for one in others if one.country)
            await self._from_history(anew)
        else:
            await self._from_history((one.country, one.platform) for one in latest)
        self.book = await self._as_stored(self.book, counted)
        await self._controls_from_store()
        paces = {name: _known(one.pace) for name, one in self.book.vantages.current.reports.items()}
        self._publisher.restore(latest, await self._store.latest_health(), self.book.active, paces)
        self._publisher.show_ended(await recent_events(self._store, self._now()))

    async def _go_on(self, saved: Sequence[Checkpoint], latest: Sequence[PlatformVerdict]) -> bool:
        """Continue from these states; False, and nothing is different, where one cannot be read.
        `latest` are the newest verdicts that count."""
        watched = self._watched()
        recent: list[PlatformVerdict] = []
        for part in to_read(saved, latest):
            recent += await self._store.recent_platforms(
                part.since or _EPOCH, part.country, part.platform
            )
        recent.sort(key=key_of)
        verdicts = [verdict for verdict in recent if verdict not in self._quarantined]
        known = [one.at for one in await self._store.latest_health() if one.vantage in watched]
        begun = health_since(saved, max(known, default=None))
        health = await self._store.recent_health(begun or _EPOCH)
        try:
            book = await asyncio.to_thread(
                restored, saved, verdicts, (), self._settings.events, {}, watched
            )
        except (ValueError, msgspec.DecodeError) as error:
            log.warning("checkpoints cannot be read", error=str(error))
            return False
        places = {(one.country, one.platform) for one in saved}
        here = [one for one in latest if (one.country, one.platform) in places]
        book = await self._as_stored(book, here)
        # What time alone changed follows from nothing that is stored but the events themselves.
        moments: set[datetime] = set()
        for event in book.active:
            async for entries in self._store.event_log(event.id):
                moments.update(entry.at for entry in entries)
        for moment in sorted(moments):
            book = pass_time(book, moment, self._settings.events).book
        heard = [one for one in health if one.vantage in watched]
        book = await asyncio.to_thread(go_on, book, (), heard, self._settings.events)
        updated = [event.updated_at for event in await self._store.active_events()]
        if updated:
            book = pass_time(book, max(updated), self._settings.events).book
        logged = {event.id: await self._last_logged(event.id) for event in changeable(book)}
        self.book = msgspec.structs.replace(book, logged=logged)
        self._checkpoints.stored(saved)
        return True

    async def _as_stored(self, book: EventBook, latest: Iterable[PlatformVerdict]) -> EventBook:
        """The book with events as they are stored where the verdicts that led to them no longer
        are, since retention deleted or moved them: what is left of them would tell of earlier."""
        for place, until in behind(book, latest):
            wanted = Selection(country=place[0], platform=place[1])
            known = [
                event
                async for page in self._store.events(wanted)
                for event in page
                if event.kind is EventKind.BLOCK and event.state is not EventState.WITHDRAWN
            ]
            event = max(known, key=lambda one: one.onset_latest, default=None)
            book = as_stored(book, place, until, event, self._settings.events, self._now())
            if event is not None:
                logged = {**book.logged, event.id: await self._last_logged(event.id)}
                book = msgspec.structs.replace(book, logged=logged)
        return book

    async def _controls_from_store(self) -> None:
        """The events of controls that differ, which follow from no verdict."""
        active = await self._store.active_events()
        known = [event for event in active if event.kind is EventKind.CONTROL_DIFFERS]
        logged = {event.id: await self._last_logged(event.id) for event in known}
        self.book = msgspec.structs.replace(
            self.book,
            controls={event.vantage: event for event in known},
            logged={**self.book.logged, **logged},
        )

    async def _from_history(self, places: Iterable[CountryPlatformKey]) -> None:
        """Detect these anew: nothing is stored of them, or another version stored it, or one with
        other quarantines."""
        anew = sorted(set(places))
        if anew:
            log.info("detecting events in all of history", platforms=len(anew))
        for place in anew:
            step = await self._rebuilt(place)
            self.book = step.book
            self._unsaved.append(step)

    async def record(self, cycle: Cycle) -> None:
        """Detect, store and show one cycle."""
        await self._record((cycle,), live=True)

    async def record_late(self, cycles: Sequence[Cycle]) -> None:
        """The same for cycles, one at least, that arrive long after they were made: they go to
        history and into events, and nothing of them is shown as current.

        What all of them together change in events is stored with the first. Should that be the only
        one to be stored, the others count again when they are recorded again.
        """
        await self._record(cycles, live=False)

    async def _record(self, cycles: Sequence[Cycle], *, live: bool) -> None:
        async with self._lock:
            # New ones first: what cannot be read may be the history of one country alone.
            seen: _Undetected | None = _Undetected(cycles=cycles, live=live)
            while seen is not None:
                try:
                    steps = await self._steps(seen)
                except StorageError as error:
                    if not self._keep:
                        raise
                    self._not_detected(seen, error)
                    return
                await self._keep_steps(seen, steps)
                seen = self._undetected.popleft() if self._undetected else None

    async def _steps(self, seen: _Undetected) -> list[Step]:
        """What these cycles change, which is in the book then. StorageError, and then nothing is
        different."""
        before = self.book
        try:
            made = [await self._detect(cycle) for cycle in seen.cycles]
            steps = [*self._unsaved, *made]
            for place in dict.fromkeys(place for step in made for place in step.late):
                steps.append(await self._rebuilt(place, seen.cycles, made))
                self.book = steps[-1].book
            silent = [one for one in before.active if one.state is EventState.UNOBSERVED]
            if silent and not seen.live:
                # What time alone changed follows from no verdict that was folded again.
                until = max(one.updated_at for one in silent)
                steps.append(pass_time(self.book, until, self._settings.events))
                self.book = steps[-1].book
        except StorageError:
            self.book = before
            raise
        return steps if seen.live else without_unpublished(steps)

    async def _keep_steps(self, seen: _Undetected, steps: Sequence[Step]) -> None:
        """Store and show cycles and what they changed."""
        stored = await self._store_steps(seen.cycles, steps)
        for cycle in seen.cycles if seen.live and not seen.shown else ():
            self._publisher.publish(cycle, self.book.active, stored=stored)
        if not seen.live or seen.shown:
            self._publisher.show_events(self.book.active)
        self._publisher.show_ended([event for step in steps for event in step.changed])
        self._show_outliers({cycle.country for cycle in seen.cycles})
        for cycle in seen.cycles if stored else ():
            _report(cycle, live=seen.live)
        _report_events(steps)

    def _not_detected(self, seen: _Undetected, error: StorageError) -> None:
        """Count the failure, and show what was seen; it is tried again after the next cycle."""
        self._publisher.storage_error("read")
        log.error("cycle not stored, the store cannot be read", error=str(error))
        for cycle in seen.cycles if seen.live and not seen.shown else ():
            self._publisher.publish(cycle, self.book.active, stored=False)
        seen.shown = True
        self._undetected.append(seen)
        while len(self._undetected) > MOST:
            for cycle in self._undetected.popleft().cycles:
                log.error("cycle given up, the store keeps failing", cycle=cycle.id)

    async def _store_steps(self, cycles: Sequence[Cycle | None], steps: Sequence[Step]) -> bool:
        """Store cycles, the first with all that changed in events; whether they are durable."""
        self._unsaved.clear()
        self._checkpoints.touch(place for step in steps for place in step.touched)
        pending = [
            self._pending(cycle, () if number else steps) for number, cycle in enumerate(cycles)
        ]
        error = await self._backlog.add(*pending)
        if error is not None and not self._keep:
            raise error
        return error is None

    async def _detect(self, cycle: Cycle) -> Step:
        book = self.book
        for verdict in cycle.platforms:
            timeline = book.places.get((verdict.country, verdict.platform))
            event = timeline.current.event if timeline is not None else None
            if event is not None and event.id not in book.logged:
                # The event may be reopened: then its log continues.
                logged = {**book.logged, event.id: await self._last_logged(event.id)}
                book = msgspec.structs.replace(book, logged=logged)
        # Not on the event loop, which must answer agents meanwhile.
        step = await asyncio.to_thread(
            self._quarantined.advance,
            *(book, cycle, cycle.platforms, cycle.health, self._settings.events),
        )
        self.book = step.book
        return step

    async def _rebuilt(
        self, place: CountryPlatformKey, more: Sequence[Cycle] = (), steps: Sequence[Step] = ()
    ) -> Step:
        """One platform in one country, detected from all that is stored and from `more` cycles,
        of which these steps were made already. What comes before all of `more` is not gone through
        where an earlier state is kept."""
        wanted = Selection(country=place[0], platform=place[1])
        known = {e.id: e async for page in self._store.events(wanted) for e in page}
        unstored = [pending.changed for pending in self._backlog] + [s.changed for s in steps]
        for changed in unstored:
            known |= {e.id: e for e in changed if (e.country, e.platform) == place}
        logged = dict(self.book.logged)
        for event_id in known.keys() - logged.keys():
            logged[event_id] = await self._last_logged(event_id)
        book = msgspec.structs.replace(self.book, logged=logged)
        base = await self._before(place, more)
        after = base.until if base is not None else None
        rebuild = Rebuild(
            book,
            place,
            known.values(),
            self._settings.events,
            quarantined=self._quarantined.__contains__,
            since=base,
        )
        unsaved = (pending.cycle for pending in self._backlog)
        cycles = [*(cycle for cycle in unsaved if cycle is not None), *more]
        if after is not None:
            wanted = msgspec.structs.replace(wanted, since=after[0])
        async for verdicts in self._history(wanted, cycles):
            new = [one for one in verdicts if after is None or key_of(one) > after]
            await asyncio.to_thread(rebuild.take, new)
        self._checkpoints.rebuild(place)
        return rebuild.step()

    async def _before(
        self, place: CountryPlatformKey, more: Sequence[Cycle]
    ) -> VerdictOrder[CountryPlatform, PlatformVerdict] | None:
        """The state of a platform in a country before the first verdict of these cycles, as far
        back as states are kept. Those after it lack that verdict, and are forgotten."""
        late = [
            verdict.judged_at
            for cycle in more
            for verdict in cycle.platforms
            if (verdict.country, verdict.platform) == place
        ]
        if not late:
            return None
        await self._store.drop_checkpoints(*place, min(late))
        kind = kind_of(place, self._quarantined)
        kept = await self._store.earlier_checkpoint(*place, kind, min(late))
        try:
            return order_of(kept) if kept is not None else None
        except (ValueError, msgspec.DecodeError) as error:
            log.warning("checkpoint cannot be read", error=str(error))
            return None

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

    async def _save(self, pending: Pending) -> None:
        # Checkpoints describe the book as it is now, so only the last pending cycle may carry them.
        due = self._checkpoints.due(self.book) if len(self._backlog) == 1 else ()
        # They grow with the fleet, and so does the time it takes to write them down.
        checkpoints = await asyncio.to_thread(checkpoints_of, self.book, due, self._quarantined)
        await self._store.save(
            pending.cycle, pending.changed, pending.log, checkpoints, pending.notices
        )
        if kept := self._checkpoints.to_keep(checkpoints):
            at = pending.cycle.finished_at if pending.cycle is not None else self._now()
            await self._store.keep_checkpoints(kept, at - KEPT_FOR)
        self._checkpoints.stored(checkpoints)
        if pending.notices and self._notifier is not None:
            self._notifier.wake()

    def _show_outliers(self, countries: Iterable[str]) -> None:
        """Show on how many platforms of its country each vantage differs from its network."""
        now, settings = self._now(), self._settings.events
        for country in countries:
            platforms = Counter(
                outlier.vantage
                for place, timeline in self.book.places.items()
                # Whoever differs suspects a block, or is alone in not suspecting one.
                if place[0] == country and timeline.current.suspected
                for outlier in outliers(timeline.current.streams.values(), now, settings)
            )
            quarantined = partial(self._quarantined.covers, at=now)
            self._publisher.mark_outliers(country, platforms, quarantined)

    def _pending(self, cycle: Cycle | None, steps: Sequence[Step]) -> Pending:
        """A cycle that carries the changes of `steps`; None where time alone made them."""
        changed = {event.id: event for step in steps for event in step.changed}
        entries = tuple(entry for step in steps for entry in step.log)
        return Pending(
            cycle=cycle,
            changed=tuple(changed.values()),
            log=entries,
            notices=tuple(self._notifier.announce(entries)) if self._notifier else (),
        )


def _known(pace: Pace) -> Pace:
    """The pace without what stands for a pause before there is one."""
    pauses = tuple(one for one in pace.pauses if one != UNKNOWN)
    return msgspec.structs.replace(pace, pauses=pauses)


class _Undetected(msgspec.Struct, kw_only=True):
    """Cycles in which events are still to be detected."""

    cycles: Sequence[Cycle]
    live: bool
    shown: bool = False
    """Whether they are shown already."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle that is not durable yet, and what it changed in events."""

    cycle: Cycle | None
    """None where time alone changed them."""
    changed: tuple[Event, ...]
    log: tuple[EventLogEntry, ...]
    notices: tuple[Notice, ...]


def _with_changes_of(given_up: Pending, following: Pending) -> Pending:
    """The one that follows, with what the one given up changed in events: nobody detects that a
    second time, and people are still to be notified of it."""
    changed = {event.id: event for event in (*given_up.changed, *following.changed)}
    return msgspec.structs.replace(
        following,
        changed=tuple(changed.values()),
        log=(*given_up.log, *following.log),
        notices=(*given_up.notices, *following.notices),
    )


def without_unpublished(steps: Sequence[Step]) -> list[Step]:
    """The steps without events that began and were withdrawn within them: they were never
    published."""
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


def _report(cycle: Cycle, *, live: bool) -> None:
    states = Counter(verdict.state for verdict in cycle.platforms)
    log.info(
        "cycle complete" if live else "late cycle complete",
        cycle=cycle.id,
        vantage=cycle.vantage,
        health=cycle.health.state,
        measurements=len(cycle.measurements),
        seconds=round((cycle.finished_at - cycle.started_at).total_seconds(), 1),
        **{str(state): count for state, count in sorted(states.items())},
    )


def _report_events(steps: Iterable[Step]) -> None:
    for step in steps:
        for entry in step.log:
            _report_event(entry)


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
