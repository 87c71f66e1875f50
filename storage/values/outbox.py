"""Notices that wait to be sent: one for each address that a message goes to.

A notice is written in the same transaction as the line of the event's log that it reports, so that
a crash loses none. Its text is not stored: it is made of that line when it is sent.
"""

from datetime import datetime
from enum import StrEnum

import msgspec


class NoticeState(StrEnum):
    """What became of a notice."""

    PENDING = "pending"
    SENT = "sent"
    DROPPED = "dropped"
    """There was nothing left to report; `reason` says why."""
    FAILED = "failed"
    """Given up after many attempts; `reason` says why the last one failed."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an event's log, to be sent to one target of one route."""

    country: str
    """Of the event; empty for what has no country."""
    event: str
    sequence: int
    """Of the line in the event's log."""
    route: str
    target: str
    """Which of the route's addresses, such as `tgram-k3fa`: its scheme and a short HMAC of it by a
    key of this database, so that neither its place in the file nor the rest of it matters. A row of
    an earlier version has its number and scheme, such as `1-tgram`."""
    occasion: str
    """What it reports, as in `monitor.notify.notice_kinds.NoticeKind`."""
    created_at: datetime
    """UTC."""
    attempts: int = 0
    """How many deliveries were tried; counted before each, so that a crash during one counts."""
    retry_at: datetime | None = None
    """UTC; time of the next attempt. None: as soon as it is due."""
    state: NoticeState = NoticeState.PENDING
    settled_at: datetime | None = None
    """UTC; when it was sent, dropped or given up."""
    reason: str = ""
    """A few words of our own; never text of the service's answer or of the address."""

    @property
    def key(self) -> tuple[str, str, int, str, str]:
        """Identifies it."""
        return (self.country, self.event, self.sequence, self.route, self.target)

    @property
    def place(self) -> tuple[str, str]:
        """Where it goes."""
        return self.route, self.target
