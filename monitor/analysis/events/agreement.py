"""Which vantages count where those of one network differ: one alone can be broken, or lie.

A vantage that finds a platform blocked, while at least WITNESSES others of its network found it
open after its first accusation, is an *outlier*: it neither opens an event nor keeps one active.
One that finds open what at least WITNESSES others find blocked is an outlier too, but hides no
event. A person should check both: a VPN left on, another resolver, a machine that was tampered
with.

Who did not test what is blocked contradicts nobody: a quiet vantage measures little speed and no
QUIC, and behind a proxy nobody tests calls.

Two against two is no outlier: the network blocks some of its users, and that is an event.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import chain

import msgspec

from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stream import Stream

WITNESSES = 2
"""Vantages of the same network needed to contradict one."""


class Outlier(msgspec.Struct, frozen=True, kw_only=True):
    """A vantage that differs from the others of its network."""

    vantage: str
    accuses: bool
    """It finds blocked what they find open; else the other way round."""


def outliers(
    streams: Iterable[Stream], now: datetime, settings: EventSettings
) -> tuple[Outlier, ...]:
    """The outliers at `now` (UTC) among the streams of one platform in one country. Agents whose
    keys are new contradict nobody."""
    networks: dict[tuple[int, str], list[Stream]] = {}
    for stream in streams:
        if stream.observed(now, settings.detector):
            networks.setdefault(stream.key, []).append(stream)
    found = [
        _alone(here, {one.vantage for one in here if not settings.trust.is_new(one.vantage, now)})
        for here in networks.values()
        if len(here) > WITNESSES
    ]
    return tuple(outlier for outlier in found if outlier is not None)


def outvoted(
    stream: Stream, streams: Iterable[Stream], now: datetime, settings: EventSettings
) -> bool:
    """Whether its network has enough other vantages to contradict it, that ever found open what it
    finds blocked, and none agrees. Then it confirms nothing alone, even before they do so again."""
    others = [
        other
        for other in streams
        if other.key == stream.key
        and other.vantage != stream.vantage
        and other.observed(now, settings.detector)
        and not settings.trust.is_new(other.vantage, now)
    ]
    able = [other for other in others if _found_open(other, _accused(stream))]
    return len(able) >= WITNESSES and not any(other.suspected for other in others)


def _alone(here: list[Stream], known: Collection[str]) -> Outlier | None:
    """The outlier of one network; only the `known` vantages of it contradict."""
    accusing = [stream for stream in here if stream.suspected]
    if len(accusing) == 1:
        since = accusing[0].detector.run_at or accusing[0].detector.onset_latest
        what = _accused(accusing[0])
        against = [
            one
            for one in here
            if one.vantage in known and _open_after(one, since) and _found_open(one, what, since)
        ]
        if len(against) >= WITNESSES:
            return Outlier(vantage=accusing[0].vantage, accuses=True)
        return None
    if len(accusing) != len(here) - 1:
        return None
    (other,) = (stream for stream in here if not stream.suspected)
    onsets = sorted(s.detector.run_at for s in accusing if s.detector.run_at)
    if sum(stream.vantage in known for stream in accusing) < WITNESSES:
        return None
    # This vantage found it open after all others began to find it blocked.
    what = list(chain.from_iterable(map(_accused, accusing)))
    if onsets and _open_after(other, onsets[-1]) and _found_open(other, what, onsets[-1]):
        return Outlier(vantage=other.vantage, accuses=False)
    return None


def _accused(stream: Stream) -> Collection[str]:
    """What it finds blocked; nothing where an older version stored it."""
    return stream.run.accused if stream.run is not None else ()


def _found_open(stream: Stream, accused: Collection[str], since: datetime | None = None) -> bool:
    """Whether it found any of this open, since that moment if one is given."""
    return not accused or any(stream.has_open(name, since) for name in accused)


def _open_after(stream: Stream, moment: datetime | None) -> bool:
    """Whether its last result is open, later than `moment`; not without one."""
    known = stream.detector
    if moment is None or stream.suspected or known.cleared_at is None or known.cleared_at <= moment:
        return False
    return known.accused_at is None or known.accused_at < known.cleared_at
