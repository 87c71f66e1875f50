"""Each network of a country during an event, from the streams of its vantages: whether it blocks,
is open again or is no longer measured, and when it blocked.

**Who speaks for a network.** A block may hit some users of a network and not others. A vantage that
was open all the time does not know whether one that fell silent while it was blocked still is: only
one that was found open after that one was last found blocked does. Nor does one that does not test
what was blocked, as calls from behind a proxy.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.analysis.events.event import NetworkStatus, Stretch, greatest
from monitor.analysis.events.recurring_hours import pattern_of
from monitor.analysis.events.sequential_test import Detector
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stream import Run, Stream
from monitor.analysis.events.stretches import onset_of, went_on

PROGRESS, LONGEST_PROGRESS = 0.1, timedelta(minutes=10)
"""While a stretch goes on, its last blocked measurement is noted once it is this share longer, or
this much: an event is not stored with every measurement."""


def networks_of(
    before: Sequence[NetworkStatus],
    streams: Sequence[Stream],
    at: datetime,
    settings: EventSettings,
) -> tuple[NetworkStatus, ...]:
    """The networks seen during an event, as they are at `at` (UTC)."""
    statuses = {status.key: status for status in before}
    onsets: Sequence[datetime] = ()
    accused: Collection[str] = ()
    # One that has no vantages any more is no longer measured.
    by_network: dict[tuple[int, str], list[Stream]] = {key: [] for key in statuses}
    for stream in sorted(streams, key=lambda stream: stream.vantage):
        # One that nobody can judge is not spared: it is no network of the event.
        recent = stream.known and stream.observed(at, settings.detector)
        if recent or stream.key in statuses:
            by_network.setdefault(stream.key, []).append(stream)
    for key, here in by_network.items():
        seen = [s for s in here if s.observed(at, settings.detector)]
        status = _network(statuses.get(key), here, seen, at, settings.detector.end_readings)
        if not status.affected and seen:
            onsets = onsets or _present_onsets(before, streams, at, settings)
            accused = accused or _accused(streams, at, settings)
            spared = all(_spared(stream, onsets, accused) for stream in seen)
            status = msgspec.structs.replace(status, found_open=spared)
        statuses[key] = status
    return tuple(sorted(statuses.values(), key=lambda status: (status.asn, status.network)))


def _accused(streams: Iterable[Stream], at: datetime, settings: EventSettings) -> frozenset[str]:
    """What is blocked now, by the names of `Stream.open_at`; where nothing is any more, what last
    was."""
    found = [one for one in streams if one.run is not None and one.run.suspected]
    now = [one for one in found if one.suspected and one.observed(at, settings.detector)]
    runs = [one.run for one in now or found if one.run is not None]
    return frozenset(name for run in runs for name in run.accused)


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


def _spared(stream: Stream, onsets: Sequence[datetime], accused: Collection[str]) -> bool:
    """Whether it is open by its last test, and all that is `accused` was found so, when all others
    were blocked already: before, its word is about another time."""
    cleared, accused_at = stream.detector.cleared_at, stream.detector.accused_at
    since = max(onsets, default=None)
    return (
        cleared is not None
        and (accused_at is None or cleared > accused_at)
        and (since is None or cleared >= since)
        and all(stream.has_open(name, since) for name in accused)
    )


def _network(
    old: NetworkStatus | None,
    here: Sequence[Stream],
    seen: Sequence[Stream],
    at: datetime,
    needed: int,
) -> NetworkStatus:
    """The status of one network from its vantages; `seen` are those with recent results at `at`.
    One that never found it blocked knows its end from so many readings as are `needed`."""
    blocked = any(stream.suspected for stream in seen)
    fading = blocked and all(stream.found_open for stream in seen if stream.suspected)
    affected = blocked or (old is not None and old.affected)
    opened = affected and not blocked and _open_again(here, seen)
    sure = [stream for stream in seen if _knows_of_ends(stream, needed)]
    unsure = opened and not_open_again(old) and not _open_again(here, sure)
    recovering = fading or (
        affected and not blocked and (unsure or any(stream.recovering for stream in seen))
    )
    over = opened and not recovering
    # Where no vantage found it open since, it is not open: the vantage is silent, or forgot.
    unobserved = affected and not (blocked or recovering or over) and not_open_again(old)
    before = old.stretches if old is not None else ()
    now = before
    ongoing = bool(before) and before[-1].end_latest is None
    if blocked and not (fading and (ongoing or _known_to_be_over(before, runs_of(seen)))):
        now = _blocked(before, runs_of(seen))
    if fading:
        now = (*now[:-1], _over(now[-1], here, None, silent=False))
    elif affected and not blocked and ongoing:
        silent = not (over or recovering)
        now = (*before[:-1], _over(before[-1], here, at if over else None, silent=silent))
    unnamed = bool(here) and not (here[0].asn or here[0].network)
    # Of one without name and number an older version stored its vantage as its name.
    named = here[0] if old is None or unnamed else old
    return NetworkStatus(
        asn=named.asn,
        network=named.network,
        vantage=named.vantage if unnamed else old.vantage if old is not None else "",
        affected=affected,
        blocked_now=blocked and not fading,
        methods=tuple(dict.fromkeys((*(old.methods if old else ()), *methods_of(runs_of(here))))),
        recovering=recovering,
        unobserved=unobserved,
        stretches=now,
        pattern=pattern_of(now) if old is None or now != before else old.pattern,
        weight=old.weight if old is not None else None,
        confirmed=old is not None and old.confirmed,
        share=greatest(
            *(run.share for run in runs_of(here)), old.share if old is not None else None
        ),
    )


def _open_again(here: Sequence[Stream], seen: Sequence[Stream]) -> bool:
    """Whether one of those `seen` was found open after each that is silent was found blocked."""
    silent = [
        (at, one.run.accused)
        for one in here
        if one.suspected and not one.found_open and one.run is not None
        if (at := one.detector.accused_since or one.detector.accused_at) is not None
    ]
    last = max((at for at, _ in silent), default=datetime.min.replace(tzinfo=UTC))
    accused = frozenset(name for _, names in silent for name in names)
    return any(
        one.open
        and one.opened is not None
        and one.opened > last
        and (not accused or any(one.has_open(name, last) for name in accused))
        for one in seen
    )


def _knows_of_ends(stream: Stream, needed: int) -> bool:
    """Whether an open network is no leak to this vantage: it found the block over, or it never
    found any and has so many readings as are `needed`."""
    found = stream.run is not None and stream.run.suspected
    return found or stream.detector.baseline.readings >= needed


def not_open_again(status: NetworkStatus | None) -> bool:
    """Whether a network that blocked may still do so."""
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
        later = [one for one in runs if over is None or one.onset_latest > over]
        runs = [_after(past[-1], one) for one in later or runs]
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


def _after(stretch: Stretch, run: Run) -> Run:
    """A run, as far as it is about the time after a stretch that is over. Its vantage may not have
    been measured at the end of that stretch: what it found before dates no later onset."""
    ended, over = stretch.end_earliest, stretch.end_latest
    if ended is None or over is None:
        return run
    earliest, latest = run.onset_earliest, run.onset_latest
    if earliest is not None and earliest < ended:
        earliest = over
    if latest <= over:
        earliest, latest = over, max(over, run.last)
    return msgspec.structs.replace(run, onset_earliest=earliest, onset_latest=latest)


def _opened_again(stretch: Stretch, runs: Iterable[Run]) -> datetime | None:
    """The first moment at which a stretch is known to be over, where every run that accuses now was
    found open since anyone last found it blocked; None where it goes on."""
    ended = stretch.end_earliest
    opened = [one.opened for one in runs]
    found = [at for at in opened if at is not None and ended is not None and at > ended]
    return max(found) if len(found) == len(opened) else None


def _over(
    stretch: Stretch, here: Sequence[Stream], found_at: datetime | None, *, silent: bool
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
            found_open.append(one.opened)  # A sign since then came to nothing, so far.
    blocked = [at for one in known if (at := one.end_earliest or one.accused_since) is not None]
    earliest = max(blocked, default=stretch.end_earliest or stretch.last_blocked)
    latest = max((at for at in found_open if at is not None), default=None)
    seen = latest is not None and (earliest is None or latest >= earliest)
    sure = found_at is not None or (silent and seen)
    opened = latest if seen and not sure else None
    if not seen:
        # The last one to find it blocked measures no longer.
        new = (one.opened for one in here if one.run is None)
        since = [at for at in new if at is not None and (earliest is None or at >= earliest)]
        latest = max(since, default=found_at) if found_at is not None else None
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


def runs_of(streams: Iterable[Stream]) -> list[Run]:
    """The runs behind the present block, by the time of the first accusation at each vantage."""
    runs = [stream.run for stream in streams if stream.suspected and stream.run is not None]
    return sorted(runs, key=lambda run: (run.onset_latest, run.measurement))


def methods_of(runs: Iterable[Run]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(method for run in runs for method in run.methods))
