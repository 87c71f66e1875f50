"""The state of the detectors, stored for the next process.

The state of every timeline before its last hour is stored with a cycle, in the cycle's own
transaction, every few minutes; after a restart what came since is read again and added. So a
restart changes nothing, whenever it comes. States that another version wrote are not used: then all
of history is read anew.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from monitor.analysis.events import block_lifecycle, outage
from monitor.analysis.events.block_lifecycle import CountryPlatform
from monitor.analysis.events.detection import (
    VANTAGES_KEY,
    CountryPlatformKey,
    EventBook,
    go_on,
    going_on,
)
from monitor.analysis.events.event import Event
from monitor.analysis.events.outage import Outages
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.shared_map import decoded, encoded
from monitor.analysis.events.vantage_reports import Connectivity, only_vantages
from monitor.analysis.events.verdict_order import LATENESS, VerdictOrder, begin
from monitor.analysis.verdict import PlatformVerdict, VantageHealth
from monitor.judging.quarantine import NOBODY, Quarantined
from probes.vantage import VantageRole
from storage.values.checkpoint import Checkpoint

KIND = "timeline-2"
"""Change it whenever what is stored could mean something else."""

KEPT_EVERY, KEPT_FOR = timedelta(hours=6), timedelta(days=3)
"""Of how many moments an earlier state is kept. What comes late by less than `KEPT_FOR` has a few
hours of its platform and country folded again, and not all of history."""
EVERY = timedelta(minutes=5)
"""How much older a stored state may be than the one it stands for. It has the last verdict of every
vantage of a fleet in it, so it is not stored with every cycle."""

APART = timedelta(hours=6)
"""How much older than the newest a state is whose timeline is read by itself after a restart."""

_S = TypeVar("_S")
_State = CountryPlatform | Outages | Connectivity


class DueCheckpoints:
    """Which timelines changed by so much that their state must be stored."""

    def __init__(self) -> None:
        self._stored: dict[CountryPlatformKey, datetime | None] = {}
        self._touched: set[CountryPlatformKey] = set()

    def touch(self, places: Iterable[CountryPlatformKey]) -> None:
        """These changed."""
        self._touched.update(places)

    def rebuild(self, place: CountryPlatformKey) -> None:
        """This one was detected anew: whatever is stored of it no longer holds."""
        self._stored.pop(place, None)

    def stored(self, saved: Iterable[Checkpoint]) -> None:
        """These are stored."""
        for one in saved:
            self._stored[one.country, one.platform] = one.until

    def to_keep(self, due: Iterable[Checkpoint]) -> tuple[Checkpoint, ...]:
        """Those that are the first of their timeline after one of the moments of `KEPT_EVERY`."""
        return tuple(
            one
            for one in due
            if one.country
            and one.until is not None
            and _moment(one.until) != _moment(self._stored.get((one.country, one.platform)))
        )

    def due(self, book: EventBook) -> tuple[CountryPlatformKey, ...]:
        """Those to store now, by what the book has of them."""
        self._touched = {place for place in self._touched if self._is_due(book, place)}
        return tuple(sorted(self._touched))

    def _is_due(self, book: EventBook, place: CountryPlatformKey) -> bool:
        if place not in self._stored:
            return True
        until, stored = _timeline(book, place).until, self._stored[place]
        return until is not None and (stored is None or until[0] - stored >= EVERY)


def _moment(until: datetime | None) -> float | None:
    return None if until is None else until.timestamp() // KEPT_EVERY.total_seconds()


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
            known = decoded(conclusion.state, Connectivity)
            condition = _restore(conclusion, only_vantages(known, vantages))
        elif not conclusion.country:
            worldwide = decoded(conclusion.state, Outages)
            interval = settings.detector.base_interval
            recounted = outage.recounted(worldwide, interval)
            outages[conclusion.platform] = _restore(conclusion, recounted)
        else:
            places[conclusion.country, conclusion.platform] = order_of(conclusion)
    book = EventBook(places=places, going_on=going_on(places), outages=outages, vantages=condition)
    watched = (one for one in health if one.vantage in vantages)
    book = go_on(book, verdicts, watched, settings)
    return msgspec.structs.replace(book, logged=dict(logged))


def kind_of(place: CountryPlatformKey, quarantined: Quarantined) -> str:
    """The kind of the checkpoints of a timeline. Quarantines change neither vantages themselves nor
    platforms worldwide."""
    digest = quarantined.digest(place[0]) if all(place) else ""
    return f"{KIND} without {digest}" if digest else KIND


def order_of(checkpoint: Checkpoint) -> VerdictOrder[CountryPlatform, PlatformVerdict]:
    """A platform in a country as it was. ValueError for a state that cannot be read."""
    state = decoded(checkpoint.state, CountryPlatform)
    return _restore(checkpoint, block_lifecycle.recounted(state))


def readable(saved: Checkpoint, quarantined: Quarantined = NOBODY) -> bool:
    """Whether a version that detects as this one does wrote it, with the same quarantines."""
    return saved.kind == kind_of((saved.country, saved.platform), quarantined)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a restart reads again of history."""

    since: datetime | None
    """UTC; None: all of it."""
    country: str = ""
    platform: str = ""
    """Empty: all of them."""


