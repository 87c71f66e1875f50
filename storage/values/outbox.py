"""What is to be told to whom, until it was: one notice for each place a message goes to.

A notice is written in the same transaction as the line of the event's log that it tells of, so that
a crash loses none. Its text is not kept: it is made of that line when it is sent.
"""

from datetime import datetime
from enum import StrEnum

import msgspec


class NoticeState(StrEnum):
    """Where a notice stands."""

    PENDING = "pending"
    SENT = "sent"
    DROPPED = "dropped"
    """There was nothing to tell any more; `reason` says why."""
    FAILED = "failed"
    """Given up after many attempts; `reason` says what the last one met."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """That one line of an event's log is to be told to one target of one route."""

    country: str
    """Of the event; empty for what has no country."""
    event: str
    sequence: int
    """Of the line in the event's log."""
    route: str
    target: str
    """Which of the route's addresses, such as `1-tgram`: its number and scheme, no secret."""
    occasion: str
    """What is told, as in `monitor.notify.changes.Occasion`."""
    created_at: datetime
    """UTC."""
    attempts: int = 0
    """How often it was tried to send; counted before each attempt, so that a crash during one is
    seen."""
    retry_at: datetime | None = None
    """UTC; not to be tried again before. None: as soon as it is due."""
    state: NoticeState = NoticeState.PENDING
    settled_at: datetime | None = None
    """UTC; when it was sent, dropped or given up."""
    reason: str = ""
    """In a few words of our own, never a word of the service's answer or of the address."""

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        """What makes it one."""
        return (self.country, self.event, self.sequence, self.route, self.target)
