"""The state of the detectors, stored for the next process.

The state of every timeline before its last hour is stored with each cycle, in the cycle's own
transaction; after a restart that hour is read again and added. So a restart changes nothing,
whenever it comes. States that another version wrote are not used: then all of history is read anew.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from monitor.analysis.events.confirmation import CountryPlatform
from monitor.analysis.events.detection import VANTAGES_KEY, CountryPlatformKey, EventBook, advance
from monitor.analysis.events.event import Event
from monitor.analysis.events.outage import Outages
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.shutdowns import Connectivity, only_vantages
from monitor.analysis.events.verdict_order import VerdictOrder, begin
from monitor.analysis.verdict import PlatformVerdict, VantageHealth
from monitor.judging.quarantine import NOBODY, Quarantined
from storage.values.checkpoint import Checkpoint

KIND = "timeline-2"
"""Change it whenever what is stored could mean something else."""

_S = TypeVar("_S")
_State = CountryPlatform | Outages | Connectivity


def checkpoints_of(
    book: EventBook, places: Iterable[CountryPlatformKey], quarantined: Quarantined = NOBODY
) -> tuple[Checkpoint, ...]:
    """What to store of the timelines of `places`, in which nothing `quarantined` counts."""
    return tuple(_conclusion(place, _timeline(book, place), quarantined) for place in places)


def restored(
    saved: Iterable[Checkpoint],
    verdicts: Iterable[PlatformVerdict],
    health: Iterable[VantageHealth],
    settings: EventSettings,
    logged: Mapping[str, int],
    vantages: Collection[str],
) -> EventBook:
    """The book as it was when the last cycle was stored.

    `verdicts` and `health` hold everything judged since the earliest `until` of what was saved;
    `logged` the sequence of the last stored log entry of every event that may change. `vantages`
    are those that are watched now: one that was removed from the configuration is not silent.
    Raises ValueError for a state that cannot be read.
    """
    places: dict[CountryPlatformKey, VerdictOrder[CountryPlatform, PlatformVerdict]] = {}
    outages: dict[str, VerdictOrder[Outages, PlatformVerdict]] = {}
    condition: VerdictOrder[Connectivity, VantageHealth] = begin(Connectivity())
    for conclusion in saved:
        if (conclusion.country, conclusion.platform) == VANTAGES_KEY:
            known = msgspec.json.decode(conclusion.state, type=Connectivity)
            condition = _restore(conclusion, only_vantages(known, vantages))
        elif not conclusion.country:
            worldwide = msgspec.json.decode(conclusion.state, type=Outages)
            outages[conclusion.platform] = _restore(conclusion, worldwide)
        else:
            state = msgspec.json.decode(conclusion.state, type=CountryPlatform)
            places[conclusion.country, conclusion.platform] = _restore(conclusion, state)
    book = EventBook(places=places, outages=outages, vantages=condition)
    for one in health:
        if one.vantage in vantages:
            book = advance(book, (), settings, health=one).book
    for verdict in verdicts:
        book = advance(book, (verdict,), settings).book
    return msgspec.structs.replace(book, logged=dict(logged))


def readable(saved: Iterable[Checkpoint], quarantined: Quarantined = NOBODY) -> bool:
    """Whether all of this was written by a version that detects as this one does, with the same
    quarantines."""
    return all(
        conclusion.kind == _kind((conclusion.country, conclusion.platform), quarantined)
        for conclusion in saved
    )


def since(saved: Iterable[Checkpoint]) -> datetime | None:
    """The moment from which history must be read again; None: all of it."""
    moments = [conclusion.until for conclusion in saved]
    known = [moment for moment in moments if moment is not None]
    return min(known) if known and len(known) == len(moments) else None


def changeable(book: EventBook) -> tuple[Event, ...]:
    """Every event that may still change: the active ones, and the last of each place."""
    events: dict[str, Event] = {event.id: event for event in book.active}
    for timeline in book.places.values():
        for state in (timeline.settled, timeline.current):
            if state.event is not None:
                events[state.event.id] = state.event
    return tuple(events.values())


def _timeline(book: EventBook, place: CountryPlatformKey) -> VerdictOrder[Any, Any]:
    if place == VANTAGES_KEY:
        return book.vantages
    country, platform = place
    return book.places[place] if country else book.outages[platform]


def _kind(place: CountryPlatformKey, quarantined: Quarantined) -> str:
    """Quarantines change neither vantages themselves nor platforms worldwide."""
    digest = quarantined.digest(place[0]) if all(place) else ""
    return f"{KIND} without {digest}" if digest else KIND


def _conclusion(
    place: CountryPlatformKey, timeline: VerdictOrder[_State, Any], quarantined: Quarantined
) -> Checkpoint:
    at, key = timeline.until or (None, "")
    return Checkpoint(
        country=place[0],
        platform=place[1],
        kind=_kind(place, quarantined),
        until=at,
        until_key=key,
        state=msgspec.json.encode(timeline.settled).decode(),
    )


def _restore(conclusion: Checkpoint, state: _S) -> VerdictOrder[_S, Any]:
    until = None if conclusion.until is None else (conclusion.until, conclusion.until_key)
    return VerdictOrder(settled=state, until=until, current=state)
