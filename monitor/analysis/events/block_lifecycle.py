"""One platform in one country: verdict by verdict → one event.

* **Where agents are judged**, `agreement` counts weight instead of vantages: those of one host or
  one network count once, and new keys count little (`monitor.analysis.trust`). Verdicts whose
  controls are unsettled suspect and never confirm.
* **Suspected** as soon as the detector suspects a block on one network (strong evidence once, or
  several weak signs). **Confirmed** when it is certain of one network (conclusive evidence twice,
  or as much from more measurements) or suspects two networks together, and as many vantages agree
  as `agreement` asks for. Outliers and outvoted vantages (`monitor.analysis.events.agreement`)
  confirm nothing. Once every network that confirmed it is open again, the event is suspected on the
  others.
* **Recovering** when every network that blocked was found open since, but some have not been for
  long; **ended** when all are open again, **dismissed** then if it was never confirmed.
* **Unobserved** when the networks that blocked are no longer measured. Silence is not recovery.
  After `forget_after` such an event is closed without a known end.
* **Reopened**, as the same event, when the block comes back within `reopen_within` of the end: a
  block with office hours, or lifted for a day, is one story.
* **Onset** lies between the last clean measurement before the first accusing one and that one;
  at an unknown time before, when a network that blocks was never found open. **End** lies between
  the last accusing measurement and the first clean one after it. Vantages measure at different
  times, so the first to find a block need not be the first that was blocked: the earliest of all
  bounds counts for an onset, the latest for an end (docs/adr/0018, 0052).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.agreement import outliers
from monitor.analysis.events.confirmation import (
    Grounds,
    confirmed_by,
    grounds_of,
    rests_on_others,
    with_confirming,
)
from monitor.analysis.events.event import (
    Change,
    Event,
    EventState,
    NetworkStatus,
    Scope,
    closed,
    event_id,
    greatest,
    label_of,
    widest,
)
from monitor.analysis.events.network_status import (
    methods_of,
    networks_of,
    not_open_again,
    runs_of,
)
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.shared_map import SharedMap
from monitor.analysis.events.stream import Run, Stream, observe, stream_of
from monitor.analysis.events.stretches import meet, onset_of
from monitor.analysis.events.support import Support, is_settled, support_of
from monitor.analysis.trust import Network
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, PlatformVerdict

_OVERLAP = timedelta(hours=72)
"""Of imported data: networks measured within this time tell when a block of several began."""


class CountryPlatform(msgspec.Struct, frozen=True, kw_only=True):
    streams: SharedMap[Stream] = SharedMap()
    """By vantage."""
    suspected: int = 0
    """How many of them are suspected."""
    event: Event | None = None
    """The active one, or the last that ended: it may be reopened."""


def take_in(
    state: CountryPlatform, verdict: PlatformVerdict, settings: EventSettings
) -> tuple[CountryPlatform, tuple[Change, ...]]:
    """The state after one more verdict, and the changes to events, in order."""
    known, fresh = state.streams.get(verdict.vantage), stream_of(verdict)
    # What a vantage found on another network says nothing of this one.
    stream = known if known is not None and known.key == fresh.key else fresh
    if stream.network != fresh.network:
        # An older version kept the vantage's id where a network has neither name nor number.
        stream = msgspec.structs.replace(stream, network=fresh.network)
    after = observe(stream, verdict, settings.detector)
    streams = state.streams.with_entry(verdict.vantage, after)
    suspected = state.suspected + after.suspected - (known is not None and known.suspected)
    if not suspected and (state.event is None or not state.event.active):
        # Nothing to open, and nothing to go on with, whatever the other vantages found.
        return CountryPlatform(streams=streams, event=state.event), ()
    alone = outliers(streams.values(), verdict.judged_at, settings)
    doubted = {outlier.vantage for outlier in alone if outlier.accuses}
    believed = [stream for stream in streams.values() if stream.vantage not in doubted]
    changes = tuple(_changes(state.event, believed, verdict, settings))
    event = changes[-1].event if changes else state.event
    later = CountryPlatform(streams=streams, suspected=suspected, event=event)
    return _known_to_the_silent(later, state.event, verdict.judged_at, settings), changes


def _known_to_the_silent(
    state: CountryPlatform, before: Event | None, now: datetime, settings: EventSettings
) -> CountryPlatform:
    """The state in which silent vantages that had found a block know of its end."""
    event = state.event
    if event is None or event is before:
        return state
    old = {one.key: one for one in before.networks} if before is not None else {}
    opened: dict[Network, datetime | None] = {}
    ends = set[Network]()
    for status in event.networks:
        was = old.get(status.key)
        past = [one.end_latest for one in status.stretches if one.end_latest is not None]
        known = [one.end_latest for one in was.stretches] if was is not None else []
        if past and past[-1] not in known:
            opened[status.key] = past[-1]
        if status.affected and not not_open_again(status) and not_open_again(was):
            ends.add(status.key)
    if event.active and not opened and not ends:
        return state
    streams = state.streams
    for vantage, one in state.streams.items():
        over = not event.active or one.key in ends
        silent = (one.suspected or one.recovering) and not one.observed(now, settings.detector)
        if silent and (over or one.key in opened):
            after = one.silent_while_open(opened.get(one.key), over=over)
            streams = streams.with_entry(vantage, after)
    return recounted(msgspec.structs.replace(state, streams=streams))


def as_stored(
    state: CountryPlatform, event: Event | None, now: datetime, settings: EventSettings
) -> CountryPlatform:
    """The state at `now` (UTC) with its event as later verdicts left it, which are gone; None where
    there is none."""
    later = msgspec.structs.replace(state, event=event)
    return _known_to_the_silent(later, state.event, now, settings)


def recounted(state: CountryPlatform) -> CountryPlatform:
    """The state with its vantages counted anew, as after it was stored."""
    suspected = sum(stream.suspected for stream in state.streams.values())
    return msgspec.structs.replace(state, suspected=suspected)


def pass_time(
    state: CountryPlatform, now: datetime, settings: EventSettings
) -> tuple[CountryPlatform, tuple[Change, ...]]:
    """The state at a later moment (UTC), without a new verdict: where nobody measures any more, an
    event that goes on is unobserved."""
    event, detector = state.event, settings.detector
    if event is None or not event.active:
        return state, ()
    forgotten = (now - _last_blocked(event)).total_seconds() > settings.forget_after
    if event.state is EventState.UNOBSERVED and not forgotten:
        return state, ()
    streams = list(state.streams.values())
    if any(stream.observed(now, detector) for stream in streams):
        return state, ()
    changes = tuple(_followed(event, streams, _Moment(judged_at=now), settings))
    last = changes[-1].event if changes else event
    later = msgspec.structs.replace(state, event=last)
    return _known_to_the_silent(later, event, now, settings), changes


class _Moment(msgspec.Struct, frozen=True, kw_only=True):
    judged_at: datetime


_Judged = PlatformVerdict | _Moment


def _changes(
    known: Event | None,
    streams: Sequence[Stream],
    verdict: PlatformVerdict,
    settings: EventSettings,
) -> Iterator[Change]:
    before = known if known is not None and known.active else None
    if before is None:
        now = verdict.judged_at
        if not any(s.suspected and s.observed(now, settings.detector) for s in streams):
            return
        grounds = grounds_of(streams, now, settings)
        change = _opened(known, streams, verdict, settings, grounds)
        yield change
        yield from _moves(change.event, verdict, settings, grounds)
    else:
        yield from _followed(before, streams, verdict, settings)


def _followed(
    before: Event, streams: Sequence[Stream], verdict: _Judged, settings: EventSettings
) -> Iterator[Change]:
    grounds = grounds_of(streams, verdict.judged_at, settings)
    event = _updated(before, streams, verdict, settings, grounds)
    if event.state is EventState.CONFIRMED and not grounds.reason and rests_on_others(event):
        event = _at(event, verdict, state=EventState.SUSPECTED)
    if event.same_as(before):
        event = before
    else:
        named = list(_named_changes(before, event))
        for name, detail in named or [("", "")]:
            yield Change(name=name, detail=detail, event=event)
    if event.state in (EventState.RECOVERING, EventState.UNOBSERVED) and any(
        status.blocked_now for status in event.networks
    ):
        back = _known_to_be_back(before, streams, verdict.judged_at, settings)
        if rests_on_others(event):
            back = EventState.SUSPECTED
        event = _at(event, verdict, state=back)
        yield Change(name="reblocked", detail=_opening(event), event=event)
    yield from _moves(event, verdict, settings, grounds)


def _moves(
    event: Event, verdict: _Judged, settings: EventSettings, grounds: Grounds
) -> Iterator[Change]:
    blocked = any(status.blocked_now for status in event.networks)
    if event.state is EventState.SUSPECTED and grounds.reason:
        event = confirmed_by(grounds, event, verdict.judged_at)
        yield Change(name="confirmed", detail=grounds.reason, event=event)
    if blocked:
        return
    if any(status.recovering for status in event.networks):
        if event.state is not EventState.RECOVERING:
            event = _at(event, verdict, state=EventState.RECOVERING)
            yield Change(name="recovering", event=event)
        return
    if any(status.unobserved for status in event.networks) and not (
        settings.decided and _mostly_over(event)
    ):
        if event.state is not EventState.UNOBSERVED:
            event = _at(event, verdict, state=EventState.UNOBSERVED)
            yield Change(name="unobserved", event=event)
        silent = verdict.judged_at - _last_blocked(event)
        if silent.total_seconds() <= settings.forget_after:
            return
    yield _closed(event if settings.decided else _without_signs(event), verdict)


# -- the present form of an event -------------------------------------------------------------


def _opened(
    known: Event | None,
    streams: Sequence[Stream],
    verdict: PlatformVerdict,
    settings: EventSettings,
    grounds: Grounds,
) -> Change:
    first = runs_of(_measuring(streams, verdict.judged_at, settings))[0]
    if known is not None and _comes_back(known, first, settings):
        name = "reopened"
        event = _at(
            known,
            verdict,
            state=_known_to_be_back(known, streams, verdict.judged_at, settings),
            reopened=known.reopened + 1,
            end_earliest=None,
            end_latest=None,
        )
    else:
        name = "opened"
        event = Event(
            id=event_id(verdict.country, verdict.platform, first.measurement),
            country=verdict.country,
            platform=verdict.platform,
            state=EventState.SUSPECTED,
            scope=Scope.PARTIAL,
            networks=(),
            onset_earliest=first.onset_earliest,
            onset_latest=first.onset_latest,
            detected_at=verdict.judged_at,
            updated_at=verdict.judged_at,
            first_measurement=first.measurement,
            evidence=Evidence.NONE.value,
            rules_version=verdict.rules_version,
        )
    event = _updated(event, streams, verdict, settings, grounds)
    return Change(name=name, detail=_opening(event), event=event)


def _comes_back(known: Event, first: Run, settings: EventSettings) -> bool:
    if known.state is not EventState.ENDED:
        return False
    ended = known.end_latest or known.end_earliest or known.updated_at
    return (first.last - ended).total_seconds() <= settings.reopen_within


def _updated(
    before: Event,
    streams: Sequence[Stream],
    verdict: _Judged,
    settings: EventSettings,
    grounds: Grounds,
) -> Event:
    """The event as the streams show it now; its state stays. What one that is silent found before
    is in it already, where it belongs."""
    measuring = _measuring(streams, verdict.judged_at, settings)
    runs = runs_of(measuring)
    networks = networks_of(before.networks, streams, verdict.judged_at, settings)
    networks = with_confirming(networks, grounds.certain)
    scope = widest((before.scope, *(run.scope for run in runs)))
    event = _at(
        before,
        verdict,
        scope=scope,
        family=_common_family(before, runs) if scope is Scope.SOME else "",
        share=_common_share(networks) if scope is Scope.SOME else None,
        functions=tuple(sorted({*before.functions, *_functions(runs)})),
        methods=tuple(dict.fromkeys((*before.methods, *methods_of(runs)))),
        networks=networks,
        pattern=_common_pattern(networks),
        share_affected=_share(before.country, networks, settings),
        evidence=max(
            before.evidence,
            _grade(measuring, verdict.judged_at, settings),
            key=lambda e: EVIDENCE_ORDER[Evidence(e)],
        ),
    )
    event = _weighed(event, support_of(measuring, verdict.judged_at, settings), settings)
    firsts = [status.stretches[0] for status in networks if status.stretches]
    earliest, latest = onset_of(firsts, _OVERLAP if settings.decided else None)
    if not settings.decided and any(one.onset_earliest is None for one in firsts):
        earliest = None  # A network that joined may have been blocked before all others.
    return _at(event, verdict, onset_earliest=earliest, onset_latest=latest)


def _weighed(event: Event, support: Support | None, settings: EventSettings) -> Event:
    """The event with what its accusers have weighed at most, and why not more."""
    if support is None:
        return event
    networks = tuple(
        msgspec.structs.replace(one, weight=greatest(one.weight, support.by_network.get(one.key)))
        for one in event.networks
    )
    rising = event.weight is None or support.weight > event.weight
    return msgspec.structs.replace(
        event,
        networks=networks,
        weight=greatest(event.weight, support.weight),
        weight_needed=settings.agreement,
        doubts=support.doubts if rising else event.doubts,
    )


def _measuring(streams: Iterable[Stream], now: datetime, settings: EventSettings) -> list[Stream]:
    """Those whose vantages are not silent."""
    return [one for one in streams if one.observed(now, settings.detector)]


def _common_pattern(networks: Iterable[NetworkStatus]) -> str:
    patterns = {status.pattern for status in networks if status.affected}
    return patterns.pop() if len(patterns) == 1 else ""


def _share(
    country: str, networks: Iterable[NetworkStatus], settings: EventSettings
) -> float | None:
    """The share of the users of networks of known size whose networks block now."""
    shares: Mapping[int, float] = settings.shares.get(country, {})
    seen = [status for status in networks if status.asn in shares]
    total = sum(shares[status.asn] for status in seen)
    if not total:
        return None
    return round(sum(shares[s.asn] for s in seen if s.blocked_now) / total, 4)


# -- from state to state -----------------------------------------------------------------------


def _known_to_be_back(
    event: Event, streams: Sequence[Stream], now: datetime, settings: EventSettings
) -> EventState:
    """The state of an event that comes back. What was confirmed is believed to be back at the first
    sign that may confirm; of agents not by one of them alone. What had ended is believed so only
    where it was."""
    measuring = _measuring(streams, now, settings)
    support = support_of(measuring, now, settings)
    short = support is not None and support.weight < settings.agreement
    affected = [status for status in event.networks if status.affected]
    known = {one.key for one in affected if one.confirmed} or {one.key for one in affected}
    shown = {one.key for one in measuring if one.suspected and is_settled(one)}
    elsewhere = not event.active and known.isdisjoint(shown)
    doubtful = event.confirmed_at is None or short or elsewhere or not shown
    return EventState.SUSPECTED if doubtful else EventState.CONFIRMED


def _mostly_over(event: Event) -> bool:
    """Whether as many networks were found open again, since any was last found blocked, as are no
    longer measured: where people measure when they like, some networks never are again."""
    ends = [(status, status.stretches[-1]) for status in event.networks if status.stretches]
    blocked = max(end.end_earliest or end.onset_latest for _, end in ends)
    silent = sum(status.unobserved for status, _ in ends)
    over = sum(end.end_latest is not None and end.end_latest >= blocked for _, end in ends)
    return 0 < silent <= over


def _without_signs(event: Event) -> Event:
    """A confirmed event without networks that showed signs, never confirmed it, and were not
    blocked while one that did was: they would have been dismissed by themselves."""
    known = [one for status in event.networks if status.confirmed for one in status.stretches]
    networks = tuple(
        msgspec.structs.replace(
            status,
            affected=False,
            unobserved=False,
            methods=(),
            stretches=(),
            pattern="",
            share=None,
        )
        if known and status.affected and not status.confirmed and not meet(status.stretches, known)
        else status
        for status in event.networks
    )
    if networks == event.networks:
        return event
    found = {method for status in networks for method in status.methods}
    methods = tuple(method for method in event.methods if method in found)
    return msgspec.structs.replace(event, networks=networks, methods=methods)


def _closed(event: Event, verdict: _Judged) -> Change:
    ends = [status.stretches[-1] for status in event.networks if status.stretches]
    unseen = any(
        status.unobserved and status.stretches[-1].end_latest is None
        for status in event.networks
        if status.stretches
    ) and not _mostly_over(event)
    return closed(
        event,
        max((e.end_earliest for e in ends if e.end_earliest), default=None),
        None if unseen else max((e.end_latest for e in ends if e.end_latest), default=None),
        max(event.updated_at, verdict.judged_at),
    )


def _last_blocked(event: Event) -> datetime:
    ends = [e.end_earliest or e.onset_latest for s in event.networks for e in s.stretches[-1:]]
    return max(ends, default=event.onset_latest)


def _named_changes(before: Event, after: Event) -> Iterator[tuple[str, str]]:
    old = {status.key: status for status in before.networks}
    for status in after.networks:
        was = old.get(status.key)
        was_blocked = was is not None and was.blocked_now
        if status.blocked_now and not was_blocked:
            again = ", again" if was is not None and was.affected else ""
            yield "network_affected", f"{label_of(status)}{again}"
        if was is None:
            continue
        if status.recovering and not was.recovering:
            yield "network_recovering", label_of(status)
        if status.unobserved and not was.unobserved:
            yield "network_unobserved", label_of(status)
        if not_open_again(was) and not not_open_again(status):
            yield "network_recovered", label_of(status)
        if status.pattern and status.pattern != was.pattern:
            yield "pattern_found", f"{label_of(status)}: {status.pattern}"
    for method in after.methods:
        if method not in before.methods:
            yield "method_added", method
    if after.scope is not before.scope:
        yield "scope_widened", ", ".join(after.functions)


def _at(event: Event, verdict: _Judged, **changes: object) -> Event:
    """A later form of the event; cycles of several vantages may finish out of order."""
    updated_at = max(event.updated_at, verdict.judged_at)
    return msgspec.structs.replace(event, updated_at=updated_at, **changes)


def _opening(event: Event) -> str:
    labels = ", ".join(label_of(status) for status in event.networks if status.blocked_now)
    return f"{labels}: {', '.join(event.methods)}"


def _common_family(before: Event, runs: Iterable[Run]) -> str:
    """The address family that alone was affected, in every run."""
    found = {run.family for run in runs} | ({before.family} if before.networks else set())
    return found.pop() if len(found) == 1 else ""


def _common_share(networks: Iterable[NetworkStatus]) -> float | None:
    """The greatest share that failed, where it was counted on every network affected. By chance a
    cycle finds one family alone cut off, or pictures alone, so runs need not agree."""
    shares = [one.share for one in networks if one.affected]
    return None if None in shares else greatest(*shares)


def _functions(runs: Iterable[Run]) -> tuple[str, ...]:
    return tuple(sorted({function for run in runs for function in run.functions}))


def _grade(streams: Iterable[Stream], now: datetime, settings: EventSettings) -> Evidence:
    """The best grade of the vantages that accuse. Where agents are judged, it is conclusive only if
    enough of them that are unrelated have such evidence: one can sign what nobody measured."""
    accusing = [(one, one.run) for one in streams if one.suspected and one.run is not None]
    best = max((run.evidence for _, run in accusing), key=EVIDENCE_ORDER.__getitem__, default=None)
    if best is not Evidence.CONCLUSIVE:
        return best or Evidence.NONE
    trust = settings.trust
    sure = [one.voice for one, run in accusing if run.evidence is Evidence.CONCLUSIVE]
    alone = not any(trust.is_own(voice.vantage) for voice in sure)
    return Evidence.STRONG if alone and trust.total(sure, now) < settings.agreement else best
