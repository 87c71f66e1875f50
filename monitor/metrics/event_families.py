"""Prometheus families about events: blocks, circumstances, and what other witnesses say of them."""

from collections.abc import Iterator
from datetime import datetime

from monitor.analysis.events.event import Event, EventKind
from monitor.analysis.events.stretches import certain_count, first, newest
from monitor.analysis.second_witness import AnyWitness, OutsideWitness, Position, Witness, grade_of
from monitor.metrics.family import (
    PAIR,
    Families,
    Rows,
    pairs_of,
    seconds_of,
)
from monitor.metrics.snapshot import Snapshot
from monitor.wording.events import FULL, PARTIAL, SLOWED, SOME, manner_of
from monitor.wording.functions import function_in_words
from monitor.wording.local_time import local_offset
from monitor.wording.sources import drop_in_words, witness_in_words
from monitor.wording.words import words_in

FAMILIES = Families()

EFFECTS = {FULL: "blocked", SOME: "some", PARTIAL: "partial", SLOWED: "throttled"}
"""The effect of an event on people, as one word for messages that must not claim more."""

OF_EVENT = (*PAIR, "event")
_EVENT = (*OF_EVENT, "state", "effect", "confirmed")
ANY_EVENT = ("kind", "country", "platform", "vantage", "event")


def _of(event: Event) -> tuple[str, ...]:
    """The values of `OF_EVENT`."""
    return event.country, event.platform, event.id


def _facts(event: Event) -> tuple[str, ...]:
    """The values of `_EVENT`."""
    confirmed = str(event.sure).lower()
    return (*_of(event), event.state, EFFECTS[manner_of(event)], confirmed)


def _any(event: Event) -> tuple[str, ...]:
    """The values of `ANY_EVENT`."""
    return event.kind, event.country, event.platform, event.vantage, event.id


def _ended(snapshot: Snapshot, at: datetime, *, blocks: bool) -> Iterator[tuple[Event, float]]:
    """Closed events, each with the later bound of its end, or else when it was closed."""
    for event in snapshot.ended_at(at):
        if (event.kind is EventKind.BLOCK) is blocks:
            yield event, seconds_of(event.end_latest or event.end_earliest or event.updated_at)


def _events(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str], Event]]:
    return ((pair, event) for pair, event in pairs_of(snapshot) if event)


@FAMILIES.gauge(*PAIR, "kind", "annotation")
def annotation_since_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Start of an annotated fact (election, order, denial, ...), in seconds since 1970."""
    for one in snapshot.annotations:
        yield (one.country, one.platform, one.kind, one.id), one.since.timestamp()


@FAMILIES.gauge(*PAIR, "title", "owner")
def blocking_event_active(snapshot: Snapshot, _: datetime) -> Rows:
    """1 while an event (a detected block of a platform in a country) is active, else 0."""
    known = {platform.name: platform for platform in snapshot.catalog.platforms}
    for pair, event in pairs_of(snapshot):
        platform = known[pair[1]]
        yield (*pair, platform.title, platform.owner), event is not None


@FAMILIES.gauge(*_EVENT)
def blocking_event_state(snapshot: Snapshot, _: datetime) -> Rows:
    """Always 1; the labels have the state, effect and id of an active event."""
    return ((_facts(event), 1) for _pair, event in _events(snapshot))


@FAMILIES.info(*OF_EVENT, "function", "meaning")
def blocking_event_function(snapshot: Snapshot, _: datetime) -> Rows:
    """Function of a platform that an active event was seen to affect, also in words."""
    words = words_in()
    for _pair, event in _events(snapshot):
        for function in event.functions:
            yield (*_of(event), function, function_in_words(words, function)), 1


@FAMILIES.gauge(*_EVENT)
def blocking_event_ended_timestamp_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """End of a block whose event was closed within a day, in seconds since 1970; where nobody saw
    it, the last time it was seen."""
    return ((_facts(event), seconds) for event, seconds in _ended(snapshot, at, blocks=True))


@FAMILIES.gauge(*OF_EVENT)
def blocking_event_onset_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Latest bound of the onset of the stretch that goes on, in seconds since 1970."""
    return ((_of(event), seconds_of(newest(event).onset_latest)) for _, event in _events(snapshot))


@FAMILIES.gauge(*OF_EVENT)
def blocking_event_onset_earliest_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Earliest bound of the onset of the stretch that goes on, in seconds since 1970; no sample
    where a network was never found open before."""
    for _pair, event in _events(snapshot):
        if earliest := newest(event).onset_earliest:
            yield _of(event), seconds_of(earliest)


@FAMILIES.gauge(*OF_EVENT, "zone")
def blocking_event_onset_utc_offset_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Seconds the country's clocks are ahead of UTC at the onset; `zone` where clocks differ."""
    for _pair, event in _events(snapshot):
        if local := local_offset(newest(event).onset_latest, event.country):
            yield (*_of(event), local.zone), local.ahead.total_seconds()


