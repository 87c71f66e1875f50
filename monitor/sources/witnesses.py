"""Reads what sources have about an event of our own."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.analysis.events.event import Event, EventKind
from monitor.analysis.events.stretches import stretches
from monitor.analysis.second_witness import (
    AnyWitness,
    OnNetwork,
    Opinion,
    OutsideWitness,
    Position,
    Witness,
)
from monitor.analysis.verdict import Evidence
from monitor.sources import rounds
from monitor.sources.elsewhere import Span, countries_in, fails_elsewhere
from monitor.sources.terms import ASKED, OPINIONS, SIGNALS, TERMS, SourceKind, Terms
from storage.store import SourceStore
from storage.values.sourced import (
    OutsideLevel,
    OutsideSignal,
    SourcedCount,
    SourcedRow,
    SourceState,
)

_OF_COUNTRIES = (EventKind.SHUTDOWN, EventKind.INTERNATIONAL_CUT)
_BEFORE = timedelta(hours=1)
"""A drop may be seen from outside that much before all our vantages are silent."""
_LATE = timedelta(days=1)
"""Time after an event in which a program of the source may notice it."""
_BEHIND = timedelta(hours=3)
"""Time for which a source may have been left alone, as for want of quota, and counts as read."""
_ROUND = timedelta(hours=7)
"""Longest time from the beginning of a round of probes to its end, even where results are late."""
CLEAR: Mapping[str, float] = {"bgp": 0.05, "ping-slash24": 0.2}
"""Datasource → share of a country (0–1) from which on its signal shows an outage: less comes and
goes with maintenance, and in the answers to pings with day and night."""
_SURE = 0.5
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_SILENCE = ".timeout"
_SHOWN_WHOLE = ("dns.", "tls.certificate")
_APART, _NETWORKS = timedelta(minutes=5), 2
"""Rounds, and networks that show an act in both, that are strong evidence together."""


class Unread(Witness, frozen=True, kw_only=True):
    """A source of tests that nobody read about an event: what was measured of it is not known."""

    @property
    def position(self) -> Position:
        """How it stands to the event."""
        return Position.NOT_READ


async def second_witnesses(
    store: SourceStore, event: Event, now: datetime
) -> tuple[AnyWitness, ...]:
    """What every source that is followed has about an event, also when that is nothing: of blocks
    what volunteers measured, of shutdowns what was seen from outside; of a block that too, where
    something was. Empty for other kinds of events. `now` is UTC. Raises StorageError."""
    return (await witnesses_of(store, [event], now))[event.id]


async def witnesses_of(
    store: SourceStore, events: Iterable[Event], now: datetime
) -> dict[str, tuple[AnyWitness, ...]]:
    """The same of several events, by their ids."""
    known = {str(kind): kind for kind in SourceKind}
    stored = await store.source_states()
    states = {known[name]: state for name, state in stored.items() if name in known}
    opinions = stored.get(OPINIONS, SourceState()).opinions
    levels = stored.get(SIGNALS, SourceState()).levels
    return {
        event.id: await _of_one(store, event, now, states, opinions, levels) for event in events
    }


async def _of_one(
    store: SourceStore,
    event: Event,
    now: datetime,
    states: Mapping[SourceKind, SourceState],
    opinions: Sequence[Opinion],
    levels: Sequence[OutsideLevel],
) -> tuple[AnyWitness, ...]:
    if event.kind is not EventKind.BLOCK and event.kind not in _OF_COUNTRIES:
        return ()
    until = now if event.active else event.end_latest or event.end_earliest or event.updated_at
    found: list[AnyWitness] = []
    if event.kind is EventKind.BLOCK and SourceKind.OONI in states:
        found += await _by_volunteers(store, event, until, states[SourceKind.OONI], opinions)
    for kind in ASKED:
        if event.kind is EventKind.BLOCK and kind in states:
            asked = await _on_demand(store, kind, event, until)
            if asked.total or _was_asked(states[kind], event, until):
                found.append(asked)
    if SourceKind.IODA in states:
        state = states[SourceKind.IODA]
        outside = _outside(TERMS[SourceKind.IODA], state, levels, event, until)
        if outside.drops or event.kind in _OF_COUNTRIES:
            found.append(outside)
    return tuple(found)


async def _by_volunteers(
    store: SourceStore,
    event: Event,
    until: datetime,
    state: SourceState,
    opinions: Sequence[Opinion],
) -> list[Witness]:
    """What volunteers measured of a block, beside what they measured in other countries; nothing
    where nobody asks about the country."""
    spans = _blocked(event, until)
    counts = await store.sourced_counts(event.country, event.platform, spans)
    found = _measured(SourceKind.OONI, event, counts)
    elsewhere = found.position is Position.AGREES and await fails_elsewhere(
        store, str(SourceKind.OONI), event, spans, countries_in(state.asked)
    )
    about = _about(event, opinions, until)
    found = msgspec.structs.replace(found, opinions=about, elsewhere=elsewhere)
    if found.total:
        return [found]
    asked = countries_in(state.asked)
    if asked and event.country not in asked:
        return []
    if await _read(store, SourceKind.OONI, state, event, until):
        return [found]
    return [Unread(**msgspec.structs.asdict(found))]


async def _read(
    store: SourceStore, kind: SourceKind, state: SourceState, event: Event, until: datetime
) -> bool:
    """Whether a source was read while an event lasted, and its tests of that time are kept."""
    if not _kept_up(state, event, until):
        return False
    oldest = await anext(store.sourced_rows(str(kind), _EVER), None)
    return not oldest or oldest[0].measured_at < until


def _kept_up(state: SourceState, event: Event, until: datetime) -> bool:
    """Whether a source was read since an event began and nearly `until` (UTC). One that fails since
    is not silent about the rest: a shutdown may cut the monitor itself off."""
    answered = state.answered_at
    return answered is not None and answered >= max(event.onset_latest, until - _BEHIND)


def _blocked(event: Event, until: datetime) -> list[Span]:
    """When it was blocked in the country, `until` (UTC) at most: what passed while our own vantages
    found it open too says nothing against it."""
    found = stretches(event)
    # One without a latest end may have lasted until the next.
    later = [one.onset_latest for one in found[1:]]
    return [
        (one.onset_latest, min(until, one.end_latest or following))
        for one, following in zip(found, [*later, until], strict=True)
    ]


def _was_asked(state: SourceState, event: Event, until: datetime) -> bool:
    """Whether probes were asked about it, `until` (UTC) at most: those that were not are no silent
    witness, nor are those that were asked about a later event."""
    place = event.country, event.platform
    done = rounds.moments(state.cursors, rounds.DONE, *place)
    return any(
        begun <= at <= begun + _ROUND
        for begun in rounds.moments(state.cursors, rounds.TRIED, *place)
        if event.onset_latest <= begun <= until
        for at in done
    )


async def _on_demand(
    store: SourceStore, kind: SourceKind, event: Event, until: datetime
) -> Witness:
    """What probes found that were asked because of the event."""
    spans = _blocked(event, until)
    counts = await store.sourced_counts(event.country, event.platform, spans)
    failed = [
        one
        async for page in store.sourced_rows(str(kind), event.onset_latest)
        for one in page
        if (one.country, one.platform) == (event.country, event.platform)
        and any(begins <= one.measured_at < ends for begins, ends in spans)
        and one.failed > _SURE
        and not one.left_out
    ]
    return _measured(kind, event, counts, grade_of_probes(kind, failed))


def grade_of_probes(kind: SourceKind, failed: Iterable[SourcedRow]) -> Evidence:
    """How much failing tests by probes prove: never more than weak, unless on two networks or more
    somebody acted (a reset, a forged answer) in two rounds, five minutes apart or more. Silence
    alone is a hint, however often. Of RIPE Atlas only what a probe shows whole counts as an act: a
    forged answer, or a bad chain."""
    acted: dict[int, list[datetime]] = {}
    grade = Evidence.NONE
    for one in failed:
        grade = Evidence.WEAK
        if any(_is_act(kind, method) for method in one.methods):
            acted.setdefault(one.asn, []).append(_round_of(kind, one))
    again = [times for times in acted.values() if max(times) - min(times) >= _APART]
    return Evidence.STRONG if len(again) >= _NETWORKS else grade


def _round_of(kind: SourceKind, row: SourcedRow) -> datetime:
    """A moment that tells the round of a test: all tests of Globalping are dated by the question;
    probes of RIPE Atlas test when they get to it, minutes apart, and are read together."""
    return row.received_at if kind is SourceKind.ATLAS else row.measured_at


def _is_act(kind: SourceKind, method: str) -> bool:
    whole = kind is not SourceKind.ATLAS or method.startswith(_SHOWN_WHOLE)
    return whole and not method.endswith(_SILENCE)


def _measured(
    source: SourceKind,
    event: Event,
    counts: list[SourcedCount],
    grade: Evidence = Evidence.NONE,
) -> Witness:
    terms = TERMS[source]
    open_for_us = {one.asn for one in event.networks if one.found_open} - {
        one.asn for one in event.networks if one.affected
    }
    return Witness(
        source=str(source),
        grade=grade,
        title=terms.title,
        credit=terms.credit,
        home=terms.home,
        networks=tuple(
            OnNetwork(asn=one.asn, total=one.total, failed=one.failed)
            for one in counts
            # What passes where our own vantages find it open says nothing against the block.
            if one.source == source
            and (one.asn not in open_for_us or one.failed >= one.total * _SURE)
        ),
    )


def _about(event: Event, opinions: Iterable[Opinion], until: datetime) -> tuple[Opinion, ...]:
    """Opinions about an event's platform in its time, and some hours after: they come late."""
    begins = event.onset_earliest or event.onset_latest
    return tuple(
        one
        for one in opinions
        if (one.country, one.platform) == (event.country, event.platform)
        and begins <= one.at <= until + _LATE
    )


