"""The hours of the week in which a network blocks, when it does not block all the time."""

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from monitor.replay.replay import NetworkTimeline

_ENOUGH = 3
"""Ends of blocks needed for a pattern."""
_MOSTLY = 0.5
_STEP = timedelta(minutes=15)


def weekly_pattern(
    timeline: NetworkTimeline, since: datetime, until: datetime, zone: tzinfo
) -> str:
    """`weekdays 07–11, 13–17; weekends never` in hours of `zone`; empty without a pattern.

    An hour counts when the network was blocked for most of the time with a known state.
    """
    if sum(start < until for start, _ in timeline.blocks) < _ENOUGH:
        return ""
    known: dict[tuple[bool, int], list[int]] = {}
    for span in timeline.spans:
        if span.blocked is None:
            continue
        moment = max(span.start, since)
        while moment < min(span.end, until):
            local = moment.astimezone(zone)
            counts = known.setdefault((local.weekday() >= 5, local.hour), [0, 0])
            counts[0] += span.blocked
            counts[1] += 1
            moment += _STEP
    parts = []
    for weekend, name in ((False, "weekdays"), (True, "weekends")):
        hours = [
            hour
            for hour in range(24)
            if (seen := known.get((weekend, hour))) and seen[0] > _MOSTLY * seen[1]
        ]
        if len(hours) == 24:
            parts.append(f"{name} all day")
        elif hours:
            parts.append(f"{name} {', '.join(_ranges(hours))}")
    return "; ".join(parts)


def _ranges(hours: Iterable[int]) -> list[str]:
    """Hours as ranges: 7, 8, 9 → 07–10."""
    ranges: list[list[int]] = []
    for hour in hours:
        if ranges and ranges[-1][1] == hour:
            ranges[-1][1] = hour + 1
        else:
            ranges.append([hour, hour + 1])
    return [f"{start:02d}–{end:02d}" for start, end in ranges]