@FAMILIES.gauge(*OF_EVENT)
def blocking_event_first_onset_timestamp_seconds(snapshot: Snapshot, _: datetime) -> Rows:
    """Latest bound of the first onset of an active event, in seconds since 1970."""
    return ((_of(event), seconds_of(first(event).onset_latest)) for _, event in _events(snapshot))


@FAMILIES.gauge(*PAIR)
def blocking_event_stretches(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of blocked stretches of an active event that are certainly apart, the one that goes on
    included."""
    return ((pair, certain_count(event)) for pair, event in _events(snapshot))


@FAMILIES.gauge(*PAIR)
def blocking_event_networks_affected(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of networks that blocked the platform during an active event."""
    return ((pair, len(event.networks_affected)) for pair, event in _events(snapshot))


@FAMILIES.gauge(*PAIR)
def blocking_event_networks_seen(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of networks measured during an active event."""
    return ((pair, len(event.networks)) for pair, event in _events(snapshot))


@FAMILIES.gauge(*ANY_EVENT, "state")
def circumstance_state(snapshot: Snapshot, _: datetime) -> Rows:
    """Always 1; an active event other than a block (shutdown, outage, ...) and its state."""
    return (((*_any(event), event.state), 1) for event in snapshot.circumstances)


@FAMILIES.gauge(*ANY_EVENT, "state")
def circumstance_ended_timestamp_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """End of an event other than a block that was closed within a day, in seconds since 1970; where
    nobody saw it, the last time it was seen."""
    for event, seconds in _ended(snapshot, at, blocks=False):
        yield (*_any(event), event.state), seconds


@FAMILIES.gauge(*ANY_EVENT)
def event_end_earliest_timestamp_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Earliest bound of the end of an event closed within a day, in seconds since 1970."""
    for event in snapshot.ended_at(at):
        if event.end_earliest:
            yield _any(event), seconds_of(event.end_earliest)


@FAMILIES.gauge(*ANY_EVENT)
def event_end_latest_timestamp_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Latest bound of the end of an event closed within a day, in seconds since 1970; no sample
    where nobody saw the end."""
    for event in snapshot.ended_at(at):
        if event.end_latest:
            yield _any(event), seconds_of(event.end_latest)


@FAMILIES.gauge(*ANY_EVENT, "zone")
def event_end_utc_offset_seconds(snapshot: Snapshot, at: datetime) -> Rows:
    """Seconds the country's clocks are ahead of UTC at the end; `zone` where clocks differ."""
    for event in snapshot.ended_at(at):
        known = event.end_latest or event.end_earliest
        if known and (local := local_offset(known, event.country)):
            yield (*_any(event), local.zone), local.ahead.total_seconds()


def _witnessed(snapshot: Snapshot) -> Iterator[tuple[Event, AnyWitness]]:
    for event in (*snapshot.events.values(), *snapshot.circumstances):
        for one in snapshot.witnesses.get(event.id, ()):
            yield event, one


def _counted(snapshot: Snapshot) -> Iterator[tuple[Event, Witness]]:
    """Those that count tests: what nobody read is not none."""
    for event, one in _witnessed(snapshot):
        if isinstance(one, Witness) and one.position is not Position.NOT_READ:
            yield event, one


@FAMILIES.info(*PAIR, "kind", "event", "source", "position", "evidence", "meaning", "credit")
def second_witness(snapshot: Snapshot, _: datetime) -> Rows:
    """How a source of others' measurements stands to an active event, also in words."""
    words = words_in()
    for event, one in _witnessed(snapshot):
        what = (event.country, event.platform, event.kind, event.id)
        told = witness_in_words(words, one)
        yield (*what, one.source, one.position, grade_of(one), told.stands, told.credit), 1


@FAMILIES.gauge("event", "source")
def second_witness_tests(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of tests that a source has of an active event; no sample where it was not read."""
    for event, one in _counted(snapshot):
        yield (event.id, one.source), one.total


@FAMILIES.gauge("event", "source")
def second_witness_failed_tests(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of these tests that failed."""
    for event, one in _counted(snapshot):
        yield (event.id, one.source), one.failed


@FAMILIES.gauge("event", "source")
def second_witness_networks(snapshot: Snapshot, _: datetime) -> Rows:
    """Number of networks that these tests were made on."""
    for event, one in _counted(snapshot):
        yield (event.id, one.source), len(one.networks)


@FAMILIES.gauge("event", "source", "datasource", "meaning")
def second_witness_lost_ratio(snapshot: Snapshot, _: datetime) -> Rows:
    """Share of a country that a source outside saw lost at worst during an active event, by way of
    looking; the way is also in words."""
    words = words_in()
    for event, one in _witnessed(snapshot):
        if isinstance(one, OutsideWitness):
            for name, share in one.drops:
                yield (event.id, one.source, name, drop_in_words(words, name)), share
