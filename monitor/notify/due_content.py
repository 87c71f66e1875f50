"""What of the log, and of earlier notices, goes into the message of a due notice."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import takewhile

import msgspec

from monitor.analysis.events.event import EventLogEntry
from monitor.notify.notice_kinds import CLOSING, NoticeKind, notice_kind_of
from monitor.notify.related_events import RelatedEvents, relatives
from monitor.notify.settings import Route
from monitor.notify.still_due import DueNotice
from monitor.notify.timing import due_at
from storage.store import Store
from storage.values.outbox import Notice, NoticeState


async def logs_of(store: Store, events: Iterable[str]) -> dict[tuple[str, int], EventLogEntry]:
    """The logs of these events and of all events that they continue as or from. StorageError."""
    found: dict[tuple[str, int], EventLogEntry] = {}
    known: set[str] = set()
    ahead = list(dict.fromkeys(events))
    while ahead:
        event = ahead.pop()
        if event not in known:
            known.add(event)
            async for page in store.event_log(event):
                found |= {(entry.event, entry.sequence): entry for entry in page}
                ahead += relatives(page)
    return found


def asked_as(notice: Notice) -> NoticeKind:
    """What a route must ask for to get a notice to which nothing was sent before: what is only
    suspected now was no more than that to such a reader."""
    occasion = NoticeKind(notice.occasion)
    return NoticeKind.SUSPECTED if occasion is NoticeKind.DOUBTED else occasion


def due_since(due: DueNotice, route: Route) -> datetime:
    """When the oldest notice of what is sent was due (UTC); what it overtook does not count."""
    same = {due.kind.value, due.newest.occasion, NoticeKind.SPREAD.value}
    run = list(takewhile(lambda one: one.occasion in same, reversed(due.notices)))
    return due_at(NoticeKind(run[-1].occasion), run[-1].created_at, route)


def as_it_is_now(
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


def first_notified(
    notice: Notice, before: Iterable[Notice], families: RelatedEvents
) -> datetime | None:
    """When its target first received a message about the same event, or one that continues as it,
    as far as that is certain; `before` are earlier notices."""
    name = families.name(notice.event)
    same = families.in_order(one for one in before if families.name(one.event) == name)
    first: datetime | None = None
    over = False
    for one in same:
        if one.state is not NoticeState.SENT:
            continue
        occasion = NoticeKind(one.occasion)
        if occasion in CLOSING and occasion is not NoticeKind.DOUBTED:
            over = True
        elif first is None or over:
            first, over = one.settled_at, False
    return first
