"""Platform verdicts, cycle by cycle → events: the first, simple detector.

One event per country and platform, whatever the technique. A pure fold: the book goes in with the
verdicts of one finished cycle, a new book comes out with what changed. A sequential test will take
its place later; what crosses the border stays.

* **Blocked** on a network is a state of `monitor.analysis.event_stream`: it begins with one strong
  verdict or two weak ones close together, and lasts until enough in a row were ok.
* **Suspected** as soon as one network is blocked. **Confirmed** when two are, or when one gave
  strong evidence in `confirm_cycles` of its last `window` cycles.
* **Ended** when every network is open again; **dismissed** if it was never confirmed.
* **Onset** lies between the last ok before the first accusing verdict and that verdict, on the
  network where it came first; before monitoring, when that network was never seen ok.

A network is told by its AS number, or by its name where that is not configured, else by its
vantage. An event stays open while a network it saw blocked is silent: silence is not recovery.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.analysis.event import Event, EventLogEntry, EventState, NetworkStatus, Scope
from monitor.analysis.event_stream import Mark, Stream, known, observe, stream_of
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, PlatformVerdict, State
from monitor.settings import EventSettings
from probes.vantage import VantageRole

_Place = tuple[str, str]
"""Country and platform: what an event is about."""


class EventBook(msgspec.Struct, frozen=True, kw_only=True):
    """All a detector knows. Never changed in place."""

    streams: Mapping[tuple[str, str, str], Stream] = {}
    """(country, platform, vantage) → what was seen there lately."""
    events: Mapping[_Place, Event] = {}
    """The active event of each country and platform."""
    logged: Mapping[str, int] = {}
    """Id of each active event → sequence of its last log entry."""

    @property
    def active(self) -> tuple[Event, ...]:
        """Events that have not ended, oldest first."""
        return tuple(sorted(self.events.values(), key=lambda event: (event.detected_at, event.id)))


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one cycle did."""

    book: EventBook
    changed: tuple[Event, ...]
    """New, changed and ended events, each once, in its latest form."""
    log: tuple[EventLogEntry, ...]
    """New log entries, in order."""


def advance(book: EventBook, verdicts: Sequence[PlatformVerdict], settings: EventSettings) -> Step:
    """Take in the platform verdicts of one finished cycle.

    Verdicts of control vantages, and those of a cycle already taken in or older than the last one
    of their vantage, change nothing.
    """
    streams, events, logged = dict(book.streams), dict(book.events), dict(book.logged)
    changed: dict[str, Event] = {}
    log: list[EventLogEntry] = []
    for verdict in verdicts:
        place = (verdict.country, verdict.platform)
        if not _take_in(streams, verdict, settings):
            continue
        before = events.pop(place, None)
        here = [s for key, s in streams.items() if key[:2] == place]
        after = before
        for change, detail, event in _changes(before, here, verdict, settings):
            after = changed[event.id] = event
            if change:
                logged[event.id] = logged.get(event.id, 0) + 1
                log.append(_entry(event, change, detail, logged[event.id], verdict.judged_at))
        if after is not None and after.active:
            events[place] = after
        elif after is not None:
            del logged[after.id]
    after_book = EventBook(streams=streams, events=events, logged=logged)
    return Step(book=after_book, changed=tuple(changed.values()), log=tuple(log))


def book_from(
    history: Iterable[PlatformVerdict],
    active: Iterable[Event],
    settings: EventSettings,
    *,
    logged: Mapping[str, int],
) -> EventBook:
    """Take up after a restart.

    `history` holds recent platform verdicts, oldest first, at least `window` per vantage; `active`
    the stored events that have not ended; `logged` the sequence of the last stored log entry of
    each of them. Raises KeyError for an active event missing there: numbering its log afresh would
    overwrite what was known when.
    """
    streams: dict[tuple[str, str, str], Stream] = {}
    for verdict in history:
        _take_in(streams, verdict, settings)
    events = {(event.country, event.platform): event for event in active}
    for place, event in events.items():
        for key, stream in _forgotten(streams, place, event, settings):
            streams[key] = msgspec.structs.replace(
                stream, blocked=True, last_blocked=stream.last_blocked or event.updated_at
            )
    return EventBook(
        streams=streams,
        events=events,
        logged={event.id: logged[event.id] for event in events.values()},
    )


