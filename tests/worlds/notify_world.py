"""Events to be told of, and who is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.analysis.events.event import (
    Event,
    EventKind,
    EventLogEntry,
    EventState,
    NetworkStatus,
    Scope,
    Stretch,
)
from monitor.notify.body import NoticeContent
from monitor.notify.notice_kinds import NoticeKind
from monitor.notify.settings import Route, Target
from storage.values.outbox import Notice

ONSET = datetime(2024, 2, 17, 18, 12, tzinfo=UTC)
TITLES = {"x": "X", "whatsapp": "WhatsApp"}
PTCL = NetworkStatus(asn=17557, network="PTCL", affected=True, blocked_now=True)
JAZZ = NetworkStatus(asn=45669, network="Jazz", affected=True, blocked_now=True)
CYBER = NetworkStatus(
    asn=9541, network="Cyber Internet", affected=False, blocked_now=False, found_open=True
)


def block(state: EventState = EventState.CONFIRMED, **changes: Any) -> Event:
    """X blocked in Pakistan on two networks of three."""
    sure = state not in (EventState.SUSPECTED, EventState.DISMISSED)
    event = Event(
        id="0123456789abcdef0123",
        country="PK",
        platform="x",
        state=state,
        scope=Scope.FULL,
        functions=("api", "web"),
        methods=("tls.reset",),
        networks=(CYBER, PTCL, JAZZ),
        onset_earliest=ONSET - timedelta(minutes=5),
        onset_latest=ONSET,
        detected_at=ONSET + timedelta(minutes=1),
        confirmed_at=ONSET + timedelta(minutes=2) if sure else None,
        updated_at=ONSET + timedelta(minutes=2),
        first_measurement="m-1",
        evidence="conclusive",
        rules_version="3",
    )
    return msgspec.structs.replace(event, **changes)


def found_open(state: EventState = EventState.UNOBSERVED) -> Event:
    """X was blocked on one network, was found open at 18:31, and is not tested any more."""
    minute = timedelta(minutes=1)
    stretch = Stretch(
        onset_earliest=ONSET - 5 * minute,
        onset_latest=ONSET,
        end_earliest=ONSET + 14 * minute,
        end_latest=ONSET + 19 * minute,
    )
    silent = msgspec.structs.replace(
        PTCL, methods=("tls.reset",), stretches=(stretch,), blocked_now=False, unobserved=True
    )
    end = stretch.end_latest if state is EventState.ENDED else None
    return block(state, networks=(CYBER, silent), end_latest=end)


def came_back(*, over: bool = False, later: timedelta = timedelta()) -> Event:
    """X was blocked from 18:12:00 to 18:15:00, open until 18:38, and blocked again from 18:38:30,
    until now or until 18:50, or so much later."""
    minute = timedelta(minutes=1)
    stretches = (
        Stretch(
            onset_earliest=ONSET - 5 * minute,
            onset_latest=ONSET,
            end_earliest=ONSET + 3 * minute,
            end_latest=ONSET + 3.1 * minute,
        ),
        Stretch(
            onset_earliest=ONSET + 26 * minute,
            onset_latest=ONSET + 26.5 * minute,
            end_earliest=ONSET + 38 * minute + later if over else None,
            end_latest=ONSET + 39 * minute + later if over else None,
            last_blocked=None if over else ONSET + 30.5 * minute,
        ),
    )
    return block(
        EventState.ENDED if over else EventState.CONFIRMED,
        networks=(
            CYBER,
            msgspec.structs.replace(
                PTCL, methods=("tls.reset",), stretches=stretches, blocked_now=not over
            ),
        ),
        reopened=1,
        end_earliest=stretches[1].end_earliest,
        end_latest=stretches[1].end_latest,
        updated_at=ONSET + 40 * minute + later,
    )


def shutdown(kind: EventKind = EventKind.SHUTDOWN, **changes: Any) -> Event:
    """All networks watched in Pakistan cut off, or another thing of the kind."""
    methods = ("shutdown.offline",)
    return block(kind=kind, **({"platform": "", "functions": (), "methods": methods} | changes))


def unseen_shutdown() -> Event:
    """A confirmed shutdown while each vantage that was lost is on a login page."""
    lost = [
        msgspec.structs.replace(one, blocked_now=False, unobserved=True) for one in (PTCL, JAZZ)
    ]
    return shutdown(networks=(CYBER, *lost))


def entry(change: str, snapshot: Event, *, sequence: int = 1, detail: str = "") -> EventLogEntry:
    """A line of the event's log."""
    return EventLogEntry(
        event=snapshot.id,
        sequence=sequence,
        at=snapshot.updated_at,
        change=change,
        detail=detail,
        snapshot=snapshot,
    )


def told(occasion: NoticeKind, event: Event, **changes: Any) -> NoticeContent:
    """What one occasion is put in words from."""
    detail = changes.pop("detail", "")
    return NoticeContent(occasion=occasion, entry=entry(occasion, event, detail=detail), **changes)


def route(name: str = "ops", **changes: Any) -> Route:
    """A route to one place, unless `urls` says otherwise."""
    urls = (Target(name="1-json", url="json://127.0.0.1:9/"),)
    return Route(name=name, **({"urls": urls} | changes))


def notice(occasion: NoticeKind, sequence: int, event: str = "e", **changes: Any) -> Notice:
    """One that waits."""
    given = {"created_at": ONSET + timedelta(seconds=sequence)} | changes
    return Notice(
        country="PK",
        event=event,
        sequence=sequence,
        route="ops",
        target="1-json",
        occasion=occasion,
        **given,
    )
