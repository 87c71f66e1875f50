"""Which changes of an event lead to a notification, and of what kind."""

from enum import StrEnum

from monitor.analysis.events.event import EventLogEntry, EventState


class NoticeKind(StrEnum):
    """What a notice is about."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    SPREAD = "spread"
    """Another network blocks."""
    ENDED = "ended"
    DISMISSED = "dismissed"
    """Suspected, never confirmed, and gone."""
    DOUBTED = "doubted"
    """It was sent as confirmed and is only suspected: late data weakened the evidence."""
    WITHDRAWN = "withdrawn"
    """There was no reason for it."""


OPENING = frozenset((NoticeKind.SUSPECTED, NoticeKind.CONFIRMED))
CORRECTIONS = frozenset((NoticeKind.DISMISSED, NoticeKind.DOUBTED, NoticeKind.WITHDRAWN))
"""Only targets that received what is corrected receive these."""
CLOSING = CORRECTIONS | {NoticeKind.ENDED}
LOUD = frozenset((NoticeKind.CONFIRMED, NoticeKind.DOUBTED, NoticeKind.WITHDRAWN))
"""What may be sent in quiet hours: an accusation, and its correction."""

_BY_STATE = {
    EventState.SUSPECTED: NoticeKind.SUSPECTED,
    EventState.CONFIRMED: NoticeKind.CONFIRMED,
    EventState.RECOVERING: NoticeKind.CONFIRMED,
    EventState.UNOBSERVED: NoticeKind.CONFIRMED,
    EventState.ENDED: NoticeKind.ENDED,
    EventState.DISMISSED: NoticeKind.DISMISSED,
    EventState.WITHDRAWN: NoticeKind.WITHDRAWN,
}


def notice_kind_of(entry: EventLogEntry) -> NoticeKind | None:
    """The kind of notice for a line of an event's log; None for no notice."""
    event = entry.snapshot
    match entry.change:
        case "opened":
            return NoticeKind.SUSPECTED
        case "confirmed":
            return NoticeKind.CONFIRMED
        case "reopened":
            return _BY_STATE[event.state]
        case "network_affected":
            return None if entry.detail.endswith(", again") else NoticeKind.SPREAD
        case "ended" | "dismissed" | "withdrawn":
            return NoticeKind(entry.change)
        case "revised":
            if event.state is EventState.SUSPECTED:
                return NoticeKind.DOUBTED
            sure = event.sure or not event.active
            return _BY_STATE[event.state] if sure else None
    return None
