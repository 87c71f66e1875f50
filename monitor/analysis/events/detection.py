"""Results, cycle by cycle → events. A pure fold: a book goes in, a new book comes out.

Any vantage's report shows that time has passed, and so does a clock (`pass_time`): what nobody
measures any more is unobserved then.

Three kinds of timelines are kept: every platform in every country (`block_lifecycle`), the
vantages themselves (`shutdowns`), and every platform worldwide (`outage`). Items are folded by the
time they were judged, whatever order they arrive in, and counted once. Items too late for their
timeline are reported in `Step.late`; a `Rebuild` from the stored history follows.

An event that changes because an item came late is *revised*. One that has no reason any more is
*withdrawn*, and so is one that continues as another. The log keeps what was known before.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TypeVar

import msgspec

from monitor.analysis.events import block_lifecycle, control_differs, outage, shutdowns
from monitor.analysis.events.block_lifecycle import CountryPlatform
from monitor.analysis.events.continuation import (
    continuation_of,
    continued_by_detail,
    continued_events_detail,
)
from monitor.analysis.events.control_differs import DifferingControl
from monitor.analysis.events.event import Change, Event, EventLogEntry, EventState
from monitor.analysis.events.outage import Outages
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.vantage_reports import Connectivity, only_vantages
from monitor.analysis.events.verdict_order import (
    LATENESS,
    Arrival,
    Key,
    Span,
    Take,
    VerdictOrder,
    begin,
    insert,
)
from monitor.analysis.verdict import FunctionVerdict, PlatformVerdict, VantageHealth
from probes.vantage import VantageRole

_S = TypeVar("_S")
_T = TypeVar("_T")
_Timeline = VerdictOrder[CountryPlatform, PlatformVerdict]

HELD = 150
"""Verdicts on a platform that are kept at most for each vantage, on average: one every 30 seconds,
for an hour and a quarter. Whoever sends more only shortens the time for which they are kept."""

CountryPlatformKey = tuple[str, str]
"""Country and platform."""
VANTAGES_KEY: CountryPlatformKey = ("", "")
"""Key of the vantages' own timeline. A platform worldwide has the platform and no country."""


class EventBook(msgspec.Struct, frozen=True, kw_only=True):
    """All checkpoints. Never changed in place."""

    places: Mapping[CountryPlatformKey, _Timeline] = {}
    going_on: frozenset[CountryPlatformKey] = frozenset()
    """Those of `places` with an active event."""
    outages: Mapping[str, VerdictOrder[Outages, PlatformVerdict]] = {}
    vantages: VerdictOrder[Connectivity, VantageHealth] = begin(Connectivity())
    controls: Mapping[str, Event] = {}
    """Control → the active event that it differs from the others."""
    logged: Mapping[str, int] = {}
    """Event id → sequence of its last log entry."""

    @property
    def active(self) -> tuple[Event, ...]:
        """Events that have not ended, oldest first."""
        events = [
            *(self.places[place].current.event for place in self.going_on),
            *(timeline.current.event for timeline in self.outages.values()),
            *self.vantages.current.events.values(),
            *self.controls.values(),
        ]
        active = [event for event in events if event is not None and event.active]
        return tuple(sorted(active, key=lambda event: (event.detected_at, event.id)))


def watch_only(book: EventBook, vantages: Collection[str]) -> EventBook:
    """The book when only these vantages measure: removed ones are not silent."""
    known = book.vantages
    spans = (
        Span(
            only_vantages(span.before, vantages),
            tuple(one for one in span.items if one.item.vantage in vantages),
        )
        for span in known.spans
    )
    kept = tuple(span for span in spans if span.items)
    after = msgspec.structs.replace(
        known,
        held=sum(len(span.items) for span in kept),
        spans=kept,
        current=only_vantages(known.current, vantages),
    )
    return msgspec.structs.replace(book, vantages=after)


def going_on(places: Mapping[CountryPlatformKey, _Timeline]) -> frozenset[CountryPlatformKey]:
    """The places with an active event."""
    return frozenset(place for place, one in places.items() if _goes_on(one))


def _goes_on(timeline: _Timeline) -> bool:
    event = timeline.current.event
    return event is not None and event.active


