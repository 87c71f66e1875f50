"""A platform that fails from every vantage: its own outage, and nobody's block.

Every field vantage with a recent verdict says *down*, which needs a control that failed too
(`control.also_fails` and its like). Suspected when all of them say so, confirmed when each said so
`SURE` times in a row, over as soon as one vantage reaches the platform again.
"""

from collections.abc import Sequence
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
    """One platform, all countries. Never changed in place."""

    last_verdicts: dict[str, LastVerdict] = {}
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
    last_verdicts = {**state.last_verdicts, verdict.vantage: _last_verdict(known, verdict)}
    horizon = verdict.judged_at - timedelta(seconds=FRESH * interval)
    fresh = [last for last in last_verdicts.values() if last.at >= horizon]
    changes: list[Change] = []
    event = state.event
    if fresh and all(last.down for last in fresh):
        if event is None:
            event = _new(verdict, fresh)
            changes.append(Change(name="opened", detail=f"{len(fresh)} vantages", event=event))
        if event.state is EventState.SUSPECTED and all(last.count >= SURE for last in fresh):
            changes.append(confirmed(event, verdict.judged_at, f"{len(fresh)} vantages"))
            event = changes[-1].event
    elif event is not None:
        before = last_verdicts[verdict.vantage].before
        changes.append(closed(event, before, verdict.until, verdict.judged_at))
        event = None
    return Outages(last_verdicts=last_verdicts, event=event), tuple(changes)


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
