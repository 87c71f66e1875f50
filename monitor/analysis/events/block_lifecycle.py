"""One platform in one country: verdict by verdict → one event.

* **Where agents are judged**, `agreement` counts weight instead of vantages: those of one host or
  one network count once, and new keys count little (`monitor.analysis.trust`). Verdicts whose
  controls are unsettled suspect and never confirm.
* **Suspected** as soon as the detector suspects a block on one network (strong evidence once, or
  several weak signs). **Confirmed** when it is certain of one network (conclusive evidence twice,
  or as much from more measurements) or suspects two networks together, and as many vantages agree
  as `agreement` asks for. Outliers and outvoted vantages (`monitor.analysis.events.agreement`)
  confirm nothing.
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

from monitor.analysis.events.agreement import outliers, outvoted
from monitor.analysis.events.event import (
    Change,
    Event,
    EventState,
    NetworkStatus,
    Scope,
    Stretch,
    closed,
    event_id,
    greatest,
    label_of,
    widest,
)
from monitor.analysis.events.recurring_hours import pattern_of
from monitor.analysis.events.sequential_test import Detector
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.shared_map import SharedMap
from monitor.analysis.events.stream import Run, Stream, observe, stream_of
from monitor.analysis.events.stretches import onset_of, went_on
from monitor.analysis.events.support import Support, is_settled, support_of
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence, PlatformVerdict

PROGRESS, LONGEST_PROGRESS = 0.1, timedelta(minutes=10)
"""While a stretch goes on, its last blocked measurement is noted once it is this share longer, or
this much: an event is not stored with every measurement."""
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
    stream = state.streams.get(verdict.vantage) or stream_of(verdict)
    after = observe(stream, verdict, settings.detector)
    streams = state.streams.with_entry(verdict.vantage, after)
    suspected = state.suspected + after.suspected - stream.suspected
    if not suspected and (state.event is None or not state.event.active):
        # Nothing to open, and nothing to go on with, whatever the other vantages found.
        return CountryPlatform(streams=streams, event=state.event), ()
    alone = outliers(streams.values(), verdict.judged_at, settings)
    doubted = {outlier.vantage for outlier in alone if outlier.accuses}
    believed = [stream for stream in streams.values() if stream.vantage not in doubted]
    changes = tuple(_changes(state.event, believed, verdict, settings))
    event = changes[-1].event if changes else state.event
    return CountryPlatform(streams=streams, suspected=suspected, event=event), changes


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
    return msgspec.structs.replace(state, event=last), changes


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
        change = _opened(known, streams, verdict, settings)
        yield change
        yield from _moves(change.event, streams, verdict, settings)
    else:
        yield from _followed(before, streams, verdict, settings)


def _followed(
    before: Event, streams: Sequence[Stream], verdict: _Judged, settings: EventSettings
) -> Iterator[Change]:
    event = _updated(before, streams, verdict, settings)
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
        event = _at(event, verdict, state=back)
        yield Change(name="reblocked", detail=_opening(event), event=event)
    yield from _moves(event, streams, verdict, settings)


def _moves(
    event: Event, streams: Sequence[Stream], verdict: _Judged, settings: EventSettings
) -> Iterator[Change]:
    blocked = any(status.blocked_now for status in event.networks)
    reason = _confirmation(streams, verdict.judged_at, settings)
    if event.state is EventState.SUSPECTED and reason:
        since = event.confirmed_at or verdict.judged_at
        event = _at(event, verdict, state=EventState.CONFIRMED, confirmed_at=since)
        yield Change(name="confirmed", detail=reason, event=event)
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
    yield _closed(event, verdict)


# -- the present form of an event -------------------------------------------------------------


def _opened(
    known: Event | None,
    streams: Sequence[Stream],
    verdict: PlatformVerdict,
    settings: EventSettings,
) -> Change:
    first = _runs(_measuring(streams, verdict.judged_at, settings))[0]
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
    event = _updated(event, streams, verdict, settings)
    return Change(name=name, detail=_opening(event), event=event)


def _comes_back(known: Event, first: Run, settings: EventSettings) -> bool:
    if known.state is not EventState.ENDED:
        return False
    ended = known.end_latest or known.end_earliest or known.updated_at
    return (first.last - ended).total_seconds() <= settings.reopen_within


def _updated(
    before: Event, streams: Sequence[Stream], verdict: _Judged, settings: EventSettings
) -> Event:
    """The event as the streams show it now; its state stays. What one that is silent found before
    is in it already, where it belongs."""
    measuring = _measuring(streams, verdict.judged_at, settings)
    runs = _runs(measuring)
    networks = _networks(before.networks, streams, verdict, settings)
    scope = widest((before.scope, *(run.scope for run in runs)))
    event = _at(
        before,
        verdict,
        scope=scope,
        family=_common_family(before, runs) if scope is Scope.SOME else "",
        share=_common_share(networks) if scope is Scope.SOME else None,
        functions=tuple(sorted({*before.functions, *_functions(runs)})),
        methods=tuple(dict.fromkeys((*before.methods, *_methods(runs)))),
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


def _runs(streams: Iterable[Stream]) -> list[Run]:
    """The runs behind the present block, by the time of the first accusation at each vantage."""
    runs = [stream.run for stream in streams if stream.suspected and stream.run is not None]
    return sorted(runs, key=lambda run: (run.onset_latest, run.measurement))


def _networks(
    before: Sequence[NetworkStatus],
    streams: Sequence[Stream],
    verdict: _Judged,
    settings: EventSettings,
) -> tuple[NetworkStatus, ...]:
    statuses = {status.key: status for status in before}
    onsets: Sequence[datetime] = ()
    by_network: dict[tuple[int, str], list[Stream]] = {}
    for stream in sorted(streams, key=lambda stream: stream.vantage):
        # One that nobody can judge is not spared: it is no network of the event.
        recent = stream.known and stream.observed(verdict.judged_at, settings.detector)
        if recent or stream.key in statuses:
            by_network.setdefault(stream.key, []).append(stream)
    for key, here in by_network.items():
        seen = [s for s in here if s.observed(verdict.judged_at, settings.detector)]
        status = _network(statuses.get(key), here, seen, verdict.judged_at)
        if not status.affected and seen:
            onsets = onsets or _present_onsets(before, streams, verdict.judged_at, settings)
            spared = all(_spared(stream, onsets) for stream in seen)
            status = msgspec.structs.replace(status, found_open=spared)
        statuses[key] = status
    return tuple(sorted(statuses.values(), key=lambda status: (status.asn, status.network)))


def _present_onsets(
    before: Sequence[NetworkStatus],
    streams: Sequence[Stream],
    at: datetime,
    settings: EventSettings,
) -> Sequence[datetime]:
    """Since when each that is blocked now is; where none is any more, since when each last was."""
    now = [
        stream.run.onset_latest
        for stream in streams
        if stream.suspected and stream.run is not None and stream.observed(at, settings.detector)
    ]
    return now or [status.stretches[-1].onset_latest for status in before if status.stretches]


def _spared(stream: Stream, onsets: Sequence[datetime]) -> bool:
    """Whether it is open by its last test, when all others were blocked already: before, its word
    is about another time."""
    cleared, accused = stream.detector.cleared_at, stream.detector.accused_at
    return (
        cleared is not None
        and (accused is None or cleared > accused)
        and cleared >= max(onsets, default=cleared)
    )


def _network(
    old: NetworkStatus | None, here: Sequence[Stream], seen: Sequence[Stream], at: datetime
) -> NetworkStatus:
    """The status of one network from its vantages; `seen` are those with recent results at `at`."""
    blocked = any(stream.suspected for stream in seen)
    fading = blocked and all(stream.found_open for stream in seen if stream.suspected)
    affected = blocked or (old is not None and old.affected)
    recovering = fading or (affected and not blocked and any(stream.recovering for stream in seen))
    over = affected and not blocked and not recovering and any(stream.open for stream in seen)
    # Where no vantage found it open since, it is not open: the vantage is silent, or forgot.
    unobserved = affected and not (blocked or recovering or over) and _not_open_again(old)
    before = old.stretches if old is not None else ()
    now = before
    ongoing = bool(before) and before[-1].end_latest is None
    if blocked and not (fading and (ongoing or _known_to_be_over(before, _runs(seen)))):
        now = _blocked(before, _runs(seen))
    if fading:
        now = (*now[:-1], _over(now[-1], here, None, silent=False))
    elif affected and not blocked and ongoing:
        now = (*before[:-1], _over(before[-1], here, at if over else None, silent=not seen))
    return NetworkStatus(
        asn=here[0].asn,
        network=old.network if old is not None else here[0].network,
        affected=affected,
        blocked_now=blocked and not fading,
        methods=tuple(dict.fromkeys((*(old.methods if old else ()), *_methods(_runs(here))))),
        recovering=recovering,
        unobserved=unobserved,
        stretches=now,
        pattern=pattern_of(now) if old is None or now != before else old.pattern,
        weight=old.weight if old is not None else None,
        share=greatest(*(run.share for run in _runs(here)), old.share if old is not None else None),
    )


def _not_open_again(status: NetworkStatus | None) -> bool:
    return status is not None and (status.blocked_now or status.recovering or status.unobserved)


def _known_to_be_over(before: Sequence[Stretch], runs: Sequence[Run]) -> bool:
    """Whether the last stretch is all that these runs are about, and it was found open since."""
    over = before[-1].end_latest if before else None
    return over is not None and all(run.last <= over for run in runs)


def _blocked(before: tuple[Stretch, ...], runs: Sequence[Run]) -> tuple[Stretch, ...]:
    """The stretches of a network that blocks; `runs` are those of its vantages that measure."""
    ongoing = bool(before) and before[-1].end_latest is None
    past = before[:-1] if ongoing else before
    if past:
        # A vantage may accuse since an earlier stretch: it does not say when this one began.
        over = past[-1].end_latest
        runs = [one for one in runs if over is None or one.onset_latest > over] or runs
    if ongoing:
        opened = _opened_again(before[-1], runs)
        if opened is None:
            return (*past, _longer(before[-1], runs))
        before = (*past, msgspec.structs.replace(before[-1], end_latest=opened, opened=None))
    earliest, latest = onset_of(runs)
    new = Stretch(
        onset_earliest=earliest,
        onset_latest=latest,
        last_blocked=max(run.last for run in runs),
        unsure=max(run.unsure for run in runs),
    )
    return went_on(before, new)


def _opened_again(stretch: Stretch, runs: Iterable[Run]) -> datetime | None:
    """The first moment at which a stretch is known to be over, where every run that accuses now was
    found open since anyone last found it blocked; None where it goes on."""
    ended = stretch.end_earliest
    opened = [one.opened for one in runs]
    found = [at for at in opened if at is not None and ended is not None and at > ended]
    return max(found) if len(found) == len(opened) else None


def _over(
    stretch: Stretch, here: Iterable[Stream], found_at: datetime | None, *, silent: bool
) -> Stretch:
    """A stretch whose network no longer blocks, as far as its vantages know. `found_at` is when all
    that measure agreed on that; None while one is not sure, or none measures. Where all are
    `silent`, it is over if one found it open after any had last found it blocked."""
    known, found_open = list[Detector](), list[datetime | None]()
    for one in here:
        if one.run is not None and one.run.suspected:
            known.append(one.detector)
            found_open.append(one.detector.end_latest or one.detector.open_since)
        elif one.run is not None:
            found_open.append(one.run.opened)  # A sign since then came to nothing, so far.
    blocked = [at for one in known if (at := one.end_earliest or one.accused_since) is not None]
    earliest = max(blocked, default=stretch.end_earliest)
    latest = max((at for at in found_open if at is not None), default=None)
    seen = latest is not None and (earliest is None or latest >= earliest)
    sure = found_at is not None or (silent and seen)
    opened = latest if seen and not sure else None
    if not seen:
        latest = found_at  # The last one to find it blocked measures no longer.
    return msgspec.structs.replace(
        stretch,
        end_earliest=earliest,
        end_latest=latest if sure else None,
        opened=opened,
        last_blocked=None,
    )


def _longer(stretch: Stretch, runs: Sequence[Run]) -> Stretch:
    """A stretch that goes on, or again after measurements that found it open, or after silence."""
    last = max(run.last for run in runs)
    earliest, latest = onset_of((*runs, stretch))
    pause = 0.0
    if stretch.end_earliest is not None:
        pause = max(0.0, (last - stretch.end_earliest).total_seconds())
    noted = stretch.last_blocked
    if noted is None or last - noted >= min(
        LONGEST_PROGRESS, PROGRESS * (noted - stretch.onset_latest)
    ):
        noted = last
    return msgspec.structs.replace(
        stretch,
        onset_earliest=earliest,
        onset_latest=latest,
        end_earliest=None,
        opened=None,
        last_blocked=noted,
        unsure=max(stretch.unsure + pause, *(run.unsure for run in runs)),
    )


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


def _confirmation(streams: Sequence[Stream], now: datetime, settings: EventSettings) -> str:
    """Why the event is certain; empty while it is not. Vantages that are silent have no say."""
    measuring = _measuring(streams, now, settings)
    accusing = [stream for stream in measuring if stream.suspected and is_settled(stream)]
    if settings.trust.total((stream.voice for stream in accusing), now) < settings.agreement:
        return ""
    blocked = {stream.key for stream in accusing}
    if len(blocked) > 1:
        return f"{len(blocked)} networks"
    certain = (stream for stream in accusing if stream.certain)
    if any(not outvoted(stream, streams, now, settings) for stream in certain):
        return "repeated measurements on one network"
    return ""


def _known_to_be_back(
    event: Event, streams: Sequence[Stream], now: datetime, settings: EventSettings
) -> EventState:
    """The state of an event that comes back. What was confirmed is believed to be back at the first
    sign, but for agents: one of them alone must not bring a confirmed block back. What had ended is
    so only where it was."""
    measuring = _measuring(streams, now, settings)
    support = support_of(measuring, now, settings)
    short = support is not None and support.weight < settings.agreement
    known = {status.key for status in event.networks if status.affected}
    elsewhere = not event.active and known.isdisjoint(one.key for one in measuring if one.suspected)
    doubtful = event.confirmed_at is None or short or elsewhere
    return EventState.SUSPECTED if doubtful else EventState.CONFIRMED


def _mostly_over(event: Event) -> bool:
    """Whether as many networks were found open again, since any was last found blocked, as are no
    longer measured: where people measure when they like, some networks never are again."""
    ends = [(status, status.stretches[-1]) for status in event.networks if status.stretches]
    blocked = max(end.end_earliest or end.onset_latest for _, end in ends)
    silent = sum(status.unobserved for status, _ in ends)
    over = sum(end.end_latest is not None and end.end_latest >= blocked for _, end in ends)
    return 0 < silent <= over


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
        if _not_open_again(was) and not _not_open_again(status):
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


def _methods(runs: Iterable[Run]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(method for run in runs for method in run.methods))


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