class Step(msgspec.Struct, frozen=True, kw_only=True):
    book: EventBook
    changed: tuple[Event, ...]
    """New, changed and ended events, each once, in its latest form."""
    log: tuple[EventLogEntry, ...]
    late: tuple[CountryPlatformKey, ...] = ()
    """Keys with a verdict too late to be used without the whole history. (Of vantages and outages
    only the present matters.)"""
    touched: tuple[CountryPlatformKey, ...] = ()
    """Keys whose timelines changed."""


def advance(
    book: EventBook,
    verdicts: Sequence[PlatformVerdict],
    settings: EventSettings,
    *,
    health: VantageHealth | None = None,
    lateness: timedelta = LATENESS,
) -> Step:
    """Fold the platform verdicts of one finished cycle, and the health of its vantage.

    Verdicts of control vantages and known items change nothing. `lateness` is how late an item may
    be and still be put in its place; 0 suits data in order.
    """
    taken = _Taking(book, settings, lateness)
    if health is not None:
        taken.health(health)
    taken.verdicts(verdicts)
    return taken.step()


def go_on(
    book: EventBook,
    verdicts: Iterable[PlatformVerdict],
    health: Iterable[VantageHealth],
    settings: EventSettings,
) -> EventBook:
    """The book after what an earlier process has folded and logged, oldest first."""
    taken = _Taking(book, settings, LATENESS)
    taken.verdicts(verdicts)
    for one in health:
        taken.health(one)
    return taken.step().book


def note_controls(
    book: EventBook,
    compared: Iterable[DifferingControl],
    watched: Collection[str],
    settings: EventSettings,
    at: datetime,
) -> Step:
    """Fold how controls compare with each other at `at` (UTC); `watched` are all that measure."""
    taken = _Taking(book, settings, LATENESS)
    taken.controls(compared, watched, at)
    return taken.step()


def as_stored(
    book: EventBook,
    place: CountryPlatformKey,
    until: datetime,
    event: Event | None,
    settings: EventSettings,
    now: datetime,
) -> EventBook:
    """The book at `now` with a platform's event in a country as verdicts up to `until` left it,
    which are gone (UTC)."""
    known = book.places.get(place) or begin(CountryPlatform())
    state = block_lifecycle.as_stored(known.current, event, now, settings)
    places = {**book.places, place: VerdictOrder(until=(until, ""), current=state)}
    return msgspec.structs.replace(book, places=places, going_on=going_on(places))


def pass_time(book: EventBook, now: datetime, settings: EventSettings) -> Step:
    """What is known at a later moment (UTC), though nobody reported anything."""
    taken = _Taking(book, settings, LATENESS)
    taken.pass_time(now)
    return taken.step()


class Rebuild:
    """Folds one platform in one country anew, from its whole history or from an earlier state."""

    def __init__(
        self,
        book: EventBook,
        place: CountryPlatformKey,
        known: Iterable[Event],
        settings: EventSettings,
        *,
        lateness: timedelta = LATENESS,
        quarantined: Callable[[PlatformVerdict], bool] = lambda _: False,
        since: VerdictOrder[CountryPlatform, PlatformVerdict] | None = None,
    ) -> None:
        """`known` are all stored events of this country and platform. Verdicts that are
        `quarantined` are part of the history but neither accuse nor clear. `since` is the state
        that led to the first verdict taken, where that is not the first of all."""
        self._quarantined = quarantined
        self._taking = _Taking(book, settings, lateness)
        self._place = place
        self._known = {event.id: event for event in known}
        self._older: dict[str, Event] = {}
        self._timeline = since
        self._changes: list[Change] = []
        self._last: datetime | None = None
        if since is not None and since.until is not None:
            self._last = at = since.until[0]
            self._older = {e.id: e for e in self._known.values() if e.detected_at <= at}
            if (event := since.current.event) is not None:
                self._older[event.id] = event

    def take(self, verdicts: Iterable[PlatformVerdict]) -> None:
        """Fold these, in the order of `key_of`. Verdicts of control vantages do not count."""
        for verdict in verdicts:
            if verdict.vantage_role == VantageRole.FIELD:
                self._timeline = self._timeline or self._begin(verdict)
                self._last = verdict.judged_at
                if not self._quarantined(verdict):
                    self._timeline, made = self._taking.next_verdict(self._timeline, verdict)
                    self._changes += made

    def _begin(self, first: PlatformVerdict) -> _Timeline:
        """Events that began before the history cannot be found in it again, only continued."""
        at = first.started_at
        self._older = {e.id: e for e in self._known.values() if e.onset_latest < at}
        lasting = [e for e in self._older.values() if e.end_latest is None or e.end_latest > at]
        return begin(
            CountryPlatform(event=max(lasting, key=lambda e: e.onset_latest, default=None))
        )

    def step(self) -> Step:
        """The book with the new timeline. Events that differ are revised, withdrawn or new."""
        if self._timeline is not None and self._last is not None:
            self._taking.put(self._place, self._timeline)
            self._taking.touched.append(self._place)
            self._taking.log_differences(self._known, self._older, self._changes, self._last)
        return self._taking.step()