def _forgotten(
    streams: Mapping[tuple[str, str, str], Stream],
    place: _Place,
    event: Event,
    settings: EventSettings,
) -> list[tuple[tuple[str, str, str], Stream]]:
    """Streams of networks the event knows as blocked, where history does not reach back to why."""
    here = [(key, stream) for key, stream in streams.items() if key[:2] == place]
    explained = {stream.key for _, stream in here if stream.blocked}
    blocked = {_key(status) for status in event.networks if status.blocked_now} - explained
    return [
        (key, stream)
        for key, stream in here
        if stream.key in blocked and stream.oks < settings.clear_cycles
    ]


def _take_in(
    streams: dict[tuple[str, str, str], Stream],
    verdict: PlatformVerdict,
    settings: EventSettings,
) -> bool:
    """Add a verdict to its stream; False when it adds nothing."""
    key = (verdict.country, verdict.platform, verdict.vantage)
    stream = streams.get(key) or stream_of(verdict)
    if verdict.vantage_role != VantageRole.FIELD or known(stream, verdict):
        return False
    streams[key] = observe(stream, verdict, settings)
    return True


# -- one event ---------------------------------------------------------------------------------


def _changes(
    before: Event | None,
    streams: Sequence[Stream],
    verdict: PlatformVerdict,
    settings: EventSettings,
) -> Iterator[tuple[str, str, Event]]:
    """What a verdict does to an event: (change, detail, the event after it), in order.

    A change without a name is one worth storing but not worth a line in the log.
    """
    accused = verdict.state in (State.BLOCKED, State.DEGRADED)
    if before is None and not (accused and any(stream.blocked for stream in streams)):
        return
    event = _updated(before, streams, verdict)
    if before is None:
        yield "opened", _opening(event), event
    elif _facts(event) != _facts(before):
        named = list(_named_changes(before, event))
        for change, detail in named or [("", "")]:
            yield change, detail, event
    else:
        event = before
    if event.state is EventState.SUSPECTED and (detail := _confirmation(event, streams, settings)):
        event = _at(event, verdict, state=EventState.CONFIRMED, confirmed_at=verdict.judged_at)
        yield "confirmed", detail, event
    if not any(status.blocked_now for status in event.networks):
        yield _closed(event, streams, verdict)


def _updated(before: Event | None, streams: Sequence[Stream], verdict: PlatformVerdict) -> Event:
    """The event as the streams show it now; its state stays."""
    marks = sorted(
        (mark for stream in streams for mark in stream.accusing), key=lambda mark: mark.at
    )
    networks = _networks(before, streams)
    if before is None:
        return _new_event(verdict, networks, marks, _first_onset(streams) or marks[0])
    event = _at(
        before,
        verdict,
        scope=Scope.FULL if before.scope is Scope.FULL else _scope(marks),
        roles=tuple(sorted({*before.roles, *_roles(marks)})),
        methods=tuple(dict.fromkeys((*before.methods, *_methods(marks)))),
        networks=networks,
        evidence=max(before.evidence, _best(marks), key=lambda e: EVIDENCE_ORDER[Evidence(e)]),
    )
    earliest = _first_onset(streams)
    if earliest is not None and earliest.at < before.onset_latest:
        event = _at(event, verdict, onset_earliest=earliest.last_ok, onset_latest=earliest.at)
    return event


def _new_event(
    verdict: PlatformVerdict,
    networks: tuple[NetworkStatus, ...],
    marks: Sequence[Mark],
    first: Mark,
) -> Event:
    return Event(
        id=_event_id(verdict, first),
        country=verdict.country,
        platform=verdict.platform,
        state=EventState.SUSPECTED,
        scope=_scope(marks),
        roles=_roles(marks),
        methods=_methods(marks),
        networks=networks,
        onset_earliest=first.last_ok,
        onset_latest=first.at,
        detected_at=verdict.judged_at,
        updated_at=verdict.judged_at,
        first_measurement=first.measurement,
        evidence=_best(marks),
        rules_version=verdict.rules_version,
    )


def _networks(before: Event | None, streams: Sequence[Stream]) -> tuple[NetworkStatus, ...]:
    statuses = {_key(status): status for status in (before.networks if before else ())}
    by_network: dict[tuple[int, str], list[Stream]] = {}
    for stream in sorted(streams, key=lambda stream: stream.vantage):
        if stream.seen or stream.key in statuses:
            by_network.setdefault(stream.key, []).append(stream)
    for key, here in by_network.items():
        old = statuses.get(key)
        blocked = any(stream.blocked for stream in here)
        marks = sorted((m for s in here for m in s.accusing), key=lambda mark: mark.at)
        statuses[key] = NetworkStatus(
            asn=here[0].asn,
            network=old.network if old is not None else here[0].network,
            affected=blocked or (old is not None and old.affected),
            blocked_now=blocked,
            methods=tuple(dict.fromkeys((*(old.methods if old else ()), *_methods(marks)))),
        )
    return tuple(sorted(statuses.values(), key=lambda status: (status.asn, status.network)))


