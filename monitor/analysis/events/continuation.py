"""Continuations: an event that turns out to be part of another, or to begin with an earlier
measurement, *continues as* that other event. The other event's id replaces its own.

Two log lines record it in their detail: the last line of the event that is gone ("goes on as"), and
one, mostly the first, of the event that continues it ("goes on from"). Nothing else is stored.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.events.event import Event, EventLogEntry, EventState

_AS = re.compile(r"goes on as (\S+)")
_FROM = re.compile(r"(?:^|; )goes on from (\S+(?:, \S+)*)$")
_TAKES_OVER = ("opened", "reopened", "revised")
"""Changes whose detail may name continued events; details that end in a network's name may not."""


def continuation_of(gone: Event, others: Iterable[Event], now: datetime) -> Event | None:
    """The other event that continues an event: same kind and subject, overlapping in time, and of
    several the one that shares most of it. None when the event is simply gone."""
    begun, over = _time(gone, now)
    best: tuple[float, Event] | None = None
    for other in sorted(others, key=lambda one: (one.onset_latest, one.id)):
        if other.state is EventState.WITHDRAWN or _about(other) != _about(gone):
            continue
        since, until = _time(other, now)
        shared = (min(over, until) - max(begun, since)).total_seconds()
        if shared >= 0 and (best is None or shared > best[0]):
            best = (shared, other)
    return best[1] if best is not None else None


def continued_by_detail(event_id: str) -> str:
    """The detail of the last log line of an event that continues as this one."""
    return f"goes on as {event_id}"


def continued_events_detail(detail: str, event_ids: Iterable[str]) -> str:
    """A line's detail, naming the events that it continues; with none, the detail without such
    names."""
    bare = _FROM.sub("", detail)
    ids = ", ".join(event_ids)
    return "; ".join(filter(None, (bare, ids and f"goes on from {ids}")))


def continued_by(entry: EventLogEntry) -> str:
    """The id of the event that continues this one, from a line of its log; empty for none."""
    found = _AS.fullmatch(entry.detail) if entry.change == "withdrawn" else None
    return found[1] if found else ""


def continued_events(entry: EventLogEntry) -> tuple[str, ...]:
    """The ids of the events that this one continues, from a line of its log."""
    found = _FROM.search(entry.detail) if entry.change in _TAKES_OVER else None
    return tuple(found[1].split(", ")) if found else ()


def without_events(
    lines: Iterable[EventLogEntry], past: Iterable[EventLogEntry]
) -> tuple[EventLogEntry, ...]:
    """The lines without those of dropped events; `past` are all lines of these. What continued as a
    dropped event continues as the last one that remains."""
    after: dict[str, str] = {}
    before: dict[str, list[str]] = {}
    for line in past:
        after[line.event] = continued_by(line)
        before.setdefault(line.event, []).extend(continued_events(line))
    return tuple(_past(line, after, before) for line in lines if line.event not in after)


def _past(
    line: EventLogEntry, after: Mapping[str, str], before: Mapping[str, Sequence[str]]
) -> EventLogEntry:
    detail = line.detail
    if other := continued_by(line):
        seen = {other}
        while (other := after.get(other, other)) not in seen:
            seen.add(other)
        detail = continued_by_detail(other) if other and other not in after else ""
    elif ids := continued_events(line):
        known = dict.fromkeys(ids)
        for one in ids:
            known |= dict.fromkeys(_all_before(one, before))
        detail = continued_events_detail(detail, [one for one in known if one not in before])
    return msgspec.structs.replace(line, detail=detail) if detail != line.detail else line


def _all_before(event_id: str, before: Mapping[str, Sequence[str]]) -> list[str]:
    """The known events that an event continues, directly or through others."""
    found: dict[str, None] = {}
    ahead = [event_id]
    while ahead:
        more = [one for one in before.get(ahead.pop(), ()) if one not in found]
        found |= dict.fromkeys(more)
        ahead += more
    return list(found)


def _about(event: Event) -> tuple[str, ...]:
    return (event.kind, event.country, event.platform, event.vantage)


def _time(event: Event, now: datetime) -> tuple[datetime, datetime]:
    over = event.end_latest or event.end_earliest
    if over is None:
        over = now if event.active else event.updated_at
    return event.onset_earliest or event.onset_latest, over