def to_read(saved: Sequence[Checkpoint], latest: Iterable[PlatformVerdict]) -> tuple[Reading, ...]:
    """What must be read again of verdicts; `latest` are the newest that count.

    A platform that is hardly measured any more in a country has a state of long ago. It is read by
    itself, or all that came since of all others would be read as well.
    """
    newest = _newest(latest)
    begun = {_place(one): _begun(one.until, newest.get(_place(one))) for one in saved}
    since = {
        (country, platform): _earlier(at, begun.get(("", platform), at))
        for (country, platform), at in begun.items()
        if country
    }
    known = [at for at in since.values() if at is not None]
    if not known:
        return tuple(_alone(place, at) for place, at in sorted(since.items()))
    apart = max(known) - APART
    together = min(at for at in known if at >= apart)
    return (
        Reading(since=together),
        *(_alone(place, at) for place, at in sorted(since.items()) if at is None or at < apart),
    )


def behind(
    book: EventBook, latest: Iterable[PlatformVerdict]
) -> tuple[tuple[CountryPlatformKey, datetime], ...]:
    """Platforms in countries whose newest verdict the book lacks, with its moment: retention took
    all of them that came after the state stored, or after none was. `latest` as in `to_read`."""
    lasts = {place: timeline.last for place, timeline in book.places.items()}
    return tuple(
        (place, at)
        for place, at in sorted(_newest(latest).items())
        if all(place) and ((last := lasts.get(place)) is None or last[0] < at)
    )


def _newest(latest: Iterable[PlatformVerdict]) -> dict[CountryPlatformKey, datetime]:
    """When the newest verdict of a field vantage was judged, of each platform in a country and of
    each worldwide."""
    newest: dict[CountryPlatformKey, datetime] = {}
    for verdict in latest:
        if verdict.vantage_role == VantageRole.FIELD:
            for place in ((verdict.country, verdict.platform), ("", verdict.platform)):
                newest[place] = max(newest.get(place, verdict.judged_at), verdict.judged_at)
    return newest


def _alone(place: CountryPlatformKey, since: datetime | None) -> Reading:
    return Reading(since=since, country=place[0], platform=place[1])


def _place(one: Checkpoint) -> CountryPlatformKey:
    return one.country, one.platform


def health_since(saved: Iterable[Checkpoint], newest: datetime | None) -> datetime | None:
    """The moment from which the health of vantages must be read again, None: all of it; `newest` is
    that of the newest that counts."""
    known = next((one.until for one in saved if _place(one) == VANTAGES_KEY), None)
    return _begun(known, newest)


def _begun(until: datetime | None, newest: datetime | None) -> datetime | None:
    """The moment from which a timeline must be read again. Of one without `until` nothing is
    settled: all of it is of the hour before its newest item, about."""
    return until if until is not None or newest is None else newest - 2 * LATENESS


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else min(one, other)


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


def _conclusion(
    place: CountryPlatformKey, timeline: VerdictOrder[_State, Any], quarantined: Quarantined
) -> Checkpoint:
    at, key = timeline.until or (None, "")
    return Checkpoint(
        country=place[0],
        platform=place[1],
        kind=kind_of(place, quarantined),
        until=at,
        until_key=key,
        state=encoded(timeline.settled),
    )


def _restore(conclusion: Checkpoint, state: _S) -> VerdictOrder[_S, Any]:
    until = None if conclusion.until is None else (conclusion.until, conclusion.until_key)
    return VerdictOrder(until=until, current=state)