def _confirmation(event: Event, streams: Sequence[Stream], settings: EventSettings) -> str:
    """Why the event is certain; empty while it is not."""
    blocked = [status for status in event.networks if status.blocked_now]
    if len(blocked) > 1:
        return f"{len(blocked)} networks"
    if any(stream.confirms(settings) for stream in streams):
        return f"{settings.confirm_cycles} cycles with strong evidence"
    return ""


def _closed(
    event: Event, streams: Sequence[Stream], verdict: PlatformVerdict
) -> tuple[str, str, Event]:
    affected = {_key(status) for status in event.networks if status.affected}
    were_blocked = [s for s in streams if s.key in affected and s.last_blocked is not None]
    confirmed = event.state is EventState.CONFIRMED
    closed = _at(
        event,
        verdict,
        state=EventState.ENDED if confirmed else EventState.DISMISSED,
        end_earliest=max((s.last_blocked for s in were_blocked if s.last_blocked), default=None),
        end_latest=max((s.open_since for s in were_blocked if s.open_since), default=None),
    )
    return ("ended" if confirmed else "dismissed"), "", closed


def _named_changes(before: Event, after: Event) -> Iterator[tuple[str, str]]:
    old = {_key(status): status for status in before.networks}
    for status in after.networks:
        was = old.get(_key(status))
        was_blocked = was is not None and was.blocked_now
        if status.blocked_now and not was_blocked:
            again = ", again" if was is not None and was.affected else ""
            yield "network_affected", f"{_label(status)}{again}"
        if was_blocked and not status.blocked_now:
            yield "network_recovered", _label(status)
    for method in after.methods:
        if method not in before.methods:
            yield "method_added", method
    if after.scope is not before.scope:
        yield "scope_widened", ", ".join(after.roles)


def _facts(event: Event) -> Event:
    """The event without the time it was touched, to tell whether anything changed."""
    return msgspec.structs.replace(event, updated_at=event.detected_at)


def _at(event: Event, verdict: PlatformVerdict, **changes: object) -> Event:
    """A later form of the event; cycles of several vantages may finish out of order."""
    updated_at = max(event.updated_at, verdict.judged_at)
    return msgspec.structs.replace(event, updated_at=updated_at, **changes)


def _entry(event: Event, change: str, detail: str, sequence: int, at: datetime) -> EventLogEntry:
    return EventLogEntry(
        event=event.id, sequence=sequence, at=at, change=change, detail=detail, snapshot=event
    )


def _first_onset(streams: Sequence[Stream]) -> Mark | None:
    onsets = [s.onset for s in streams if s.blocked and s.onset is not None]
    return min(onsets, key=lambda mark: (mark.at, mark.measurement), default=None)


def _event_id(verdict: PlatformVerdict, first: Mark) -> str:
    named = f"{verdict.country}\n{verdict.platform}\n{first.measurement}"
    return hashlib.sha256(named.encode()).hexdigest()[:20]


def _opening(event: Event) -> str:
    labels = ", ".join(_label(status) for status in event.networks if status.blocked_now)
    return f"{labels}: {', '.join(event.methods)}"


def _label(status: NetworkStatus) -> str:
    number = f"AS{status.asn}" if status.asn else ""
    return " ".join(filter(None, (number, status.network)))


def _key(status: NetworkStatus) -> tuple[int, str]:
    return (status.asn, "" if status.asn else status.network)


def _scope(marks: Iterable[Mark]) -> Scope:
    return Scope.FULL if any(mark.state is State.BLOCKED for mark in marks) else Scope.PARTIAL


def _roles(marks: Iterable[Mark]) -> tuple[str, ...]:
    return tuple(sorted({role for mark in marks for role in mark.roles}))


def _methods(marks: Iterable[Mark]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(mark.method for mark in marks if mark.method))


def _best(marks: Iterable[Mark]) -> str:
    best = max((mark.evidence for mark in marks), key=EVIDENCE_ORDER.__getitem__, default=None)
    return (best or Evidence.NONE).value