def _outside(
    terms: Terms,
    state: SourceState,
    levels: Iterable[OutsideLevel],
    event: Event,
    until: datetime,
) -> OutsideWitness:
    begins = event.onset_earliest or event.onset_latest
    own = [one for one in levels if one.event == event.id]
    shown = {one.datasource: one.lost for one in own}
    well = {name for name, lost in shown.items() if lost < CLEAR[name]}
    # An alert of before the event that nothing closed is outweighed by the signal of its time.
    alerts = [one for one in state.signals if one.began_at >= begins or one.datasource not in well]
    worst = _worst(alerts, event, until)
    small = {name: lost for name, lost in worst.items() if 0 < lost < CLEAR.get(name, 0.0)}
    # An alert that does not say how much was lost is taken at its word.
    drops = {name: lost for name, lost in worst.items() if name not in small}
    for name, lost in shown.items():
        if lost >= CLEAR[name]:
            drops[name] = max(lost, drops.get(name, 0.0))
    read = any(one.until >= until - _BEHIND for one in own) or (
        event.country in state.asked.split(",")
        and _kept_up(state, event, until)
        and state.known_since is not None
        and state.known_since <= begins - _BEFORE
    )
    # A small drop of before says nothing of a time that was not read.
    usual = {**shown, **{name: max(lost, shown.get(name, 0.0)) for name, lost in small.items()}}
    quiet = {name: lost for name, lost in usual.items() if read and name not in drops}
    return OutsideWitness(
        source=str(SourceKind.IODA),
        title=terms.title,
        credit=terms.credit,
        home=f"{terms.home}country/{event.country}",
        read=read,
        of_platform=event.kind is EventKind.BLOCK,
        drops=tuple(sorted(drops.items())),
        quiet=tuple(sorted(quiet.items())),
    )


def _worst(signals: Iterable[OutsideSignal], event: Event, until: datetime) -> dict[str, float]:
    """Datasource → the largest drop that overlaps the event."""
    begins = (event.onset_earliest or event.onset_latest) - _BEFORE
    found: dict[str, float] = {}
    for one in signals:
        overlaps = one.began_at <= until and (one.ended_at is None or one.ended_at >= begins)
        if one.country == event.country and overlaps:
            found[one.datasource] = max(one.drop, found.get(one.datasource, 0.0))
    return found
