"""Notices that an event's new lines queue, one for each target; they are stored with the cycle."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.analysis.events.event import Event, EventLogEntry, EventState
from monitor.notify.notice_kinds import CLOSING, NoticeKind, notice_kind_of
from monitor.notify.settings import Route
from storage.values.outbox import Notice

NEWS = timedelta(days=1)
"""How long after its end an event is still sent to a target that knows nothing of it."""


def notices_of(
    entries: Iterable[EventLogEntry], routes: Sequence[Route], now: datetime
) -> tuple[Notice, ...]:
    """The notices about these lines, made at `now` (UTC); the same lines give the same keys.

    An end or a correction makes a notice for every target: delivery knows which of them received
    what it is about, and a route may have been narrowed since. An event that is found in old
    data, and ended long ago, makes none but these.
    """
    lines = tuple(entries)
    last = {entry.event: entry.snapshot for entry in lines}
    return tuple(
        Notice(
            country=entry.snapshot.country,
            event=entry.event,
            sequence=entry.sequence,
            route=route.name,
            target=target.stored,
            occasion=occasion,
            created_at=now,
        )
        for entry in lines
        if (occasion := notice_kind_of(entry)) is not None
        if occasion in CLOSING or is_news(last[entry.event], now)
        for route in routes
        if occasion in CLOSING or wanted(route, entry.snapshot, occasion)
        for target in route.urls
    )


def wanted(route: Route, event: Event, occasion: NoticeKind) -> bool:
    """Whether a route asks for this."""
    return (
        event.kind in route.kinds
        # An outage has no country, and affects every country.
        and (not route.countries or event.country in ("", *route.countries))
        # A shutdown has no platform, and affects every platform.
        and (not route.platforms or event.platform in ("", *route.platforms))
        and (
            route.minimum == EventState.SUSPECTED
            or (occasion is not NoticeKind.SUSPECTED and event.sure)
        )
    )


def is_news(event: Event, now: datetime) -> bool:
    """Whether an event is sent to a target that knows nothing of it."""
    return event.active or now - event.updated_at <= NEWS
