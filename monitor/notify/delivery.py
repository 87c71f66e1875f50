"""Deliver the notices in the outbox, and retry until each arrives or is given up.

A message arrives at least once; it arrives twice only when a crash falls between its arrival and
the record of that. Targets do not wait for each other, and nothing waits for them: not the probes,
not the detector, not the shutdown of the process.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.second_witness import AnyWitness
from monitor.logs import logger
from monitor.notify.body import NoticeContent
from monitor.notify.due_content import as_it_is_now, asked_as, due_since, first_notified, logs_of
from monitor.notify.message import messages, section
from monitor.notify.message_value import Message
from monitor.notify.names_without_markup import message_words
from monitor.notify.places import Place, Places
from monitor.notify.ports import DeliveryCounter, MessageService, Witnesses
from monitor.notify.queued_notices import is_news, notices_of, wanted
from monitor.notify.refusals import of_message
from monitor.notify.related_events import RelatedEvents
from monitor.notify.settings import NotifySettings, Route, Target
from monitor.notify.still_due import OVERTAKEN, DueNotice, Key, plan
from monitor.notify.timing import (
    by_event,
    goes_along,
    overdue_from,
    ready_at,
    retry_after,
    tried_for,
)
from storage.store import StorageError, Store
from storage.values.outbox import Notice, NoticeState

log = logger(__name__)

LONGEST_SLEEP = 60.0
"""Seconds after which the outbox is read in any case: a clock may have been corrected."""
REST = 10.0
"""Seconds to wait after the store failed."""
GRACE = 1.0
"""Seconds that running deliveries get to finish at shutdown."""
LATE = timedelta(hours=1)
"""A message that is sent later than this after it was due says so."""
GIVEN_UP_SHOWN = timedelta(days=1)
"""How long a notice that was given up still counts as overdue."""
NOT_CONFIGURED = "its route, or this address of it, is no longer configured"
MOVED = "its address is no longer configured; those that came in its place get it"


class Delivery:
    """Delivers notices. Only the event loop's thread calls its methods."""

    def __init__(
        self,
        store: Store,
        service: MessageService,
        tally: DeliveryCounter,
        *,
        now: Callable[[], datetime],
        chance: Callable[[], float],
        witnesses: Witnesses | None = None,
    ) -> None:
        """`now` gives the current UTC time, `chance` a number from 0 to 1 to spread retries,
        `witnesses` what others measured. Nothing is delivered before `use`."""
        self._store = store
        self._service = service
        self._tally = tally
        self._now = now
        self._chance = chance
        self._witnesses = witnesses
        self._settings = NotifySettings()
        self._places = Places()
        self._new_key = secrets.token_bytes()
        """Of targets' names, where the store has none yet."""
        self._prepared = False
        self._titles: Mapping[str, str] = {}
        self._public_url = ""
        self._woken = asyncio.Event()
        self._under_way: dict[Place, asyncio.Task[None]] = {}
        self._unmarked: dict[object, Notice] = {}
        """Settled notices that the store could not mark yet."""
        self._given_up: list[Notice] = []
        """Within the last day."""
        self._muted: dict[str, datetime] = {}
        """Until when (UTC) notices of these events were muted, as far as that is known."""
        self._rests: dict[Place, datetime] = {}
        """Targets that are not tried before that time (UTC)."""

    def use(self, settings: NotifySettings, titles: Mapping[str, str], public_url: str) -> None:
        """Use these settings from now on. `titles` are the platforms' own names, by name."""
        self._settings = settings
        self._places = Places(settings.route, self._store.target_key or self._new_key)
        self._titles = titles
        self._public_url = public_url
        self.wake()

    def announce(self, entries: Sequence[EventLogEntry]) -> tuple[Notice, ...]:
        """The notices about lines of events' logs: the recorder stores them in the same
        transaction."""
        return notices_of(entries, self._places.routes, self._now())

    def wake(self) -> None:
        """Read the outbox again: there may be something new."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        self._prepared = False
        try:
            while True:
                self._woken.clear()
                try:
                    pause = await self._round()
                except StorageError as error:
                    log.error("outbox not read", error=str(error))
                    pause = REST
                except Exception:
                    # A bug with one notice must not stop all others.
                    log.exception("delivering failed")
                    pause = REST
                try:
                    async with asyncio.timeout(max(pause, 0.05)):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = set(self._under_way.values())
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=GRACE)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _round(self) -> float:
        """Start what is due; returns the seconds until something else is."""
        if self._unmarked:
            await self._store.update_notices(list(self._unmarked.values()))
            self._unmarked.clear()
        if not self._prepared:
            await self._prepare()
        now, pause = self._now(), LONGEST_SLEEP
        # What is read of these may be older than what they store meanwhile. Their end wakes us.
        busy = set(self._under_way)
        pending = await self._store.outbox(NoticeState.PENDING)
        mutes = await self._mutes(now) if pending else []
        waiting: dict[Place, list[Notice]] = {}
        for notice in pending:
            same = (notice.event, notice.country)
            until = [ends for muted, ends in mutes if not muted.isdisjoint(same)]
            if until:
                self._muted[notice.event] = min(max(until), now)
            if until and max(until) > now:
                # What a person muted waits, and is not late.
                pause = min(pause, (max(until) - now).total_seconds())
            else:
                waiting.setdefault(notice.place, []).append(notice)
        self._count(waiting)
        left = waiting.keys() - self._places.known.keys() - busy
        gone = [one for place in left for one in waiting[place]]
        if gone:
            await self._pass_on(gone)
            return 0.0
        for place, notices in waiting.items():
            if place in busy:
                continue
            route, target = self._places.known[place]
            events = by_event(notices)
            ready = min(ready_at(own, route) for own in events)
            ready = max(ready, self._rests.get(place, ready))
            if ready > now:
                pause = min(pause, (ready - now).total_seconds())
            elif chosen := {own[0].event for own in events if goes_along(own, route, now)}:
                self._begin(place, route, target, notices, chosen)
        return pause

    async def _mutes(self, now: datetime) -> list[tuple[frozenset[str], datetime]]:
        """What people muted, and until when (UTC): a country, or an event with those that continue
        as it or that it continues as."""
        found = []
        for one in await self._store.mutes():
            muted = {one.event or one.country}
            if one.event and one.until > now:
                muted |= {event for event, _ in await logs_of(self._store, (one.event,))}
            found.append((frozenset(muted), one.until))
        return found

    async def _prepare(self) -> None:
        """Read what was given up, and store the key of targets' names. With the first key, notices
        that are named by number and scheme get the name of the address that stands there now."""
        self._given_up = await self._store.outbox(NoticeState.FAILED)
        if not self._store.target_key:
            await self._store.keep_target_key(self._new_key, self._places.renamed)
        self._places = Places(self._settings.route, self._store.target_key)
        self._prepared = True

    async def _pass_on(self, gone: Sequence[Notice]) -> None:
        """Drop notices for places that are gone, or give them to the places that inherit them."""
        events = dict.fromkeys(one.event for one in gone)
        rows = [one for event in events for one in await self._store.outbox(event=event)]
        passed = self._places.passed_on(rows)
        await self._settle(passed)
        lines = {one.key[:3] for one in passed}
        reasons = [(one, MOVED if one.key[:3] in lines else NOT_CONFIGURED) for one in gone]
        await self._mark(reasons, NoticeState.DROPPED)

    def _count(self, waiting: Mapping[Place, Sequence[Notice]]) -> None:
        pending: dict[str, list[datetime]] = {route.name: [] for route in self._settings.route}
        for place, notices in waiting.items():
            if place in self._places.known:
                route, _ = self._places.known[place]
                for own in by_event(notices):
                    pending[route.name] += overdue_from(own, route)
        since = self._now() - GIVEN_UP_SHOWN
        self._given_up = [one for one in self._given_up if (one.settled_at or since) > since]
        lost = Counter(one.route for one in self._given_up)
        self._tally.notifications_pending(pending, {route: lost[route] for route in pending})

    def _begin(
        self,
        place: Place,
        route: Route,
        target: Target,
        notices: Sequence[Notice],
        events: Collection[str],
    ) -> None:
        task = asyncio.create_task(self._serve(place, route, target, notices, events))
        self._under_way[place] = task

        def over(_: object) -> None:
            self._under_way.pop(place, None)
            self.wake()

        task.add_done_callback(over)

    async def _serve(
        self,
        place: Place,
        route: Route,
        target: Target,
        notices: Sequence[Notice],
        events: Collection[str],
    ) -> None:
        try:
            await self._deliver(route, target, notices, events)
        except StorageError as error:
            self._rests[place] = self._now() + timedelta(seconds=REST)
            log.error("outbox not reached", route=route.name, error=str(error))
        except Exception:
            # A bug with one target must not stop the others.
            self._rests[place] = self._now() + timedelta(seconds=LONGEST_SLEEP)
            log.exception("delivering failed", route=route.name, target=target.name)

    async def _deliver(
        self, route: Route, target: Target, waiting: Sequence[Notice], events: Collection[str]
    ) -> None:
        """Send or drop the notices that wait for this target and are about these events, or about
        an event that continues as one of them. All of them become one message."""
        entries = await logs_of(self._store, events)
        families = RelatedEvents(entries.values())
        names = {families.name(event) for event in events}
        notices = [one for one in waiting if families.name(one.event) in names]
        keys = {notice.key for notice in notices}
        place = route.name, target.stored
        own, inherited = [], []
        for event in dict.fromkeys(entry.event for entry in entries.values()):
            rows = await self._store.outbox(event=event)
            own += [one for one in rows if one.place == place and one.key not in keys]
            inherited += self._places.inherited(place, rows)
        asked = {
            one.key
            for one in notices
            for event in (entries[one.event, one.sequence].snapshot,)
            if wanted(route, event, asked_as(one)) and is_news(event, one.created_at)
        }
        todo = plan(notices, (*own, *inherited), asked, families)
        await self._mark(todo.drop, NoticeState.DROPPED)
        words, sections = message_words(route.language), []
        # What was tried least comes first: no message holds up another for ever.
        send = sorted(todo.send, key=lambda due: max(one.attempts for one in due.notices))
        for due in send:
            since = due_since(due, route)
            since = max(since, self._muted.get(due.newest.event, since))
            entry = as_it_is_now(entries[due.newest.event, due.newest.sequence], entries)
            content = NoticeContent(
                occasion=due.kind,
                entry=entry,
                witnesses=await self._seen_by_others(entry.snapshot),
                meanwhile=tuple(entries[one.event, one.sequence] for one in due.meanwhile),
                first_notified=first_notified(due.newest, own, families),
                late_since=since if self._now() - since > LATE else None,
            )
            refused = any(of_message(one.reason) for one in due.notices)
            sections.append(
                section(words, content, self._titles, self._public_url, refused=refused)
            )
        begun = 0
        for count, made in messages(words, sections, self._service.limits(target)):
            part = send[begun : begun + count]
            begun += count
            rests_until = await self._send(route, target, part, made)
            if rests_until is not None:
                self._rests[place] = self._now() + retry_after(1, 0.5)
                left = [one for due in send[begun:] for one in due.notices]
                await self._settle(replace(one, retry_at=rests_until) for one in left)
                return
        if send:
            # The service works again: what was to be tried later is sent now.
            keys |= {one.key for one in waiting if one.retry_at is None or of_message(one.reason)}
            resting = (one for one in waiting if one.key not in keys)
            await self._settle(replace(one, retry_at=None) for one in resting)

    async def _seen_by_others(self, event: Event) -> tuple[AnyWitness, ...]:
        """What a second witness has of it, which no message waits for."""
        if self._witnesses is None:
            return ()
        try:
            return await self._witnesses(event, self._now())
        except StorageError as error:
            log.error("message without a second witness", event_id=event.id, error=str(error))
            return ()

    async def _send(
        self, route: Route, target: Target, due: Sequence[DueNotice], message: Message
    ) -> datetime | None:
        """Send these in one message; returns until when the service rests, None where it may take
        another one now. The attempt is stored first, so that a crash in the middle of it leaves a
        trace."""
        newest = {one.newest.key for one in due}
        now, chance = self._now(), self._chance()
        tried = [
            replace(
                notice,
                attempts=notice.attempts + 1,
                retry_at=now + retry_after(notice.attempts + 1, chance),
            )
            for one in due
            for notice in one.notices
        ]
        await self._store.update_notices(tried)
        reason = await self._attempt(target, message)
        about = {
            "route": route.name,
            "target": target.name,
            "events": [one.newest.event for one in due],
            "occasions": [one.kind.value for one in due],
        }
        if not reason:
            self._tally.notified(route.name, len(due))
            log.info("notification sent", **about)
            await self._mark_arrived(tried, newest)
            return None
        self._tally.notification_failed(route.name)
        give_up = timedelta(seconds=self._settings.give_up)
        over = [one for one in tried if tried_for(one.attempts) >= give_up]
        more = [one for one in tried if one not in over]
        if more:
            log.warning("notification failed", **about, attempts=more[0].attempts, reason=reason)
            await self._mark(((one, reason) for one in more), NoticeState.PENDING)
        if over:
            log.error("notification given up", **about, attempts=over[0].attempts, reason=reason)
            await self._mark(((one, reason) for one in over), NoticeState.FAILED)
        return None if of_message(reason) else min(one.retry_at for one in tried if one.retry_at)

    async def _attempt(self, target: Target, made: Message) -> str:
        try:
            return await self._service.deliver(target, made, self._settings.timeout)
        except Exception as error:  # noqa: BLE001 # a service's library may raise anything
            # Its text may hold the address.
            return f"an error in what sends it ({type(error).__name__})"

    async def _mark_arrived(self, notices: Iterable[Notice], newest: Collection[Key]) -> None:
        """Note that a message arrived: of each event the newest notice was sent, and stood for the
        others."""
        now = self._now()
        await self._settle(
            replace(one, state=NoticeState.SENT, reason="", settled_at=now)
            if one.key in newest
            else replace(one, state=NoticeState.DROPPED, reason=OVERTAKEN, settled_at=now)
            for one in notices
        )

    async def _mark(self, notices: Iterable[tuple[Notice, str]], state: NoticeState) -> None:
        """Give notices a new state, each with its reason."""
        settled = None if state is NoticeState.PENDING else self._now()
        marked = [
            replace(one, state=state, reason=reason, settled_at=settled) for one, reason in notices
        ]
        self._given_up += [one for one in marked if one.state is NoticeState.FAILED]
        await self._settle(marked)

    async def _settle(self, notices: Iterable[Notice]) -> None:
        """Store notices; what cannot be stored now is stored later."""
        marked = list(notices)
        try:
            if marked:
                await self._store.update_notices(marked)
        except StorageError:
            # A message that arrived must not be sent again because the store failed.
            self._unmarked |= {one.key: one for one in marked}
            raise
