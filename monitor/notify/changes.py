"""Which changes of an event are worth telling, and what to call that."""

from enum import StrEnum

from monitor.analysis.events.event import EventLogEntry, EventState


class Occasion(StrEnum):
    """What a notice tells."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    SPREAD = "spread"
    """A further network."""
    ENDED = "ended"
    DISMISSED = "dismissed"
    """Suspected, never confirmed, and gone."""
    DOUBTED = "doubted"
    """KnownFacts as confirmed, and only suspected after all: late data weakened it."""
    WITHDRAWN = "withdrawn"
    """There was no reason for it."""


OPENING = frozenset((Occasion.SUSPECTED, Occasion.CONFIRMED))
CLOSING = frozenset(
    (Occasion.ENDED, Occasion.DISMISSED, Occasion.DOUBTED, Occasion.WITHDRAWN),
)
TAKES_BACK = frozenset((Occasion.DISMISSED, Occasion.DOUBTED, Occasion.WITHDRAWN))
"""These go to whoever was told what they take back, and to nobody else."""
LOUD = frozenset((Occasion.CONFIRMED, Occasion.DOUBTED, Occasion.WITHDRAWN))
"""What may be told in quiet hours: an accusation, and its end as an accusation."""

_BY_STATE = {
    EventState.SUSPECTED: Occasion.SUSPECTED,
    EventState.CONFIRMED: Occasion.CONFIRMED,
    EventState.RECOVERING: Occasion.CONFIRMED,
    EventState.UNOBSERVED: Occasion.CONFIRMED,
    EventState.ENDED: Occasion.ENDED,
    EventState.DISMISSED: Occasion.DISMISSED,
    EventState.WITHDRAWN: Occasion.WITHDRAWN,
}


def occasion_of(entry: EventLogEntry) -> Occasion | None:
    """What a line of an event's log is worth telling as; None for nothing."""
    event = entry.snapshot
    match entry.change:
        case "opened":
            return Occasion.SUSPECTED
        case "confirmed":
            return Occasion.CONFIRMED
        case "reopened":
            return _BY_STATE[event.state]
        case "network_affected":
            return None if entry.detail.endswith(", again") else Occasion.SPREAD
        case "ended" | "dismissed" | "withdrawn":
            return Occasion(entry.change)
        case "revised":
            if event.state is EventState.SUSPECTED:
                return Occasion.DOUBTED
            sure = event.confirmed_at is not None or not event.active
            return _BY_STATE[event.state] if sure else None
    return None
