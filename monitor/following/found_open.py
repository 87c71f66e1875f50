"""The end of a block whose failing rows are too old to be folded: by the rows that pass since, or
unknown once nobody has found it blocked for months."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from monitor.analysis.events.event import Event, NetworkStatus, closed
from monitor.analysis.events.settings import EventSettings
from monitor.analysis.events.stretches import newest
from monitor.following.earlier_stretches import blocked_until
from monitor.replay.imported_row import Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import FORGET_AFTER, NetworkTimeline, replay_rows

Place = tuple[str, str]
"""Country and platform."""
Opened = Mapping[tuple[str, str, int], datetime]
"""Country, platform and AS number → since when a network is open (UTC)."""


def found_open(
    rows: Iterable[Row], places: Collection[Place], lookup: PlatformLookup, settings: EventSettings
) -> Opened:
    """The networks that were last found open, of these countries and platforms."""
    here = [row for row in rows if (row.country, row.platform) in places]
    found: dict[tuple[str, str, int], datetime] = {}
    for timeline in replay_rows(here, lookup, settings).timelines if here else ():
        at = _opened(timeline)
        if at is not None:
            found[timeline.country, timeline.platform, timeline.asn] = at
    return found


def _opened(timeline: NetworkTimeline) -> datetime | None:
    at: datetime | None = None
    for span in timeline.spans:
        if span.blocked:
            at = None
        elif span.blocked is False and at is None:
            at = span.start
    return at


def over(event: Event, opened: Opened, now: datetime) -> Event | None:
    """The event as it ended (`now` in UTC), where at least as many of its networks are open since
    it was last seen as are no longer measured; None else."""
    networks = [
        _over(status, opened.get((event.country, event.platform, status.asn)))
        for status in event.networks
    ]
    ended = sum(was != status for was, status in zip(event.networks, networks, strict=True))
    last = [status.stretches[-1] for status in networks if status.stretches]
    silent = sum(one.end_earliest is None for one in last)
    if not ended or silent > ended:
        return None
    return closed(
        replace(event, networks=tuple(networks)),
        max(one.end_earliest or one.last_blocked or one.onset_latest for one in last),
        max((one.end_latest for one in last if one.end_latest is not None), default=None),
        now,
    ).event


def forgotten(event: Event, now: datetime) -> Event | None:
    """The event closed without a known end, where nobody has found it blocked for so long (`now` in
    UTC) that what is found later is another one; None else."""
    blocked = blocked_until(newest(event))
    if (now - blocked).total_seconds() <= FORGET_AFTER:
        return None
    silent = tuple(map(_silent, event.networks))
    return closed(replace(event, networks=silent), blocked, None, now).event


def _silent(status: NetworkStatus) -> NetworkStatus:
    """A network of which nobody knows any more whether it blocks."""
    if not status.stretches:
        return status
    *before, last = status.stretches
    if last.end_earliest is None:
        last = replace(last, end_earliest=blocked_until(last), last_blocked=None)
    return replace(
        status,
        stretches=(*before, last),
        blocked_now=False,
        recovering=False,
        unobserved=status.blocked_now or status.recovering or status.unobserved,
    )


def _over(status: NetworkStatus, at: datetime | None) -> NetworkStatus:
    """A network with the end of its last stretch, if it is open since `at`."""
    if not status.stretches or at is None:
        return status
    *before, last = status.stretches
    blocked = last.last_blocked or last.onset_latest
    if last.end_earliest is not None or at <= blocked:
        return status
    end = replace(last, end_earliest=blocked, end_latest=at, opened=None, last_blocked=None)
    return replace(
        status,
        stretches=(*before, end),
        blocked_now=False,
        recovering=False,
        unobserved=False,
    )
