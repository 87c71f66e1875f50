"""Deliver the notices in the outbox, and retry until each arrives or is given up.

A message arrives at least once; it arrives twice only when a crash falls between its arrival and
the note of it. Targets do not wait for each other, and nothing waits for them: not the probes, not
the detector, not the shutdown of the process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Protocol

import msgspec

from monitor.analysis.events.event import Event, EventLogEntry
from monitor.analysis.second_witness import AnyWitness
from monitor.logs import logger
from monitor.notify.body import NoticeContent
from monitor.notify.message import Section, batches, message, section
from monitor.notify.message_value import Message
from monitor.notify.names_without_markup import message_words
from monitor.notify.notice_kinds import CLOSING, NoticeKind, notice_kind_of
from monitor.notify.queued_notices import is_news, notices_of, wanted
from monitor.notify.related_events import RelatedEvents, relatives
from monitor.notify.settings import NotifySettings, Route, Target
from monitor.notify.still_due import OVERTAKEN, DueNotice, Key, plan
from monitor.notify.timing import (
    by_event,
    due_at,
    goes_along,
    overdue_from,
    ready_at,
    retry_after,
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
NOT_CONFIGURED = "its route, or this address of it, is no longer configured"

Witnesses = Callable[[Event, datetime], Awaitable[tuple[AnyWitness, ...]]]
"""Reads what others measured while an event lasted, as of a moment (UTC). Raises StorageError."""
Place = tuple[str, str]
"""Names of a route and of one of its targets."""


class MessageService(Protocol):
    """A service that delivers messages."""

    async def deliver(self, target: Target, message: Message, within: float) -> str:
        """Deliver a message within this many seconds. Empty when the service accepted it, else the
        reason, without any part of the address or of the service's answer."""


