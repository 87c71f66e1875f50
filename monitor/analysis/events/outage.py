"""A platform that fails from every vantage: its own outage, and nobody's block.

Every field vantage with a recent verdict says *down*, which needs a control that failed too
(`control.also_fails` and its like). Suspected when all of them say so, confirmed when each said so
`SURE` times in a row, over as soon as one vantage reaches the platform again.

Where the platform is blocked, nobody can tell: a vantage that finds it so neither says that it is
down nor that it works. But an outage needs a country in which no vantage finds it blocked.

Nobody's silence ends an outage. When no vantage could decide for `FORGOTTEN`, the event is closed
with an unknown end.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.events.event import (
    Change,
    Event,
    EventKind,
    EventState,
    NetworkStatus,
    closed,
    confirmed,
    event_id,
)
from monitor.analysis.events.pace import Pace
from monitor.analysis.events.shared_map import SharedMap
from monitor.analysis.verdict import Evidence, PlatformVerdict, State
from probes.vantage import VantageRole

FRESH = 3
"""Intervals for which a vantage's last verdict counts: the collector's, and its own where that is
longer and it does not say *down*."""
SURE = 2
FORGOTTEN = timedelta(days=1)
"""Time without a verdict that decides after which nothing is known of an outage."""


class LastVerdict(msgspec.Struct, frozen=True, kw_only=True):
    country: str = ""
    """Empty where an older version stored it."""
    asn: int
    network: str
    down: bool
    blocked: bool = False
    """Neither down nor reached."""
    since: datetime
    """When the measurements that decided the first such verdict in a row ended."""
    before: datetime | None
    """When those that decided the last verdict unlike it began."""
    at: datetime
    """When the first measurement of the last one began."""
    measured_at: datetime | None = None
    """When the measurements that decided the last one began."""
    count: int = 1
    pace: Pace = Pace()
    """Of its verdicts on this platform, with those that decide nothing."""

    @property
    def reached(self) -> bool:
        return not (self.down or self.blocked)

    def until(self, interval: float) -> datetime:
        """The moment until which it counts where it does not say *down*."""
        return self.at + timedelta(seconds=FRESH * self.pace.interval(interval))


class Outages(msgspec.Struct, frozen=True, kw_only=True, rename={"last_verdicts": "words"}):
    """One platform, all countries. Never changed in place.

    One vantage that reaches the platform is enough to know that there is no outage. So all of them
    are read only where none does.
    """

    last_verdicts: SharedMap[LastVerdict] = SharedMap()
    """By vantage."""
    newest_at: datetime | None = None
    """`at` of the newest that says *down* or reached it; None before the first."""
    reached_until: datetime | None = None
    """The moment until which one that reached it counts; None before the first."""
    ended_at: datetime | None = None
    """The end of the last outage, as far as it is known; None before the first."""
    event: Event | None = None


def take_in(
    state: Outages, verdict: PlatformVerdict, interval: float
) -> tuple[Outages, tuple[Change, ...]]:
    """The state after one more verdict, and the changes to events; `interval` is in seconds."""
    known = state.last_verdicts.get(verdict.vantage)
    undecided = verdict.state is State.INSUFFICIENT
    if (
        verdict.vantage_role != VantageRole.FIELD
        or (known is None and undecided)
        or (known is not None and verdict.started_at <= (known.pace.at or known.at))
    ):
        return state, ()
    pace = (known.pace if known else Pace()).reported(verdict.started_at, interval)
    if known is not None and undecided:
        last = msgspec.structs.replace(known, pace=pace)
    else:
        last = _last_verdict(known, verdict, pace)
    after = _with_verdict(state, verdict.vantage, last, interval)
    if undecided:
        return after, ()
    changes = tuple(_changes(after, verdict, known, last, interval))
    return _with_changes(after, changes), changes


def pass_time(state: Outages, now: datetime) -> tuple[Outages, tuple[Change, ...]]:
    """The state at a later moment (UTC), and what changed though no vantage could decide."""
    newest = state.newest_at
    if state.event is None or newest is None or now - newest <= FORGOTTEN:
        return state, ()
    changes = (closed(state.event, _last_down(state, state.event), None, now),)
    return _with_changes(state, changes), changes


def recounted(state: Outages, interval: float) -> Outages:
    """The state with what follows from all vantages found anew, as after it was stored."""
    known = state.last_verdicts.values()
    return msgspec.structs.replace(
        state,
        newest_at=max((one.at for one in known if not one.blocked), default=None),
        reached_until=max((one.until(interval) for one in known if one.reached), default=None),
    )


def _with_verdict(state: Outages, vantage: str, last: LastVerdict, interval: float) -> Outages:
    before = state.last_verdicts.get(vantage)
    newest, reached = state.newest_at, state.reached_until
    if not last.blocked:
        newest = last.at if newest is None else max(newest, last.at)
    until = last.until(interval) if last.reached else None
    was = before.until(interval) if before is not None and before.reached else None
    if until is not None:
        reached = until if reached is None else max(reached, until)
    after = msgspec.structs.replace(
        state,
        last_verdicts=state.last_verdicts.with_entry(vantage, last),
        newest_at=newest,
        reached_until=reached,
    )
    # All are read only where the one that counts longest no longer does.
    shorter = was is not None and was == state.reached_until and (until is None or until < was)
    return recounted(after, interval) if shorter else after


def _with_changes(state: Outages, changes: Sequence[Change]) -> Outages:
    if not changes:
        return state
    event = changes[-1].event
    if event.active:
        return msgspec.structs.replace(state, event=event)
    return msgspec.structs.replace(
        state, event=None, ended_at=event.end_latest or event.end_earliest
    )


def _changes(
    state: Outages,
    verdict: PlatformVerdict,
    known: LastVerdict | None,
    last: LastVerdict,
    interval: float,
) -> Iterator[Change]:
    """What follows from the `last` verdict of a vantage, after the `known` one."""
    event, now = state.event, verdict.judged_at
    if state.reached_until is not None and state.reached_until >= now:
        if event is not None and last.reached:
            was_down = known is not None and known.down
            earliest = last.before if was_down else min(_last_down(state, event), verdict.since)
            yield closed(event, earliest, verdict.until, now)
    elif last.down and (event is None or event.state is EventState.SUSPECTED):
        horizon = now - timedelta(seconds=FRESH * interval)
        everybody = state.last_verdicts.values()
        blocked_in = {s.country for s in everybody if s.blocked and s.until(interval) >= now}
        fresh = [one for one in everybody if one.down and one.at >= horizon]
        if all(one.country in blocked_in for one in fresh):
            return
        if event is None:
            event = _new(verdict, fresh, state.ended_at)
            yield Change(name="opened", detail=f"{len(fresh)} vantages", event=event)
        if all(one.count >= SURE for one in fresh):
            yield confirmed(event, now, f"{len(fresh)} vantages")


def _last_down(state: Outages, event: Event) -> datetime:
    """The last moment at which a vantage is known to have found it down."""
    down = (one.measured_at or one.at for one in state.last_verdicts.values() if one.down)
    return max((event.onset_latest, *down))


def _last_verdict(known: LastVerdict | None, verdict: PlatformVerdict, pace: Pace) -> LastVerdict:
    down, blocked = verdict.state is State.DOWN, verdict.state is State.BLOCKED
    if known is not None and (known.down, known.blocked) == (down, blocked):
        since, before, count = known.since, known.before, known.count + 1
    else:
        before = (known.measured_at or known.at) if known else None
        since, count = verdict.until, 1
    return LastVerdict(
        country=verdict.country,
        asn=verdict.asn,
        network=verdict.network,
        down=down,
        blocked=blocked,
        since=since,
        before=before,
        at=verdict.started_at,
        measured_at=verdict.since,
        count=count,
        pace=pace,
    )


def _new(
    verdict: PlatformVerdict, last_verdicts: Sequence[LastVerdict], ended_at: datetime | None
) -> Event:
    """A new event, which did not begin before the last one ended."""
    began = [one for one in last_verdicts if ended_at is None or one.since > ended_at]
    first = min(began, key=lambda last: last.since, default=None)
    earliest, latest = (first.before, first.since) if first else (None, verdict.until)
    if ended_at is not None:
        earliest = max(earliest or ended_at, ended_at)
    return Event(
        id=event_id(EventKind.OUTAGE, verdict.platform, verdict.measurement),
        kind=EventKind.OUTAGE,
        platform=verdict.platform,
        state=EventState.SUSPECTED,
        networks=tuple(
            NetworkStatus(asn=asn, network=network, affected=True, blocked_now=False)
            for asn, network in sorted({(last.asn, last.network) for last in last_verdicts})
        ),
        onset_earliest=earliest,
        onset_latest=latest,
        detected_at=verdict.judged_at,
        updated_at=verdict.judged_at,
        first_measurement=verdict.measurement,
        evidence=Evidence.NONE.value,
        rules_version=verdict.rules_version,
    )
