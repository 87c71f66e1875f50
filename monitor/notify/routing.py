"""Who is to be told: lines of events' logs → notices for the targets of routes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from monitor.analysis.events.event import Event, EventLogEntry, EventState
from monitor.notify.changes import CLOSING, TAKES_BACK, Occasion, occasion_of
from monitor.notify.settings import Route
from storage.values.outbox import Notice

NEWS = timedelta(days=1)
"""For how long after its end something is worth telling to who has not heard of it."""


def notices_of(
    entries: Iterable[EventLogEntry], routes: Sequence[Route], now: datetime
) -> tuple[Notice, ...]:
    """What is to be told of these lines, made at `now` (UTC); the same lines give the same keys.

    That something is over, or taken back, is noted for every target: which of them were told of
    it is known when it is sent, and a route may have been narrowed since. What was found in old
    data and was over long ago is no news.
    """
    lines = tuple(entries)
    last = {entry.event: entry.snapshot for entry in lines}
    return tuple(
        Notice(
            country=entry.snapshot.country,
            event=entry.event,
            sequence=entry.sequence,
            route=route.name,
            target=target.name,
            occasion=occasion,
            created_at=now,
        )
        for entry, occasion in _worth_telling(lines)
        if occasion in TAKES_BACK or _is_news(last[entry.event], now)
        for route in routes
        if occasion in CLOSING or wanted(route, entry.snapshot, occasion)
        for target in route.urls
    )


def wanted(route: Route, event: Event, occasion: Occasion) -> bool:
    """Whether a route asks to be told of this."""
    return (
        event.kind in route.kinds
        and (not route.countries or event.country in route.countries)
        # A shutdown has no platform, and hits those asked for as well.
        and (not route.platforms or event.platform in ("", *route.platforms))
        and (route.minimum == EventState.SUSPECTED or _sure(event, occasion))
    )


def _is_news(event: Event, now: datetime) -> bool:
    return event.active or now - event.updated_at <= NEWS


def _sure(event: Event, occasion: Occasion) -> bool:
    return occasion is not Occasion.SUSPECTED and event.confirmed_at is not None


def _worth_telling(
    entries: Iterable[EventLogEntry],
) -> Iterator[tuple[EventLogEntry, Occasion]]:
    for entry in entries:
        occasion = occasion_of(entry)
        if occasion is not None:
            yield entry, occasion
