"""Events of controls that differ from the others: suspected once, confirmed when it is so again.

A control is equipment that everything is compared with, and one that lies can make or hide a block.
So it has an event of its own, and no event of a platform rests on it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

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
from monitor.analysis.verdict import Evidence


class DifferingControl(msgspec.Struct, frozen=True, kw_only=True):
    """A control that was compared with the others."""

    vantage: str
    country: str
    asn: int
    network: str
    different: tuple[str, ...] = ()
    """Ids of the endpoints on which it says the opposite of most others; none: it agrees."""


def take_in(
    known: Mapping[str, Event],
    compared: Iterable[DifferingControl],
    watched: Collection[str],
    at: datetime,
) -> tuple[dict[str, Event], tuple[Change, ...]]:
    """The active events by control after a comparison at `at` (UTC), and what changed. A control
    that could not be compared stays as it was; the end of one that is `watched` no more is not
    known."""
    gone = [event for name, event in known.items() if name not in watched]
    changes = [closed(event, event.updated_at, None, at) for event in gone]
    active = {name: event for name, event in known.items() if name in watched}
    for one in compared:
        event = active.get(one.vantage)
        if not one.different:
            if event is not None:
                changes.append(closed(active.pop(one.vantage), event.updated_at, at, at))
            continue
        if event is None:
            event = _new(one, at)
            changes.append(Change(name="opened", detail=_detail(one), event=event))
        elif event.state is EventState.SUSPECTED:
            changes.append(confirmed(event, at, _detail(one)))
        else:
            # So that its end has an earliest bound.
            changes.append(Change(name="", event=msgspec.structs.replace(event, updated_at=at)))
        active[one.vantage] = changes[-1].event
    return active, tuple(changes)


def _detail(one: DifferingControl) -> str:
    return ", ".join(one.different[:5])


def _new(one: DifferingControl, at: datetime) -> Event:
    return Event(
        id=event_id(EventKind.CONTROL_DIFFERS, one.vantage, at.isoformat()),
        kind=EventKind.CONTROL_DIFFERS,
        country=one.country,
        vantage=one.vantage,
        state=EventState.SUSPECTED,
        networks=(
            NetworkStatus(asn=one.asn, network=one.network, affected=False, blocked_now=False),
        ),
        onset_earliest=None,
        onset_latest=at,
        detected_at=at,
        updated_at=at,
        evidence=Evidence.NONE.value,
    )