class DeliveryCounter(Protocol):
    """Counters for the metrics."""

    def notified(self, route: str, count: int) -> None:
        """Count events that a target of a route was notified of by one message."""

    def notification_failed(self, route: str) -> None:
        """Count one failed attempt to deliver to a target of a route."""

    def notifications_pending(self, pending: Mapping[str, Sequence[datetime]]) -> None:
        """The notices that wait, by route: for each the UTC time from which it is overdue."""


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
        self._known: Mapping[Place, tuple[Route, Target]] = {}
        self._titles: Mapping[str, str] = {}
        self._public_url = ""
        self._woken = asyncio.Event()
        self._under_way: dict[Place, asyncio.Task[None]] = {}
        self._unmarked: dict[object, Notice] = {}
        """Settled notices that the store could not mark yet."""
        self._rests: dict[Place, datetime] = {}
        """Targets that are not tried before that time (UTC)."""

    def use(self, settings: NotifySettings, titles: Mapping[str, str], public_url: str) -> None:
        """Use these settings from now on. `titles` are the platforms' own names, by name."""
        self._settings = settings
        self._known = {
            (route.name, target.name): (route, target)
            for route in settings.route
            for target in route.urls
        }
        self._titles = titles
        self._public_url = public_url
        self.wake()

    def announce(self, entries: Sequence[EventLogEntry]) -> tuple[Notice, ...]:
        """The notices about lines of events' logs: the recorder stores them in the same
        transaction."""
        return notices_of(entries, self._settings.route, self._now())

    def wake(self) -> None:
        """Read the outbox again: there may be something new."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
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
        now, pause = self._now(), LONGEST_SLEEP
        mutes = [one for one in await self._store.mutes() if one.until > now]
        pause = min([pause, *((one.until - now).total_seconds() for one in mutes)])
        muted = {one.event or one.country for one in mutes}
        waiting: dict[Place, list[Notice]] = {}
        for notice in await self._store.outbox(NoticeState.PENDING):
            # What a person muted waits, and is not late.
            if muted.isdisjoint((notice.event, notice.country)):
                waiting.setdefault((notice.route, notice.target), []).append(notice)
        self._count(waiting)
        for place, notices in waiting.items():
            if place in self._under_way:
                continue  # its end wakes us
            if place not in self._known:
                await self._mark(((one, NOT_CONFIGURED) for one in notices), NoticeState.DROPPED)
                continue
            route, target = self._known[place]
            events = by_event(notices)
            ready = min(ready_at(own, route) for own in events)
            ready = max(ready, self._rests.get(place, ready))
            if ready > now:
                pause = min(pause, (ready - now).total_seconds())
            elif chosen := {own[0].event for own in events if goes_along(own, route, now)}:
                self._begin(place, route, target, notices, chosen)
        return pause

    def _count(self, waiting: Mapping[Place, Sequence[Notice]]) -> None:
        pending: dict[str, list[datetime]] = {route.name: [] for route in self._settings.route}
        for place, notices in waiting.items():
            if place in self._known:
                route, _ = self._known[place]
                for own in by_event(notices):
                    pending[route.name] += overdue_from(own, route)
        self._tally.notifications_pending(pending)

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
        entries = await self._lines(events)
        families = RelatedEvents(entries.values())
        names = {families.name(event) for event in events}
        notices = [one for one in waiting if families.name(one.event) in names]
        keys = {notice.key for notice in notices}
        before = [
            one
            for event in dict.fromkeys(entry.event for entry in entries.values())
            for one in await self._store.outbox(event=event)
            if (one.route, one.target) == (route.name, target.name) and one.key not in keys
        ]
        asked = {
            one.key
            for one in notices
            for event in (entries[one.event, one.sequence].snapshot,)
            if wanted(route, event, _asked_as(one)) and is_news(event, one.created_at)
        }
        made = plan(notices, before, asked, families)
        await self._mark(made.drop, NoticeState.DROPPED)
        sections = []
        for due in made.send:
            since = _due_since(due, route)
            entry = _as_it_is_now(entries[due.newest.event, due.newest.sequence], entries)
            content = NoticeContent(
                occasion=due.kind,
                entry=entry,
                witnesses=await self._seen_by_others(entry.snapshot),
                meanwhile=tuple(entries[one.event, one.sequence] for one in due.meanwhile),
                first_notified=_first_notified(_sent_before(due.newest, before, families)),
                late_since=since if self._now() - since > LATE else None,
            )
            words = message_words(route.language)
            sections.append(section(words, content, self._titles, self._public_url))
        begun = 0
        for count in batches(one.size for one in sections):
            part = slice(begun, begun + count)
            if not await self._send(route, target, made.send[part], sections[part]):
                return
            begun += count

    async def _seen_by_others(self, event: Event) -> tuple[AnyWitness, ...]:
        """What a second witness has of it, which no message waits for."""
        if self._witnesses is None:
            return ()
        try:
            return await self._witnesses(event, self._now())
        except StorageError as error:
            log.error("message without a second witness", event_id=event.id, error=str(error))
            return ()

    async def _lines(self, events: Iterable[str]) -> dict[tuple[str, int], EventLogEntry]:
        """The logs of these events and of all events that they continue as or from."""
        found: dict[tuple[str, int], EventLogEntry] = {}
        known: set[str] = set()
        ahead = list(dict.fromkeys(events))
        while ahead:
            event = ahead.pop()
            if event not in known:
                known.add(event)
                async for page in self._store.event_log(event):
                    found |= {(entry.event, entry.sequence): entry for entry in page}
                    ahead += relatives(page)
        return found

    async def _send(
        self, route: Route, target: Target, due: Sequence[DueNotice], sections: Sequence[Section]
    ) -> bool:
        """Send these in one message; returns whether it arrived. The attempt is stored first, so
        that a crash in the middle of it leaves a trace."""
        now = self._now()
        newest = {one.newest.key for one in due}
        tried = [
            msgspec.structs.replace(
                notice,
                attempts=notice.attempts + 1,
                retry_at=now + retry_after(notice.attempts + 1, self._chance()),
            )
            for one in due
            for notice in one.notices
        ]
        await self._store.update_notices(tried)
        reason = await self._attempt(target, message(message_words(route.language), sections))
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
            return True
        self._tally.notification_failed(route.name)
        over = [one for one in tried if self._is_over(one, route)]
        more = [one for one in tried if one not in over]
        if more:
            log.warning("notification failed", **about, attempts=more[0].attempts, reason=reason)
            await self._mark(((one, reason) for one in more), NoticeState.PENDING)
        if over:
            log.error("notification given up", **about, attempts=over[0].attempts, reason=reason)
            await self._mark(((one, reason) for one in over), NoticeState.FAILED)
        return False

    async def _attempt(self, target: Target, made: Message) -> str:
        try:
            return await self._service.deliver(target, made, self._settings.timeout)
        except Exception as error:  # noqa: BLE001 # a service's library may raise anything
            # Its text may hold the address.
            return f"an error in what sends it ({type(error).__name__})"

    def _is_over(self, notice: Notice, route: Route) -> bool:
        due = due_at(NoticeKind(notice.occasion), notice.created_at, route)
        return self._now() - due >= timedelta(seconds=self._settings.give_up)

    async def _mark_arrived(self, notices: Iterable[Notice], newest: Collection[Key]) -> None:
        """Note that a message arrived: of each event the newest notice was sent, and stood for the
        others."""
        now = self._now()
        await self._settle(
            msgspec.structs.replace(one, state=NoticeState.SENT, reason="", settled_at=now)
            if one.key in newest
            else msgspec.structs.replace(
                one, state=NoticeState.DROPPED, reason=OVERTAKEN, settled_at=now
            )
            for one in notices
        )

    async def _mark(self, notices: Iterable[tuple[Notice, str]], state: NoticeState) -> None:
        """Give notices a new state, each with its reason."""
        settled = None if state is NoticeState.PENDING else self._now()
        await self._settle(
            msgspec.structs.replace(one, state=state, reason=reason, settled_at=settled)
            for one, reason in notices
        )

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


def _asked_as(notice: Notice) -> NoticeKind:
    """What a route must ask for to get a notice to which nothing was sent before: what is only
    suspected now was no more than that to such a reader."""
    occasion = NoticeKind(notice.occasion)
    return NoticeKind.SUSPECTED if occasion is NoticeKind.DOUBTED else occasion


def _due_since(due: DueNotice, route: Route) -> datetime:
    """When the oldest notice of what is sent was due (UTC); what it overtook does not count."""
    same = {due.kind.value, due.newest.occasion, NoticeKind.SPREAD.value}
    run = list(takewhile(lambda one: one.occasion in same, reversed(due.notices)))
    return due_at(NoticeKind(run[-1].occasion), run[-1].created_at, route)


def _as_it_is_now(
    line: EventLogEntry, entries: Mapping[tuple[str, int], EventLogEntry]
) -> EventLogEntry:
    """The line, with the event as later ones have it up to the next that makes a notice: what
    waited for hours may seem over by now, or nobody tests it any more."""
    last = line
    while (after := entries.get((line.event, last.sequence + 1))) is not None:
        if notice_kind_of(after) is not None:
            break
        last = after
    return msgspec.structs.replace(line, snapshot=last.snapshot)


def _sent_before(notice: Notice, before: Iterable[Notice], families: RelatedEvents) -> list[Notice]:
    """Earlier notices about the same event, or one that continues as it, in order."""
    name = families.name(notice.event)
    return families.in_order(one for one in before if families.name(one.event) == name)


def _first_notified(before: Iterable[Notice]) -> datetime | None:
    """When a target first received a message about these, as far as that is certain."""
    first: datetime | None = None
    over = False
    for one in before:
        if one.state is not NoticeState.SENT:
            continue
        occasion = NoticeKind(one.occasion)
        if occasion in CLOSING and occasion is not NoticeKind.DOUBTED:
            over = True
        elif first is None or over:
            first, over = one.settled_at, False
    return first
