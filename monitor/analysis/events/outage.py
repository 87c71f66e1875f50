"""A platform that fails from every vantage: its own outage, and nobody's block.

Every field vantage with a recent verdict says *down*, which needs a control that failed too
(`control.also_fails` and its like). Suspected when all of them say so, confirmed when each said so
`SURE` times in a row, over as soon as one vantage reaches the platform again.
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
from monitor.analysis.events.shared_map import SharedMap
from monitor.analysis.verdict import Evidence, PlatformVerdict, State
from probes.vantage import VantageRole

FRESH = 3
"""Intervals for which a vantage's last verdict counts."""
SURE = 2


class LastVerdict(msgspec.Struct, frozen=True, kw_only=True):
    asn: int
    network: str
    down: bool
    since: datetime
    """When the measurements that decided the first such verdict in a row ended."""
    before: datetime | None
    """When those that decided the last verdict unlike it began."""
    at: datetime
    """When the first measurement of the last one began."""
    measured_at: datetime | None = None
    """When the measurements that decided the last one began."""
    count: int = 1


class Outages(msgspec.Struct, frozen=True, kw_only=True, rename={"last_verdicts": "words"}):
    """One platform, all countries. Never changed in place.

    One vantage that reaches the platform is enough to know that there is no outage. So all of them
    are read only where none does.
    """

    last_verdicts: SharedMap[LastVerdict] = SharedMap()
    """By vantage."""
    newest_at: datetime | None = None
    """`at` of the newest of them; None before the first."""
    reached_at: datetime | None = None
    """The same of those that are not down."""
    event: Event | None = None


def take_in(
    state: Outages, verdict: PlatformVerdict, interval: float
) -> tuple[Outages, tuple[Change, ...]]:
    """The state after one more verdict, and the changes to events; `interval` is in seconds."""
    known = state.last_verdicts.get(verdict.vantage)
    if (
        verdict.vantage_role != VantageRole.FIELD
        or verdict.state is State.INSUFFICIENT
        or (known is not None and verdict.started_at <= known.at)
    ):
        return state, ()
    last = _last_verdict(known, verdict)
    after = Outages(
        last_verdicts=state.last_verdicts.with_entry(verdict.vantage, last),
        newest_at=last.at if state.newest_at is None else max(state.newest_at, last.at),
        reached_at=state.reached_at,
        event=state.event,
    )
    if not last.down:
        reached_at = last.at if state.reached_at is None else max(state.reached_at, last.at)
        after = msgspec.structs.replace(after, reached_at=reached_at)
    elif known is not None and not known.down and known.at == state.reached_at:
        after = recounted(after)
    horizon = verdict.judged_at - timedelta(seconds=FRESH * interval)
    changes = tuple(_changes(after, verdict, last, horizon))
    if not changes:
        return after, ()
    event = changes[-1].event
    return msgspec.structs.replace(after, event=event if event.active else None), changes


def recounted(state: Outages) -> Outages:
    """The state with what follows from all vantages found anew, as after it was stored."""
    known = state.last_verdicts.values()
    return msgspec.structs.replace(
        state,
        newest_at=max((one.at for one in known), default=None),
        reached_at=max((one.at for one in known if not one.down), default=None),
    )


def _changes(
    state: Outages, verdict: PlatformVerdict, last: LastVerdict, horizon: datetime
) -> Iterator[Change]:
    """What follows from the verdicts since `horizon`, of which `last` is the newest vantage's."""
    event = state.event
    known = state.newest_at is not None and state.newest_at >= horizon
    reached = state.reached_at is not None and state.reached_at >= horizon
    if reached or not known:
        if event is not None:
            yield closed(event, last.before, verdict.until, verdict.judged_at)
    elif event is None or event.state is EventState.SUSPECTED:
        fresh = [one for one in state.last_verdicts.values() if one.at >= horizon]
        if event is None:
            event = _new(verdict, fresh)
            yield Change(name="opened", detail=f"{len(fresh)} vantages", event=event)
        if all(one.count >= SURE for one in fresh):
            yield confirmed(event, verdict.judged_at, f"{len(fresh)} vantages")


def _last_verdict(known: LastVerdict | None, verdict: PlatformVerdict) -> LastVerdict:
    down = verdict.state is State.DOWN
    if known is not None and known.down == down:
        since, before, count = known.since, known.before, known.count + 1
    else:
        before = (known.measured_at or known.at) if known else None
        since, count = verdict.until, 1
    return LastVerdict(
        asn=verdict.asn,
        network=verdict.network,
        down=down,
        since=since,
        before=before,
        at=verdict.started_at,
        measured_at=verdict.since,
        count=count,
    )


def _new(verdict: PlatformVerdict, last_verdicts: Sequence[LastVerdict]) -> Event:
    first = min(last_verdicts, key=lambda last: last.since)
    return Event(
        id=event_id(EventKind.OUTAGE, verdict.platform, verdict.measurement),
        kind=EventKind.OUTAGE,
        platform=verdict.platform,
        state=EventState.SUSPECTED,
        networks=tuple(
            NetworkStatus(asn=asn, network=network, affected=True, blocked_now=False)
            for asn, network in sorted({(last.asn, last.network) for last in last_verdicts})
        ),
        onset_earliest=first.before,
        onset_latest=first.since,
        detected_at=verdict.judged_at,
        updated_at=verdict.judged_at,
        first_measurement=verdict.measurement,
        evidence=Evidence.NONE.value,
        rules_version=verdict.rules_version,
    )
