"""Rows of a source → its events, and how they go on from those that are known.

The events are a function of the rows of the last weeks: each time some are added, judged or left
out, all are folded anew by the crowd test of `monitor.replay`. So a row that arrives late counts
as if it had come in time, and an accusation that newer rows no longer support is withdrawn.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from sys import intern

import msgspec

from monitor.analysis.events.event import Event, EventKind, EventState, event_id
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stretches import newest
from monitor.following.earlier_stretches import begun_with, blocked_until, with_earlier
from monitor.following.found_open import Opened, Place, forgotten, over
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import events_by_country
from storage.values.sourced import SourcedEvent, SourcedRow

WINDOW = timedelta(days=21)
"""Age of the rows that are folded, while no event is young."""
SILENT = timedelta(days=2)
"""Without a row for so long, nobody knows how a block goes on."""
_EDGE = timedelta(days=7)
"""An event that began so close to the start of the window may lack the rows that began it, or those
from before that show what was usual."""
_UNSURE = (EventState.DISMISSED, EventState.WITHDRAWN)
_YOUNG = WINDOW - _EDGE
"""Age of an event up to which the rows stay that were folded when it was first seen: they show what
was usual before it. Without them it could be withdrawn for that alone."""
LONGEST_WINDOW = WINDOW + _YOUNG
"""Greatest age of the rows that are folded."""
_Span = tuple[datetime, datetime]


def row_of(kept: SourcedRow) -> Row:
    """A kept row as the crowd test reads it. Words that many rows share are kept once: all rows of
    weeks are in memory together."""
    return Row(
        at=kept.measured_at,
        until=kept.measured_at,
        country=intern(kept.country),
        asn=kept.asn,
        platform=intern(kept.platform),
        part=intern(kept.part),
        test=intern(kept.test),
        failed=kept.failed,
        confirmed=int(kept.confirmed),
        methods=kept.methods,
        version=intern(kept.version),
        uid=kept.uid,
    )


def folded_since(known: Iterable[SourcedEvent], now: datetime) -> datetime:
    """The moment from which rows are folded at `now` (UTC), where these events are known."""
    young = (
        one.first_seen_at
        for one in known
        if one.event.state is not EventState.WITHDRAWN and one.event.onset_latest > now - _YOUNG
    )
    return min(young, default=now) - WINDOW


def events_in(
    rows: Sequence[Row],
    lookup: PlatformLookup,
    settings: EventSettings,
    countries: Collection[str],
    platforms: Collection[str],
    now: datetime,
) -> list[Event]:
    """The events of these countries and platforms that the rows show at `now` (UTC)."""
    newest: dict[tuple[str, str], datetime] = {}
    for row in rows:
        key = (row.country, row.platform)
        newest[key] = max(row.until, newest.get(key, row.until))
    return [
        _by_volunteers(event, silent=now - newest[event.country, event.platform] > SILENT)
        for event in events_by_country(rows, lookup, settings, tuple(dict.fromkeys(countries)))
        if event.platform in platforms
    ]


def _by_volunteers(event: Event, *, silent: bool) -> Event:
    """The event as one of its own kind; `silent` when nobody has measured lately."""
    kind = EventKind.SEEN_BY_VOLUNTEERS
    state = EventState.UNOBSERVED if event.active and silent else event.state
    return msgspec.structs.replace(
        event,
        kind=kind,
        id=event_id(kind, event.country, event.platform, event.first_measurement),
        state=state,
    )


def merged(
    found: Iterable[Event],
    known: Sequence[SourcedEvent],
    source: str,
    now: datetime,
    opened: Opened | None = None,
) -> list[SourcedEvent]:
    """What changed: events found now, in continuation of the known ones they overlap, and known
    ones that are no longer found. `opened` is what is known of the networks of `out_of_sight`."""
    since = now - WINDOW
    left = {one.id: one for one in known}
    changed: dict[str, SourcedEvent] = {}
    for new in _in_turn(found, known):
        before = left.get(_same(new, left, now))
        if before is None and new.state in _UNSURE:
            continue
        is_rest = before is not None and _is_rest(before.event, new, since)
        if before is not None and is_rest and not _blocked_later(before.event, new):
            continue
        event = new
        if before is not None:
            if _joins_earlier(new, before, known, since):
                event = begun_with(new, before.event)
            event = _continued(before.event, event, since)
        after = SourcedEvent(
            country=event.country,
            source=source,
            id=event.id,
            platform=event.platform,
            active=event.active,
            first_seen_at=now if before is None else before.first_seen_at,
            event=event,
        )
        if is_rest:
            left[event.id] = after  # More of it may be found.
        else:
            left.pop(event.id, None)
        if before is None or not before.event.same_as(event):
            changed[event.id] = after
    for one in left.values():
        if (gone := _no_longer_found(one, since, now, opened or {})) is not None:
            changed[gone.id] = gone
    return list(changed.values())


def _in_turn(found: Iterable[Event], known: Iterable[SourcedEvent]) -> list[Event]:
    """The events found, in the order in which each takes over the known one that it continues:
    those that are known by their ids before others, and last what came to nothing."""
    ids = {one.id for one in known if one.event.state is not EventState.WITHDRAWN}
    return sorted(
        found, key=lambda one: (one.state in _UNSURE, one.id not in ids, one.onset_latest)
    )


def _joins_earlier(
    found: Event, before: SourcedEvent, known: Iterable[SourcedEvent], since: datetime
) -> bool:
    """Whether it reaches back into an event that was over before the one that it continues began:
    the rows that showed the end of that one have left the window."""
    return any(
        one.event.state is EventState.ENDED
        and (one.country, one.platform) == (found.country, found.platform)
        and one.event.onset_latest < min(before.event.onset_latest, since + _EDGE)
        and one.event.end_earliest is not None
        and found.onset_latest <= one.event.end_earliest < before.event.onset_latest
        for one in known
    )


def _is_rest(known: Event, found: Event, since: datetime) -> bool:
    """Whether an event that was over is found again, by what is left of its rows. Without those
    that left the window its end may no longer be found."""
    over = not known.active and known.state not in _UNSURE
    old = known.onset_latest < since + _EDGE
    return over and old and (not found.active or not _blocked_later(known, found))


def _blocked_later(known: Event, found: Event) -> bool:
    """Whether rows show that it lasted longer."""
    last, seen = known.end_earliest, found.end_earliest or blocked_until(newest(found))
    return last is not None and seen > last


def _same(event: Event, known: Mapping[str, SourcedEvent], now: datetime) -> str:
    """Id of the known event that this one continues, about the same and at the same time; empty
    for none. Those that certainly were at the same time come before those that may have been."""
    alike = known.get(event.id)
    if alike is not None and alike.event.state is not EventState.WITHDRAWN:
        return alike.id
    span, certain = _span(event, now), _certain(event, now)
    meeting = [
        one
        for one in known.values()
        if (one.country, one.platform) == (event.country, event.platform)
        and one.event.state is not EventState.WITHDRAWN
        and _overlap(span, _span(one.event, now))
    ]
    if meeting:
        return max(
            meeting,
            key=lambda one: (_overlap(certain, _certain(one.event, now)), one.event.onset_latest),
        ).id
    return "" if alike is None else alike.id


def _overlap(one: _Span, other: _Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _span(event: Event, now: datetime) -> _Span:
    ended = now if event.active else event.end_latest or event.updated_at
    return event.onset_earliest or event.onset_latest, ended


def _certain(event: Event, now: datetime) -> _Span:
    ended = now if event.active else event.end_earliest or event.updated_at
    return event.onset_latest, ended


def _continued(before: Event, event: Event, since: datetime) -> Event:
    """The event in its newest form, with what older rows showed of it."""
    older = before.onset_latest < since + _EDGE and before.onset_latest <= event.onset_latest
    onset = before if older else event
    known = [at for at in (before.confirmed_at, event.confirmed_at) if at is not None]
    confirmed_at = min(known, default=None) if event.confirmed_at or older else None
    state = event.state
    if event.confirmed_at is None and confirmed_at is not None:
        state = _of_confirmed(before.state, state)
    if older:
        event = with_earlier(before, event)
    return msgspec.structs.replace(
        event,
        id=before.id,
        state=state,
        onset_earliest=onset.onset_earliest,
        onset_latest=onset.onset_latest,
        detected_at=min(before.detected_at, event.detected_at),
        confirmed_at=confirmed_at,
        first_measurement=onset.first_measurement,
    )


def _of_confirmed(before: EventState, now: EventState) -> EventState:
    """The state of an event that older rows confirmed, where the others show a suspicion alone."""
    if now is EventState.DISMISSED:
        return EventState.ENDED
    if now is EventState.SUSPECTED and before is not EventState.SUSPECTED:
        return EventState.CONFIRMED
    return now


def out_of_sight(found: Iterable[Event], known: Iterable[SourcedEvent]) -> set[Place]:
    """Countries and platforms of known events that nobody knows how they go on, and that the rows
    of the window do not show: only networks that pass can tell that they are over."""
    shown = {(event.country, event.platform) for event in found}
    states = ((one.country, one.platform, one.event.state) for one in known)
    unobserved = {
        (country, platform) for country, platform, state in states if state is EventState.UNOBSERVED
    }
    return unobserved - shown


def _no_longer_found(
    one: SourcedEvent, since: datetime, now: datetime, opened: Opened
) -> SourcedEvent | None:
    """A known event that the rows of the window do not show: withdrawn where they would have to,
    over where its networks pass, and after months without rows; unobserved where they are too few
    to tell; None where nothing changes."""
    event = one.event
    if event.state is EventState.WITHDRAWN:
        return None
    if event.onset_latest >= since + _EDGE:
        state = EventState.WITHDRAWN
    elif event.active and (ended := over(event, opened, now) or forgotten(event, now)):
        return msgspec.structs.replace(one, event=ended, active=ended.active)
    elif event.active and event.state is not EventState.UNOBSERVED:
        state = EventState.UNOBSERVED
    else:
        return None
    return _turned(one, state, now)


def no_longer_asked(known: Iterable[SourcedEvent], now: datetime) -> list[SourcedEvent]:
    """What changes about known events of countries and platforms that nobody asks about any more:
    those that last are unobserved, since no new row can show that they ended."""
    return [
        _turned(one, EventState.UNOBSERVED, now)
        for one in known
        if one.event.active and one.event.state is not EventState.UNOBSERVED
    ]


def _turned(one: SourcedEvent, state: EventState, now: datetime) -> SourcedEvent:
    event = msgspec.structs.replace(one.event, state=state, updated_at=now)
    return msgspec.structs.replace(one, event=event, active=event.active)
