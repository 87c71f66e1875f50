"""What older rows showed of an event, once the window no longer reaches back to them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from monitor.analysis.events.event import Event, NetworkStatus, Stretch, widest
from monitor.analysis.events.stretches import went_on
from monitor.analysis.verdict import EVIDENCE_ORDER, Evidence

_PAUSE = timedelta(days=3)
"""Without a failing row for so long, a network is not known to have blocked in between."""


def with_earlier(before: Event, now: Event) -> Event:
    """An event as it is found now, with what older rows showed of how it is blocked, and where."""
    return replace(
        now,
        scope=widest((before.scope, now.scope)),
        functions=tuple(sorted({*before.functions, *now.functions})),
        methods=_united(before.methods, now.methods),
        networks=_networks(before.networks, now.networks),
        evidence=max(before.evidence, now.evidence, key=lambda one: EVIDENCE_ORDER[Evidence(one)]),
    )


def _united(before: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *now)))


def _networks(
    before: Iterable[NetworkStatus], now: Iterable[NetworkStatus]
) -> tuple[NetworkStatus, ...]:
    """The networks as they are found now, with their earlier stretches, and those of which no row
    is left."""
    found = {status.key: status for status in now}
    for status in before:
        if not status.stretches:
            continue
        here = found.get(status.key)
        if here is None:
            silent = status.blocked_now or status.recovering or status.unobserved
            here = replace(status, blocked_now=False, recovering=False, unobserved=silent)
        elif here.stretches:
            here = replace(here, stretches=_joined(status.stretches, here.stretches))
        else:
            here = replace(here, affected=True, stretches=status.stretches, found_open=False)
        found[status.key] = replace(here, methods=_united(status.methods, here.methods))
    return tuple(sorted(found.values(), key=lambda status: (status.asn, status.network)))


def begun_with(event: Event, first: Event) -> Event:
    """An event as it is known to have begun: `first`, without what is found of an earlier one."""
    begun, confirmed_at = first.onset_latest, event.confirmed_at
    if confirmed_at is not None:
        confirmed_at = first.confirmed_at or max(confirmed_at, begun)
    return replace(
        event,
        networks=tuple(
            _begun_with(status, first) if status.stretches else status for status in event.networks
        ),
        onset_earliest=first.onset_earliest,
        onset_latest=begun,
        detected_at=first.detected_at,
        confirmed_at=confirmed_at,
        first_measurement=first.first_measurement,
    )


def _begun_with(status: NetworkStatus, first: Event) -> NetworkStatus:
    begun = first.onset_latest
    left = tuple(
        one
        if one.onset_latest >= begun
        else replace(one, onset_earliest=first.onset_earliest, onset_latest=begun)
        for one in status.stretches
        if (one.end_earliest or one.last_blocked or begun) >= begun
    )
    if left:
        return replace(status, stretches=left)
    return replace(status, affected=False, unobserved=False, stretches=(), methods=())


def _joined(before: tuple[Stretch, ...], now: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    """The earlier stretches, then those found now; the first of these may be the rest of one."""
    first, *later = now
    earlier = [one for one in before if one.onset_latest < first.onset_latest]
    if earlier and _goes_on(earlier[-1], first):
        begun = earlier.pop()
        first = replace(
            first,
            onset_earliest=begun.onset_earliest,
            onset_latest=begun.onset_latest,
            unsure=_unsure(begun, first),
        )
    joined = tuple(earlier)
    for one in (first, *later):
        joined = went_on(joined, one)
    return joined


def _unsure(begun: Stretch, rest: Stretch) -> float:
    """Seconds that were not certainly blocked, where `rest` shows the last weeks of a stretch that
    is known up to some moment. Silences from before them stay counted."""
    known = blocked_until(begun)
    pause = rest.onset_latest - known
    if pause > timedelta():
        between = pause.total_seconds() if pause > _PAUSE else 0.0
        return begun.unsure + between + rest.unsure
    longer = blocked_until(rest) - known
    silent = min(longer.total_seconds(), rest.unsure) if longer > _PAUSE else 0.0
    return max(begun.unsure + silent, rest.unsure)


def blocked_until(stretch: Stretch) -> datetime:
    """The last moment (UTC) at which it is known to be blocked."""
    return stretch.end_earliest or stretch.last_blocked or stretch.onset_latest


def _goes_on(before: Stretch, after: Stretch) -> bool:
    return before.end_latest is None or before.end_latest > after.onset_latest