class _Taking:
    def __init__(self, book: EventBook, settings: EventSettings, lateness: timedelta) -> None:
        self._lateness = lateness
        self._settings = settings
        self._places = dict(book.places)
        self._going_on = set(book.going_on)
        self._outages = dict(book.outages)
        self._vantages = book.vantages
        self._controls = dict(book.controls)
        self._logged = dict(book.logged)
        self._changed: dict[str, Event] = {}
        self._log: list[EventLogEntry] = []
        interval = settings.detector.base_interval
        self._take_verdict: Take[CountryPlatform, PlatformVerdict] = partial(
            block_lifecycle.take_in, settings=settings
        )
        self._take_outage: Take[Outages, PlatformVerdict] = partial(
            outage.take_in, interval=interval
        )
        self._take_health: Take[Connectivity, VantageHealth] = partial(
            shutdowns.take_in, interval=interval, trust=settings.trust
        )
        self._late: list[CountryPlatformKey] = []
        self.touched: list[CountryPlatformKey] = []

    def step(self) -> Step:
        return Step(
            book=EventBook(
                places=self._places,
                going_on=frozenset(self._going_on),
                outages=self._outages,
                vantages=self._vantages,
                controls=self._controls,
                logged=self._logged,
            ),
            changed=tuple(self._changed.values()),
            log=tuple(self._log),
            late=tuple(dict.fromkeys(self._late)),
            touched=tuple(dict.fromkeys(self.touched)),
        )

    def verdicts(self, verdicts: Iterable[PlatformVerdict]) -> None:
        for verdict in verdicts:
            if verdict.vantage_role == VantageRole.FIELD:
                kept = msgspec.structs.replace(verdict, functions=_shared(verdict.functions))
                key = key_of(kept)
                self._outage(key, kept)
                self._place(key, kept)

    def _place(self, key: Key, verdict: PlatformVerdict) -> None:
        place = (verdict.country, verdict.platform)
        timeline = self._places.get(place) or begin(CountryPlatform())
        most = HELD * (len(timeline.current.streams) + 1)
        after = self._insert(place, timeline, key, verdict, self._take_verdict, most)
        self.put(place, after)

    def put(self, place: CountryPlatformKey, timeline: _Timeline) -> None:
        self._places[place] = timeline
        if _goes_on(timeline):
            self._going_on.add(place)
        else:
            self._going_on.discard(place)

    def _outage(self, key: Key, verdict: PlatformVerdict) -> None:
        timeline = self._outages.get(verdict.platform) or begin(Outages())
        place = ("", verdict.platform)
        most = HELD * (len(timeline.current.last_verdicts) + 1)
        self._outages[verdict.platform] = self._insert(
            place, timeline, key, verdict, self._take_outage, most
        )

    def health(self, health: VantageHealth) -> None:
        key = (health.at, health.vantage)
        most = HELD * (len(self._vantages.current.reports) + 1)
        self._vantages = self._insert(
            VANTAGES_KEY, self._vantages, key, health, self._take_health, most
        )
        self.pass_time(health.at)

    def pass_time(self, now: datetime) -> None:
        for place in sorted(self._going_on):
            timeline = self._places[place]
            state, changes = block_lifecycle.pass_time(timeline.current, now, self._settings)
            if changes:
                self.put(place, msgspec.structs.replace(timeline, current=state))
                self._log_changes(changes, now)
        for platform, worldwide in list(self._outages.items()):
            outages, changes = outage.pass_time(worldwide.current, now)
            if changes:
                self._outages[platform] = msgspec.structs.replace(worldwide, current=outages)
                self._log_changes(changes, now)

    def controls(
        self, compared: Iterable[DifferingControl], watched: Collection[str], at: datetime
    ) -> None:
        self._controls, changes = control_differs.take_in(self._controls, compared, watched, at)
        self._log_changes(changes, at)

    def next_verdict(
        self, timeline: _Timeline, verdict: PlatformVerdict
    ) -> tuple[_Timeline, Iterable[Change]]:
        done = insert(timeline, key_of(verdict), verdict, self._take_verdict, self._lateness)
        return done.order, done.changes

    def _insert(
        self,
        place: CountryPlatformKey,
        timeline: VerdictOrder[_S, _T],
        key: Key,
        item: _T,
        take: Take[_S, _T],
        most: int,
    ) -> VerdictOrder[_S, _T]:
        done = insert(timeline, key, item, take, self._lateness, most)
        if done.arrival is Arrival.NEXT:
            self._log_changes(done.changes, key[0])
            self.touched.append(place)
        elif done.arrival is Arrival.TOO_LATE and all(place):
            self._late.append(place)
        elif done.arrival is Arrival.BETWEEN:
            self.touched.append(place)
            known = _events_of(done.base)
            old = known | {change.event.id: change.event for change in done.replaced}
            newest = done.order.last or key
            self.log_differences(old, known, done.changes, newest[0])
        return done.order

    # -- log -------------------------------------------------------------------------------------

    def _log_changes(self, changes: Iterable[Change], at: datetime) -> None:
        for change in changes:
            event = change.event
            self._changed[event.id] = event
            if change.name:
                sequence = self._logged[event.id] = self._logged.get(event.id, 0) + 1
                self._log.append(
                    EventLogEntry(
                        event=event.id,
                        sequence=sequence,
                        at=at,
                        change=change.name,
                        detail=change.detail,
                        snapshot=event,
                    )
                )

    def log_differences(
        self,
        old: Mapping[str, Event],
        kept: Mapping[str, Event],
        changes: Sequence[Change],
        at: datetime,
    ) -> None:
        """Log how events differ from what was known.

        `old` are the known events, `kept` those that remain unless `changes` differ; `at` is when
        that became known.
        """
        new = {**kept, **{change.event.id: change.event for change in changes}}
        goes_on = {
            before.id: other.id
            for before in old.values()
            if before.id not in new
            and before.state is not EventState.WITHDRAWN
            and (other := continuation_of(before, new.values(), at))
        }
        taken_over: dict[str, list[str]] = {}
        for gone, other_id in goes_on.items():
            taken_over.setdefault(other_id, []).append(gone)
        for change in changes:
            if change.event.id not in old:
                detail = continued_events_detail(change.detail, taken_over.pop(change.event.id, ()))
                named = msgspec.structs.replace(change, detail=detail)
                self._log_changes([named], max(change.event.updated_at, at))
        for event_id, before in old.items():
            after = new.get(event_id)
            moment = max(before.updated_at, at)
            if after is None:
                if before.state is not EventState.WITHDRAWN:
                    detail = continued_by_detail(goes_on[event_id]) if event_id in goes_on else ""
                    gone_now = _withdrawn(before, moment)
                    self._log_changes(
                        [Change(name="withdrawn", detail=detail, event=gone_now)], moment
                    )
            elif after.longer_only(before) and event_id not in taken_over:
                if not after.same_as(before):
                    self._log_changes([Change(event=after, name="")], moment)
            else:
                after = msgspec.structs.replace(after, updated_at=moment)
                detail = continued_events_detail("", taken_over.get(event_id, ()))
                self._log_changes([Change(name="revised", detail=detail, event=after)], moment)


def _withdrawn(event: Event, now: datetime) -> Event:
    """An event that has no reason any more, or continues as another one: nothing of it is so
    now."""
    networks = (
        msgspec.structs.replace(one, blocked_now=False, recovering=False) for one in event.networks
    )
    return msgspec.structs.replace(
        event,
        state=EventState.WITHDRAWN,
        networks=tuple(networks),
        share_affected=None,
        updated_at=now,
    )


@lru_cache(maxsize=8192)
def _shared(functions: tuple[FunctionVerdict, ...]) -> tuple[FunctionVerdict, ...]:
    """One value for all that are equal: most cycles of most vantages find the same."""
    return functions


def key_of(verdict: PlatformVerdict) -> Key:
    """The place of a verdict on its timeline."""
    return (verdict.judged_at, f"{verdict.cycle} {verdict.vantage}")


def _events_of(state: object) -> dict[str, Event]:
    match state:
        case CountryPlatform(event=event) | Outages(event=event):
            return {event.id: event} if event is not None else {}
        case Connectivity(events=events):
            return {event.id: event for event in events.values()}
    return {}
